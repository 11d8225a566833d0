using System.Buffers.Binary;
using System.Runtime.CompilerServices;

namespace Finery.Data.Deduplication;

/// <summary>A 128-bit key of a document; documents with equal keys are alike.</summary>
internal readonly record struct DocumentKey(ulong High, ulong Low, int Document) : IComparable<DocumentKey>
{
    public bool HasKeyOf(DocumentKey other) => High == other.High && Low == other.Low;

    public int CompareTo(DocumentKey other) =>
        High != other.High ? High.CompareTo(other.High)
        : Low != other.Low ? Low.CompareTo(other.Low)
        : Document.CompareTo(other.Document);
}

/// <summary>
/// Sorts any number of keys in a fixed amount of memory: full buffers are sorted and spilled to files, which are merged. The
/// files vanish when closed, whatever happens to the process.
/// </summary>
internal sealed class KeySorter : IDisposable
{
    private const int RecordBytes = 20;
    private const int MinRecords = 1 << 12;

    private readonly string? _folder;
    private readonly int _capacity;
    private readonly List<FileStream> _runs = [];
    private DocumentKey[] _buffer = new DocumentKey[MinRecords];
    private int _count;

    /// <param name="memoryBytes">For the buffer, whose records take 24 bytes.</param>
    /// <param name="folder">For spilled runs; null for the system's temporary folder.</param>
    public KeySorter(long memoryBytes, string? folder)
    {
        _folder = folder;
        _capacity = (int)Math.Clamp(memoryBytes / Unsafe.SizeOf<DocumentKey>(), MinRecords, Array.MaxLength);
    }

    /// <summary>Number of spilled runs.</summary>
    public int Runs => _runs.Count;

    public void Add(DocumentKey key)
    {
        if (_count == _buffer.Length)
        {
            if (_count >= _capacity)
                Spill();
            else
                Array.Resize(ref _buffer, (int)Math.Min(_count * 2L, _capacity));
        }
        _buffer[_count++] = key;
    }

    /// <summary>All keys in order. Nothing may be added afterwards.</summary>
    public IEnumerable<DocumentKey> Sorted()
    {
        Array.Sort(_buffer, 0, _count);
        if (_runs.Count == 0)
        {
            for (var i = 0; i < _count; i++)
                yield return _buffer[i];
            yield break;
        }
        Spill();
        _buffer = [];
        var heads = new PriorityQueue<IEnumerator<DocumentKey>, DocumentKey>();
        foreach (var run in _runs)
        {
            var records = Records(run).GetEnumerator();
            if (records.MoveNext())
                heads.Enqueue(records, records.Current);
        }
        while (heads.TryPeek(out var records, out var least))
        {
            yield return least;
            if (records.MoveNext())
                heads.DequeueEnqueue(records, records.Current);
            else
                heads.Dequeue();
        }
    }

    public void Dispose()
    {
        foreach (var run in _runs)
            run.Dispose();
        _runs.Clear();
    }

    private void Spill()
    {
        Array.Sort(_buffer, 0, _count);
        var folder = _folder ?? Path.GetTempPath();
        Directory.CreateDirectory(folder);
        var run = new FileStream(
            Path.Combine(folder, $"finery-sort-{Path.GetRandomFileName()}"), FileMode.CreateNew, FileAccess.ReadWrite,
            FileShare.None, 1 << 16, FileOptions.DeleteOnClose | FileOptions.SequentialScan);
        _runs.Add(run);
        Span<byte> record = stackalloc byte[RecordBytes];
        foreach (var key in _buffer.AsSpan(0, _count))
        {
            BinaryPrimitives.WriteUInt64LittleEndian(record, key.High);
            BinaryPrimitives.WriteUInt64LittleEndian(record[8..], key.Low);
            BinaryPrimitives.WriteInt32LittleEndian(record[16..], key.Document);
            run.Write(record);
        }
        _count = 0;
    }

    private static IEnumerable<DocumentKey> Records(FileStream run)
    {
        run.Position = 0;
        var record = new byte[RecordBytes];
        for (var left = run.Length / RecordBytes; left > 0; left--)
        {
            run.ReadExactly(record);
            yield return new(
                BinaryPrimitives.ReadUInt64LittleEndian(record),
                BinaryPrimitives.ReadUInt64LittleEndian(record.AsSpan(8)),
                BinaryPrimitives.ReadInt32LittleEndian(record.AsSpan(16)));
        }
    }
}
