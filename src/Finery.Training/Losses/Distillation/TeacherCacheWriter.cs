using System.Buffers.Binary;
using System.ComponentModel;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using Finery.Data.Batches;
using Finery.Models.Llama;
using Finery.Models.Weights;
using Finery.Tensors;

namespace Finery.Training.Losses.Distillation;

/// <summary>What is kept of a teacher: the likeliest tokens of every target's row, first those that together have
/// <see cref="TopP"/>, of those at most <see cref="TopK"/> (pretraining reference 4.2).</summary>
public sealed record TeacherCacheSettings
{
    /// <summary>Most tokens of a row.</summary>
    [Description("most tokens of a row")]
    public int TopK { get; init; } = 100;

    /// <summary>The fewest likeliest tokens that have at least this probability; 1 for all.</summary>
    [Description("the fewest likeliest tokens that have this probability")]
    public double TopP { get; init; } = 0.95;

    /// <summary>How log-probabilities are stored: F16 or BF16.</summary>
    [Description("how log-probabilities are stored: f16 or bf16")]
    public SafeTensorType Type { get; init; } = SafeTensorType.F16;

    /// <summary>Steps of a file: what an interruption costs at most.</summary>
    [Description("steps in a file: what an interruption costs")]
    public int StepsPerFile { get; init; } = 64;

    /// <summary>Everything wrong with these settings; empty where nothing is.</summary>
    public IEnumerable<(string Property, string Message)> Validate()
    {
        if (TopK < 1) yield return (nameof(TopK), $"{TopK} tokens of a row; at least 1 is needed.");
        if (!(TopP is > 0 and <= 1)) yield return (nameof(TopP), $"{TopP}; expected above 0, to 1.");
        if (Type is not (SafeTensorType.F16 or SafeTensorType.BF16)) yield return (nameof(Type), $"{Type}; expected F16 or BF16.");
        if (StepsPerFile < 1) yield return (nameof(StepsPerFile), $"{StepsPerFile} steps in a file; at least 1 is needed.");
    }
}

/// <summary>
/// Writes what a teacher says of every batch of a run. A file holds the batches of some steps, one after another: digest of the batch,
/// number of entries, entries of each row (u16), ids (i32), log-probabilities (f16 or bf16), all little-endian; then where each batch
/// begins, and a SHA-256 of everything before it. A file appears under its name only when whole; what is whole and right is kept when an
/// interrupted cache is written again.
/// </summary>
public sealed class TeacherCacheWriter
{
    private readonly Kernels _kernels;
    private readonly TeacherCacheSettings _settings;
    private readonly string _teacher;
    private readonly LlamaModel _model;
    private readonly int _entries;

    /// <param name="kernels">Does the work.</param>
    /// <param name="teacher">Its weights must not change.</param>
    /// <param name="settings">Checked here.</param>
    /// <exception cref="ArgumentException">A setting is impossible.</exception>
    public TeacherCacheWriter(Kernels kernels, LlamaModel teacher, TeacherCacheSettings settings)
    {
        string[] faults = [.. settings.Validate().Select(fault => $"{fault.Property}: {fault.Message}")];
        if (faults.Length > 0) throw new ArgumentException("Teacher cache: " + string.Join(" ", faults), nameof(settings));
        (_kernels, _model, _settings) = (kernels, teacher, settings);
        _teacher = TeacherFingerprint.Of(teacher);
        _entries = Math.Min(settings.TopK, teacher.Config.VocabSize);
    }

    /// <summary>Writes the batches of a run, from step 0 on.</summary>
    /// <param name="phases">Batches of one shape each, filled by steps of the run, and how many there are.</param>
    /// <param name="folder">Created if absent; files of an earlier attempt are continued.</param>
    /// <param name="progress">Told the number of steps done after each.</param>
    /// <param name="stop">Checked before each step.</param>
    /// <exception cref="InvalidDataException">The folder holds a cache of another teacher, other batches or other settings.</exception>
    /// <exception cref="OperationCanceledException">Stopped; writing again continues.</exception>
    public void Write(
        IReadOnlyList<(IBatchSource Source, long Steps)> phases, string folder, Action<long>? progress = null, CancellationToken stop = default)
    {
        int longest = phases.Max(phase => phase.Source.Length);
        if (longest > _model.Config.SequenceLength)
            throw new ArgumentException($"Rows have {longest} tokens, the teacher reads {_model.Config.SequenceLength}.", nameof(phases));
        Directory.CreateDirectory(folder);
        foreach (string left in Directory.GetFiles(folder, "teacher-*.topk.tmp")) File.Delete(left);
        long first = 0;
        foreach (var (source, steps) in phases)
        {
            WritePhase(source, first, first + steps, folder, progress, stop);
            first += steps;
        }
    }

