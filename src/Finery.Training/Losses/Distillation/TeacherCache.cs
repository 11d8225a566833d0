using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Finery.Data.Batches;
using Finery.Models.Weights;
using Microsoft.Win32.SafeHandles;

namespace Finery.Training.Losses.Distillation;

/// <summary>What a <see cref="TeacherCacheWriter"/> kept of a teacher, batch by batch. A batch other than the one it was written for is
/// refused, and what a file says is taken only once its SHA-256 is found to be right.</summary>
public sealed class TeacherCache : IDisposable
{
    private readonly string[] _paths;
    private readonly TeacherCacheHeader[] _headers;
    private readonly BatchKey _key;
    private Dictionary<UInt128, long>? _steps;
    private TeacherCacheFile? _open;

    private TeacherCache(string[] paths, TeacherCacheHeader[] headers) =>
        (_paths, _headers, _key) = (paths, headers, new BatchKey(headers[0].Teacher));

    /// <summary>Steps there are, from 0.</summary>
    public long Steps => _headers[^1].FirstStep + _headers[^1].Steps;

    /// <summary>Whether there are batches of so many tokens.</summary>
    public bool HasBatchesOf(long tokens) => _headers.Any(header => header.Tokens == tokens);

    /// <summary>K: most entries of a row.</summary>
    public int MaxEntries => _headers[0].MaxEntries;

    /// <summary>Digest of the teacher and of what was kept.</summary>
    internal string Identity => $"{_headers[0].Teacher} top-p {_headers[0].TopP} top-k {MaxEntries} {_headers[0].Type}";

    /// <summary>Opens a folder.</summary>
    /// <exception cref="DirectoryNotFoundException">There is none.</exception>
    /// <exception cref="InvalidDataException">It holds no cache, or files that do not follow one another.</exception>
    public static TeacherCache Open(string folder)
    {
        string[] paths =
        [
            .. Directory.GetFiles(folder, "teacher-*.topk")
                .Where(path => path.EndsWith(".topk", StringComparison.Ordinal)).Order(StringComparer.Ordinal),
        ];
        if (paths.Length == 0) throw new InvalidDataException($"'{folder}' holds no teacher cache.");
        var headers = new TeacherCacheHeader[paths.Length];
        var bytes = new byte[TeacherCacheHeader.Bytes];
        long next = 0;
        for (int i = 0; i < paths.Length; i++)
        {
            using var stream = File.OpenRead(paths[i]);
            int read = stream.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false);
            headers[i] = TeacherCacheHeader.Read(bytes.AsSpan(0, read), paths[i]);
            if (OfCache(headers[i]) != OfCache(headers[0]))
                throw new InvalidDataException($"{paths[i]} is of another cache than {paths[0]}.");
            if (headers[i].FirstStep != next)
                throw new InvalidDataException($"{paths[i]} begins with step {headers[i].FirstStep}; expected {next}: a file is missing.");
            next += headers[i].Steps;
        }
        return new(paths, headers);

        // What all files have in common: the shape of batches may change within a run.
        static TeacherCacheHeader OfCache(TeacherCacheHeader header) => header with { FirstStep = 0, Steps = 1, Tokens = 1 };
    }

    /// <summary>What the teacher said of a batch, wherever in the cache it is; valid until the next call.</summary>
    /// <exception cref="InvalidDataException">The cache does not have the batch, or a file is damaged.</exception>
    internal TeacherCacheFile Of(PackedBatch batch)
    {
        _steps ??= Index();
        var key = _key.Of(batch);
        if (!_steps.TryGetValue(Short(key), out long step))
        {
            throw new InvalidDataException(
                $"The teacher cache has no batch of these token ids, documents and targets: all of its {Steps} steps are of another batch. "
                + "Write the cache for this data, seed, length and batch size, and for more steps where the run left batches out.");
        }
        if (_open?.Header is not { } header || step < header.FirstStep || step >= header.FirstStep + header.Steps) Open(step);
        _open!.Read(step, key);
        return _open;
    }

    private void Open(long step)
    {
        _open?.Dispose();
        _open = null;
        int index = Array.FindLastIndex(_headers, candidate => candidate.FirstStep <= step);
        _open = new TeacherCacheFile(_paths[index], TeacherCacheHeader.ReadWhole(_paths[index]));
    }

    private Dictionary<UInt128, long> Index()
    {
        var steps = new Dictionary<UInt128, long>();
        for (int i = 0; i < _paths.Length; i++)
        {
            using var file = new TeacherCacheFile(_paths[i], _headers[i]);
            for (long step = _headers[i].FirstStep; step < _headers[i].FirstStep + _headers[i].Steps; step++)
                steps.TryAdd(Short(file.KeyOf(step)), step);
        }
        return steps;
    }

    // Enough to find it; all of it is compared when it is read.
    private static UInt128 Short(ReadOnlySpan<byte> key) => BinaryPrimitives.ReadUInt128LittleEndian(key);

    /// <summary>Closes the file in use.</summary>
    public void Dispose()
    {
        _open?.Dispose();
        _key.Dispose();
    }
}

