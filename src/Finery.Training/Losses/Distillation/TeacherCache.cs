using System.Runtime.InteropServices;
using System.Security.Cryptography;
using Finery.Data.Batches;
using Finery.Models.Weights;
using Finery.Tensors;

namespace Finery.Training.Losses.Distillation;

/// <summary>What a <see cref="TeacherCacheWriter"/> kept of a teacher, batch by batch. A batch other than the one it was written for is
/// refused, and a file is read only once its SHA-256 is found to be right.</summary>
public sealed class TeacherCache : IDisposable
{
    private readonly string[] _paths;
    private readonly TeacherCacheHeader[] _headers;
    private TeacherCacheFile? _open;

    private TeacherCache(string[] paths, TeacherCacheHeader[] headers) => (_paths, _headers) = (paths, headers);

    /// <summary>Steps there are, from 0.</summary>
    public long Steps => _headers[^1].FirstStep + _headers[^1].Steps;

    /// <summary>N: tokens of a batch.</summary>
    public int Tokens => _headers[0].Tokens;

    /// <summary>K: most entries of a row.</summary>
    public int MaxEntries => _headers[0].MaxEntries;

    /// <summary>Digest of the teacher and of what was kept.</summary>
    internal string Identity => $"{_headers[0].Teacher} top-p {_headers[0].TopP} top-k {MaxEntries} {_headers[0].Type}";

    /// <summary>Opens a folder.</summary>
    /// <exception cref="DirectoryNotFoundException">There is none.</exception>
    /// <exception cref="InvalidDataException">It holds no cache, or files that do not follow one another.</exception>
    public static TeacherCache Open(string folder)
    {
        string[] paths = [.. Directory.GetFiles(folder, "teacher-*.topk").Where(path => path.EndsWith(".topk", StringComparison.Ordinal)).Order(StringComparer.Ordinal)];
        if (paths.Length == 0) throw new InvalidDataException($"'{folder}' holds no teacher cache.");
        var headers = new TeacherCacheHeader[paths.Length];
        var bytes = new byte[TeacherCacheHeader.Bytes];
        long next = 0;
        for (int i = 0; i < paths.Length; i++)
        {
            using var stream = File.OpenRead(paths[i]);
            int read = stream.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false);
            headers[i] = TeacherCacheHeader.Read(bytes.AsSpan(0, read), paths[i]);
            if (headers[i] with { FirstStep = 0, Steps = 1 } != headers[0] with { FirstStep = 0, Steps = 1 })
                throw new InvalidDataException($"{paths[i]} is of another cache than {paths[0]}.");
            if (headers[i].FirstStep != next)
                throw new InvalidDataException($"{paths[i]} begins with step {headers[i].FirstStep}; expected {next}: a file is missing.");
            next += headers[i].Steps;
        }
        return new(paths, headers);
    }

    /// <summary>What the teacher said of a batch; valid until the next call.</summary>
    /// <param name="step">From 0.</param>
    /// <param name="batch">Of that step.</param>
    /// <exception cref="ArgumentOutOfRangeException">The cache ends before the step.</exception>
    /// <exception cref="InvalidDataException">The batch is another, or the file is damaged.</exception>
    internal TeacherCacheFile At(long step, PackedBatch batch)
    {
        if (step < 0 || step >= Steps)
            throw new ArgumentOutOfRangeException(nameof(step), $"The teacher cache has steps 0 to {Steps - 1}; step {step} was asked for.");
        if (_open?.Header is not { } header || step < header.FirstStep || step >= header.FirstStep + header.Steps) Open(step);
        _open!.Read(step, batch);
        return _open;
    }

    private void Open(long step)
    {
        _open?.Dispose();
        _open = null;
        int index = Array.FindLastIndex(_headers, candidate => candidate.FirstStep <= step);
        _open = new TeacherCacheFile(_paths[index], TeacherCacheHeader.ReadWhole(_paths[index]));
    }

    /// <summary>Closes the file in use.</summary>
    public void Dispose() => _open?.Dispose();
}

/// <summary>One file of a cache, whose digest was found to be right.</summary>
internal sealed class TeacherCacheFile : IDisposable
{
    private readonly string _path;
    private readonly Microsoft.Win32.SafeHandles.SafeFileHandle _file;
    private readonly IncrementalHash _hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    private readonly byte[] _teacher;
    private readonly long[] _offsets;
    private readonly ushort[] _counts;
    private readonly byte[] _prefix = new byte[TeacherCacheHeader.DigestBytes + sizeof(int)];
    private readonly byte[] _key = new byte[TeacherCacheHeader.DigestBytes];
    private int[] _ids = [];
    private ushort[] _stored = [];
    private int _total;

    public TeacherCacheFile(string path, TeacherCacheHeader header)
    {
        (_path, Header) = (path, header);
        _teacher = Convert.FromHexString(header.Teacher);
        (_offsets, _counts) = (new long[header.Steps], new ushort[header.Tokens]);
        _file = File.OpenHandle(path);
        var offsets = MemoryMarshal.AsBytes(_offsets.AsSpan());
        ReadAt(offsets, RandomAccess.GetLength(_file) - TeacherCacheHeader.DigestBytes - offsets.Length);
    }

    public TeacherCacheHeader Header { get; }

    /// <summary>[N] entries of each row.</summary>
    public ReadOnlySpan<ushort> Counts => _counts;

    /// <summary>Of all rows, one after the other.</summary>
    public ReadOnlySpan<int> Ids => _ids.AsSpan(0, _total);

    /// <summary>Log-probability of an entry.</summary>
    public float LogProbability(int entry) => Header.Type == SafeTensorType.F16
        ? (float)BitConverter.UInt16BitsToHalf(_stored[entry])
        : BitConverter.UInt32BitsToSingle((uint)_stored[entry] << 16);

    /// <summary>Reads a step.</summary>
    /// <exception cref="InvalidDataException">It is of another batch.</exception>
    public void Read(long step, PackedBatch batch)
    {
        long at = _offsets[step - Header.FirstStep];
        ReadAt(_prefix, at);
        TeacherFingerprint.OfBatch(_hash, _teacher, batch, _key);
        if (batch.Count != Header.Tokens || !_key.AsSpan().SequenceEqual(_prefix.AsSpan(0, _key.Length)))
        {
            throw new InvalidDataException(
                $"{_path}: what it has of step {step} is of another batch (token ids, documents or targets differ). "
                + "Write the cache for this data, seed, length and batch size.");
        }
        _total = BitConverter.ToInt32(_prefix, _key.Length);
        if (_ids.Length < _total) (_ids, _stored) = (new int[_total], new ushort[_total]);
        at += _prefix.Length;
        at = ReadAt(MemoryMarshal.AsBytes(_counts.AsSpan()), at);
        at = ReadAt(MemoryMarshal.AsBytes(_ids.AsSpan(0, _total)), at);
        ReadAt(MemoryMarshal.AsBytes(_stored.AsSpan(0, _total)), at);
    }

    public void Dispose()
    {
        _file.Dispose();
        _hash.Dispose();
    }

    private long ReadAt(Span<byte> destination, long offset)
    {
        for (int done = 0; done < destination.Length;)
        {
            int count = RandomAccess.Read(_file, destination[done..], offset + done);
            if (count == 0) throw new InvalidDataException($"{_path} ends before what it says it has.");
            done += count;
        }
        return offset + destination.Length;
    }
}