    private void WritePhase(IBatchSource source, long first, long end, string folder, Action<long>? progress, CancellationToken stop)
    {
        var batch = source.CreateBatch();
        using var rows = new TeacherRows(_kernels, _model, source.Length, _entries, _settings.TopP);
        for (; first < end; first += _settings.StepsPerFile)
        {
            int count = (int)Math.Min(_settings.StepsPerFile, end - first);
            var header = new TeacherCacheHeader(first, count, batch.Count, _entries, _settings.TopP, _settings.Type, _teacher);
            string path = Path.Combine(folder, TeacherCacheHeader.FileName(first));
            if (!IsThere(path, header, source, batch))
            {
                AtomicFile.Write(path, stream => WriteFile(stream, header, source, batch, rows, progress, stop));
            }
            progress?.Invoke(first + count);
        }
    }

    private bool IsThere(string path, TeacherCacheHeader header, IBatchSource source, PackedBatch batch)
    {
        if (!File.Exists(path)) return false;
        TeacherCacheHeader found;
        try
        {
            found = TeacherCacheHeader.ReadWhole(path);
        }
        catch (InvalidDataException)
        {
            // Damaged: written anew.
            return false;
        }
        if (found with { Steps = header.Steps } != header)
            throw new InvalidDataException($"{path} is of another cache ({found}; now {header}). Write this one to another folder.");
        using var file = new TeacherCacheFile(path, found);
        using var key = new BatchKey(header.Teacher);
        source.Fill(header.FirstStep, batch);
        if (!file.KeyOf(header.FirstStep).SequenceEqual(key.Of(batch)))
            throw new InvalidDataException($"{path} is of other batches. Write this cache to another folder.");
        return found.Steps >= header.Steps;
    }

    private void WriteFile(
        Stream stream, TeacherCacheHeader header, IBatchSource source, PackedBatch batch, TeacherRows rows, Action<long>? progress,
        CancellationToken stop)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        using var key = new BatchKey(header.Teacher);
        long position = 0;
        void Put(ReadOnlySpan<byte> bytes)
        {
            stream.Write(bytes);
            hash.AppendData(bytes);
            position += bytes.Length;
        }

        Span<byte> small = stackalloc byte[TeacherCacheHeader.Bytes];
        header.Write(small);
        Put(small);
        var offsets = new long[header.Steps];
        ushort[] stored = [];
        for (int i = 0; i < header.Steps; i++)
        {
            stop.ThrowIfCancellationRequested();
            source.Fill(header.FirstStep + i, batch);
            rows.Run(batch);
            offsets[i] = position;
            Put(key.Of(batch));
            BinaryPrimitives.WriteInt32LittleEndian(small, rows.Ids.Length);
            Put(small[..sizeof(int)]);
            Put(MemoryMarshal.AsBytes(rows.Counts));
            Put(MemoryMarshal.AsBytes(rows.Ids));
            if (stored.Length < rows.Ids.Length) stored = new ushort[rows.Ids.Length];
            for (int k = 0; k < rows.Ids.Length; k++) stored[k] = Stored(rows.LogProbabilities[k], header.Type);
            Put(MemoryMarshal.AsBytes(stored.AsSpan(0, rows.Ids.Length)));
            progress?.Invoke(header.FirstStep + i + 1);
        }
        Put(MemoryMarshal.AsBytes(offsets.AsSpan()));
        stream.Write(hash.GetHashAndReset());
    }

    private static ushort Stored(float value, SafeTensorType type) => type == SafeTensorType.F16
        ? BitConverter.HalfToUInt16Bits((Half)value)
        : (ushort)(BitConverter.SingleToUInt32Bits((float)(BFloat16)value) >> 16);
}
