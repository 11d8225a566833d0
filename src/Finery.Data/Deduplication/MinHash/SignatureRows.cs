using System.Buffers.Binary;

namespace Finery.Data.Deduplication.MinHash;

/// <summary>Whole signatures in memory, in blocks, so that growing copies nothing; sorted bucket by bucket.</summary>
internal sealed class SignatureRows
{
    private const int BlockRows = 256;

    private readonly MinHashStage _stage;
    private readonly int _hashBytes;
    private readonly int _rowBytes;
    private readonly List<byte[]> _blocks = [];
    private readonly int _capacity;
    private uint[] _documents = new uint[BlockRows];
    private (ulong First, int Row)[] _keys = [];

    /// <param name="stage">Settings.</param>
    /// <param name="memoryBytes">For the rows and for sorting.</param>
    public SignatureRows(MinHashStage stage, long memoryBytes)
    {
        (_stage, _hashBytes, _rowBytes) = (stage, stage.HashBits / 8, stage.Buckets * stage.HashesBytes);
        // A row, its document, twice while that grows, and a key.
        _capacity = (int)Math.Clamp(memoryBytes / (_rowBytes + 2 * sizeof(uint) + 16), 64, 1 << 26);
    }

    /// <summary>Writes sorted records.</summary>
    public delegate void Sink(ReadOnlySpan<byte> records);

    /// <summary>Rows held.</summary>
    public int Count { get; private set; }

    /// <summary>Whether no more fit.</summary>
    public bool IsFull => Count == _capacity;

    public void Add(uint document, ReadOnlySpan<byte> row)
    {
        if (Count / BlockRows == _blocks.Count)
            _blocks.Add(new byte[BlockRows * _rowBytes]);
        if (Count == _documents.Length)
            Array.Resize(ref _documents, Count * 2);
        row.CopyTo(_blocks[Count / BlockRows].AsSpan(Count % BlockRows * _rowBytes));
        _documents[Count++] = document;
    }

    public void Clear() => Count = 0;

    /// <summary>Gives the memory back.</summary>
    public void Free()
    {
        Clear();
        _blocks.Clear();
        _keys = [];
    }

    /// <summary>One bucket's records in order.</summary>
    public void Emit(int bucket, Sink sink)
    {
        if (_keys.Length < Count)
            _keys = new (ulong, int)[Count];
        var keys = _keys.AsSpan(0, Count);
        for (var i = 0; i < Count; i++)
            keys[i] = (SignatureOrder.Read(Column(bucket, i), 0, _hashBytes), i);
        keys.Sort(new ByColumn(this, bucket, new(_stage.HashesPerBucket, _hashBytes, _stage.RecordBytes)));
        var block = new byte[_stage.RecordBytes * 1024];
        var filled = 0;
        foreach (var (_, row) in keys)
        {
            var record = block.AsSpan(filled, _stage.RecordBytes);
            Column(bucket, row).CopyTo(record);
            BinaryPrimitives.WriteUInt32LittleEndian(record[_stage.HashesBytes..], _documents[row]);
            if ((filled += record.Length) < block.Length)
                continue;
            sink(block);
            filled = 0;
        }
        sink(block.AsSpan(0, filled));
    }

    private ReadOnlySpan<byte> Column(int bucket, int row) => _blocks[row / BlockRows].AsSpan(
        row % BlockRows * _rowBytes + bucket * _stage.HashesBytes, _stage.HashesBytes);

    private readonly struct ByColumn(SignatureRows rows, int bucket, SignatureOrder order) : IComparer<(ulong First, int Row)>
    {
        public int Compare((ulong First, int Row) a, (ulong First, int Row) b)
        {
            if (a.First != b.First)
                return a.First < b.First ? -1 : 1;
            var compared = order.Compare(rows.Column(bucket, a.Row), rows.Column(bucket, b.Row));
            return compared != 0 ? compared : a.Row.CompareTo(b.Row);
        }
    }
}