/// <summary>One file of a cache, whose digest was found to be right.</summary>
internal sealed class TeacherCacheFile : IDisposable
{
    private readonly string _path;
    private readonly SafeFileHandle _file;
    private readonly long[] _offsets;
    private readonly ushort[] _counts;
    private readonly byte[] _prefix = new byte[BatchKey.Bytes + sizeof(int)];
    private int[] _ids = [];
    private ushort[] _stored = [];
    private int _total;

    public TeacherCacheFile(string path, TeacherCacheHeader header)
    {
        (_path, Header) = (path, header);
        _file = File.OpenHandle(path);
        long length = RandomAccess.GetLength(_file);
        // Before anything is allocated by what a header says.
        if (length < header.LeastBytes)
        {
            _file.Dispose();
            throw new InvalidDataException($"{path} has {length} bytes; its header promises at least {header.LeastBytes}: it is damaged.");
        }
        (_offsets, _counts) = (new long[header.Steps], new ushort[header.Tokens]);
        var offsets = MemoryMarshal.AsBytes(_offsets.AsSpan());
        ReadAt(offsets, length - TeacherCacheHeader.DigestBytes - offsets.Length);
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

    /// <summary>Of the batch of a step; valid until the next call.</summary>
    public ReadOnlySpan<byte> KeyOf(long step)
    {
        ReadAt(_prefix, _offsets[step - Header.FirstStep]);
        return _prefix.AsSpan(0, BatchKey.Bytes);
    }

    /// <summary>Reads a step.</summary>
    /// <exception cref="InvalidDataException">It is of another batch.</exception>
    public void Read(long step, ReadOnlySpan<byte> key)
    {
        if (!KeyOf(step).SequenceEqual(key)) throw new InvalidDataException($"{_path}: what it has of step {step} is of another batch.");
        _total = BinaryPrimitives.ReadInt32LittleEndian(_prefix.AsSpan(BatchKey.Bytes));
        if (_total < 0 || _total > (long)Header.Tokens * Header.MaxEntries) throw Inconsistent();
        if (_ids.Length < _total) (_ids, _stored) = (new int[_total], new ushort[_total]);
        long at = _offsets[step - Header.FirstStep] + _prefix.Length;
        at = ReadAt(MemoryMarshal.AsBytes(_counts.AsSpan()), at);
        long sum = 0;
        foreach (ushort count in _counts) sum += count <= Header.MaxEntries ? count : throw Inconsistent();
        if (sum != _total) throw Inconsistent();
        at = ReadAt(MemoryMarshal.AsBytes(_ids.AsSpan(0, _total)), at);
        ReadAt(MemoryMarshal.AsBytes(_stored.AsSpan(0, _total)), at);
    }

    public void Dispose() => _file.Dispose();

    private InvalidDataException Inconsistent() => new($"{_path}: the numbers of entries do not agree.");

    private long ReadAt(Span<byte> destination, long offset)
    {
        if (offset < 0) throw new InvalidDataException($"{_path} is damaged: a batch begins at {offset}.");
        for (int done = 0; done < destination.Length;)
        {
            int count = RandomAccess.Read(_file, destination[done..], offset + done);
            if (count == 0) throw new InvalidDataException($"{_path} ends before what it says it has.");
            done += count;
        }
        return offset + destination.Length;
    }
}
