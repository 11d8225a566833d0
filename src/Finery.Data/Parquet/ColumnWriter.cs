using System.Buffers.Binary;
using System.Numerics;
using System.Runtime.InteropServices;
using Finery.Data.Compression;

namespace Finery.Data.Parquet;

/// <summary>
/// Collects the values of one column of a row group into pages of about 1 MB. With a dictionary, its distinct values are
/// numbered; once they are too many to pay, the pages that follow hold the values themselves.
/// </summary>
internal sealed class ColumnWriter(
    string name, PhysicalType type, bool isOptional, bool withDictionary, PageCompressor compressor)
{
    private const int PageBytes = 1 << 20;
    private const int PageEntries = 20_000;
    private const int DictionaryBytes = 512 << 10;
    private const int LongestStatistic = 64;

    private readonly bool _withDictionary = withDictionary;
    private readonly PageBuffer _values = new();
    private readonly PageBuffer _page = new();
    private readonly PageBuffer _dictionary = new();
    private readonly Dictionary<string, int> _texts = new(StringComparer.Ordinal);
    private readonly Dictionary<long, int> _numbers = [];
    private readonly List<int> _definitions = [];
    private readonly List<int> _indices = [];
    private readonly MemoryStream _chunk = new();
    private readonly ThriftWriter _header = new();
    private bool _isInDictionary = withDictionary, _hasDictionaryPages;
    private long _entries, _nulls, _uncompressed;
    private byte[]? _least, _greatest;
    private bool _isWithoutStatistics = !withDictionary;

    public string Name => name;

    public PhysicalType Type => type;

    public bool IsOptional => isOptional;

    /// <summary>Bytes held back until the row group is written.</summary>
    public long PendingBytes => _chunk.Length;

    public void AddNull()
    {
        _definitions.Add(0);
        _nulls++;
        EndEntry();
    }

    public void Add(string text)
    {
        if (_isInDictionary)
        {
            if (!_texts.TryGetValue(text, out var index))
            {
                _texts[text] = index = _texts.Count;
                var start = _dictionary.Count + 4;
                _dictionary.AddText(text);
                Measure(_dictionary.Written[start..]);
            }
            _indices.Add(index);
        }
        else
        {
            var start = _values.Count + 4;
            _values.AddText(text);
            Measure(_values.Written[start..]);
        }
        _definitions.Add(1);
        EndEntry();
    }

    public void Add(ReadOnlySpan<byte> utf8)
    {
        _values.AddByteArray(utf8);
        _definitions.Add(1);
        EndEntry();
    }

    public void Add(double value) => Add(BitConverter.DoubleToInt64Bits(value));

    /// <summary>Adds an integer, or the bits of a floating-point number.</summary>
    public void Add(long value)
    {
        if (_isInDictionary)
        {
            if (!_numbers.TryGetValue(value, out var index))
            {
                _numbers[value] = index = _numbers.Count;
                _dictionary.AddInt64(value);
                Measure(_dictionary.Written[^8..]);
            }
            _indices.Add(index);
        }
        else
        {
            _values.AddInt64(value);
            Measure(_values.Written[^8..]);
        }
        _definitions.Add(1);
        EndEntry();
    }

    private void EndEntry()
    {
        _entries++;
        if (_values.Count >= PageBytes || _definitions.Count >= PageEntries
            || (_isInDictionary && _dictionary.Count >= DictionaryBytes))
            EndPage();
    }

    private void Measure(ReadOnlySpan<byte> value)
    {
        if (_isWithoutStatistics)
            return;
        if (value.Length > LongestStatistic)
        {
            (_isWithoutStatistics, _least, _greatest) = (true, null, null);
            return;
        }
        if (_least is null || Compare(value, _least) < 0)
            _least = value.ToArray();
        if (_greatest is null || Compare(value, _greatest) > 0)
            _greatest = value.ToArray();
    }

    private int Compare(ReadOnlySpan<byte> x, ReadOnlySpan<byte> y) => type switch
    {
        PhysicalType.Int64 => BinaryPrimitives.ReadInt64LittleEndian(x).CompareTo(BinaryPrimitives.ReadInt64LittleEndian(y)),
        PhysicalType.Double => BinaryPrimitives.ReadDoubleLittleEndian(x).CompareTo(BinaryPrimitives.ReadDoubleLittleEndian(y)),
        _ => x.SequenceCompareTo(y),
    };

    private void EndPage()
    {
        if (_definitions.Count == 0)
            return;
        _page.Clear();
        if (isOptional)
        {
            _page.AddInt32(0);
            HybridWriter.Write(_page, CollectionsMarshal.AsSpan(_definitions), 1);
            _page.SetInt32(0, _page.Count - 4);
        }
        // A page of nulls needs no dictionary.
        var isNumbered = _isInDictionary && _indices.Count > 0;
        if (isNumbered)
        {
            var width = BitOperations.Log2((uint)Math.Max(1, DictionaryCount - 1)) + 1;
            _page.AddByte((byte)width);
            HybridWriter.Write(_page, CollectionsMarshal.AsSpan(_indices), width);
            _hasDictionaryPages = true;
        }
        else if (isOptional)
            _page.Add(_values.Written);
        WritePage(0, isOptional || isNumbered ? _page.Written : _values.Written, _definitions.Count, isNumbered ? 8 : 0, _chunk);
        // Values that hardly repeat are not worth numbering.
        if (_dictionary.Count >= DictionaryBytes || DictionaryCount > Math.Max(1000, _entries / 2))
            _isInDictionary = false;
        _definitions.Clear();
        _indices.Clear();
        _values.Clear();
    }

    private int DictionaryCount => type == PhysicalType.ByteArray ? _texts.Count : _numbers.Count;

    private void WritePage(int kind, ReadOnlySpan<byte> body, int count, int encoding, MemoryStream target)
    {
        var compressed = compressor.Compress(body);
        _header.Clear();
        _header.Int32(1, kind);
        _header.Int32(2, body.Length);
        _header.Int32(3, compressed.Length);
        _header.Int32(4, (int)Crc32.Of(compressed));
        _header.Begin(kind == 0 ? 5 : 7);
        _header.Int32(1, count);
        _header.Int32(2, encoding);
        if (kind == 0)
        {
            _header.Int32(3, 3);
            _header.Int32(4, 3);
        }
        _header.End();
        _header.End();
        target.Write(_header.Written);
        target.Write(compressed);
        _uncompressed += _header.Written.Length + body.Length;
    }

    /// <summary>Writes the pages of the row group and the structure ColumnChunk; the column is then empty again.</summary>
    /// <returns>Bytes before and after compression.</returns>
    public (long Uncompressed, long Compressed) Flush(Stream output, ThriftWriter metadata)
    {
        EndPage();
        var start = output.Position;
        long? dictionaryStart = null;
        if (_hasDictionaryPages)
        {
            using var page = new MemoryStream();
            WritePage(2, _dictionary.Written, DictionaryCount, 0, page);
            dictionaryStart = start;
            page.WriteTo(output);
        }
        var dataStart = output.Position;
        _chunk.WriteTo(output);
        var compressed = output.Position - start;
        metadata.Begin();
        metadata.Int64(2, 0);
        metadata.Begin(3);
        metadata.Int32(1, (int)type);
        // PLAIN, which dictionaries are in too; RLE of the levels; RLE_DICTIONARY.
        int[] encodings = _hasDictionaryPages ? [0, 3, 8] : [0, 3];
        metadata.List(2, ThriftType.Int32, encodings.Length);
        foreach (var encoding in encodings)
            metadata.Element(encoding);
        metadata.List(3, ThriftType.Binary, 1);
        metadata.Element(name);
        metadata.Int32(4, compressor.Number);
        metadata.Int64(5, _entries);
        metadata.Int64(6, _uncompressed);
        metadata.Int64(7, compressed);
        metadata.Int64(9, dataStart);
        if (dictionaryStart is { } at)
            metadata.Int64(11, at);
        metadata.Begin(12);
        metadata.Int64(3, _nulls);
        if (_greatest is not null && _least is not null)
        {
            metadata.Binary(5, WithoutZeroSign(_greatest, isLeast: false));
            metadata.Binary(6, WithoutZeroSign(_least, isLeast: true));
        }
        metadata.End();
        metadata.End();
        metadata.End();
        var uncompressed = _uncompressed;
        Clear();
        return (uncompressed, compressed);
    }

    /// <summary>Zeros of both signs are equal: the format wants the bounds to cover either.</summary>
    private byte[] WithoutZeroSign(byte[] bound, bool isLeast) =>
        type == PhysicalType.Double && BinaryPrimitives.ReadDoubleLittleEndian(bound) == 0
            ? BitConverter.GetBytes(isLeast ? -0.0 : 0.0) : bound;

    private void Clear()
    {
        _chunk.SetLength(0);
        _dictionary.Clear();
        _texts.Clear();
        _numbers.Clear();
        (_entries, _nulls, _uncompressed) = (0, 0, 0);
        (_least, _greatest, _isWithoutStatistics) = (null, null, !_withDictionary);
        (_isInDictionary, _hasDictionaryPages) = (_withDictionary, false);
    }

    /// <summary>Writes the structure SchemaElement.</summary>
    public void WriteSchema(ThriftWriter schema)
    {
        schema.Begin();
        schema.Int32(1, (int)type);
        schema.Int32(3, isOptional ? 1 : 0);
        schema.Text(4, name);
        if (type == PhysicalType.ByteArray)
        {
            schema.Int32(6, 0);
            schema.Begin(10);
            schema.Begin(1);
            schema.End();
            schema.End();
        }
        schema.End();
    }
}
