using System.Buffers.Binary;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Finery.Data.Parquet;

namespace Finery.Data.Writers;

/// <summary>
/// Writes documents as Parquet with the columns of FineWeb: <c>text</c> and <c>id</c>, then those values of the metadata that
/// have a column of their type, and all others as the text of a JSON object in <c>metadata</c>.
/// </summary>
public sealed class ParquetWriter : SingleFileWriter
{
    private const long RowGroupTextBytes = 64 << 20;

    private static readonly (string Name, PhysicalType Type)[] s_fields =
    [
        ("dump", PhysicalType.ByteArray), ("url", PhysicalType.ByteArray), ("date", PhysicalType.ByteArray),
        ("file_path", PhysicalType.ByteArray), ("language", PhysicalType.ByteArray), ("language_score", PhysicalType.Double),
        ("token_count", PhysicalType.Int64), ("score", PhysicalType.Double), ("int_score", PhysicalType.Int64),
        ("language_script", PhysicalType.ByteArray), ("minhash_cluster_size", PhysicalType.Int64),
    ];

    private readonly JsonRowWriter _json = new();
    private readonly ColumnWriter _text, _id, _metadata;
    private readonly ColumnWriter[] _fields;
    private readonly List<byte[]> _rowGroups = [];
    private readonly HashSet<string> _placed = new(StringComparer.Ordinal);
    private readonly ThriftWriter _thrift = new();
    private long _rows, _rowsInGroup, _textBytes;

    /// <summary>Starts the file; its folder is created if need be.</summary>
    /// <param name="path">The file.</param>
    /// <param name="codec">Compression of its pages.</param>
    public ParquetWriter(string path, ParquetCodec codec = ParquetCodec.Snappy)
        : this(path, codec, null)
    {
    }

    internal ParquetWriter(string path, ParquetCodec codec, JsonObject? checkpoint)
        : base(path, checkpoint)
    {
        var compressor = new PageCompressor(codec);
        _text = new ColumnWriter("text", PhysicalType.ByteArray, isOptional: false, withDictionary: false, compressor);
        _id = new ColumnWriter("id", PhysicalType.ByteArray, isOptional: false, withDictionary: false, compressor);
        _fields =
        [
            .. s_fields.Select(field =>
                new ColumnWriter(field.Name, field.Type, isOptional: true, withDictionary: true, compressor)),
        ];
        _metadata = new ColumnWriter("metadata", PhysicalType.ByteArray, isOptional: true, withDictionary: false, compressor);
        if (checkpoint is null)
            Output.Write("PAR1"u8);
        else
            foreach (var group in (JsonArray)checkpoint["row_groups"]!)
                _rowGroups.Add(Convert.FromBase64String((string)group!));
        _rows = Count;
    }

    private IEnumerable<ColumnWriter> Columns => [_text, _id, .. _fields, _metadata];

    internal override long Length => base.Length + Columns.Sum(column => column.PendingBytes);

    /// <inheritdoc/>
    public override void Write(Document document, string? filterReason = null)
    {
        _text.Add(document.Text);
        _id.Add(document.Id);
        _placed.Clear();
        foreach (var column in _fields)
            if (document.Metadata.TryGetPropertyValue(column.Name, out var value) && TryAdd(column, value))
                _placed.Add(column.Name);
            else
                column.AddNull();
        var rest = document.Metadata.Count - _placed.Count;
        if (rest > 0 || filterReason is not null)
            _metadata.Add(_json.Metadata(document.Metadata, filterReason, key => !_placed.Contains(key)));
        else
            _metadata.AddNull();
        Count++;
        _rows++;
        _rowsInGroup++;
        _textBytes += document.Text.Length;
        if (_textBytes >= RowGroupTextBytes)
            EndBlock();
    }

    /// <summary>False for a value that the column's type cannot hold.</summary>
    private static bool TryAdd(ColumnWriter column, JsonNode? value)
    {
        var kind = value?.GetValueKind() ?? JsonValueKind.Null;
        if (column.Type == PhysicalType.ByteArray)
        {
            if (kind != JsonValueKind.String)
                return false;
            column.Add(value!.ToString());
            return true;
        }
        if (kind != JsonValueKind.Number)
            return false;
        var digits = value!.ToJsonString();
        if (column.Type == PhysicalType.Int64)
        {
            if (!long.TryParse(digits, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var integer))
                return false;
            column.Add(integer);
            return true;
        }
        if (!double.TryParse(digits, NumberStyles.Float, CultureInfo.InvariantCulture, out var real) || !double.IsFinite(real))
            return false;
        column.Add(real);
        return true;
    }

    private protected override void EndBlock()
    {
        if (_rowsInGroup == 0)
            return;
        var start = Output.Position;
        _thrift.Clear();
        _thrift.Begin();
        _thrift.List(1, ThriftType.Struct, _fields.Length + 3);
        long uncompressed = 0, compressed = 0;
        foreach (var column in Columns)
        {
            var (before, after) = column.Flush(Output, _thrift);
            uncompressed += before;
            compressed += after;
        }
        _thrift.Int64(2, uncompressed);
        _thrift.Int64(3, _rowsInGroup);
        _thrift.Int64(5, start);
        _thrift.Int64(6, compressed);
        _thrift.End();
        _rowGroups.Add(_thrift.Written.ToArray());
        (_rowsInGroup, _textBytes) = (0, 0);
    }

    private protected override void AddState(JsonObject state) =>
        state["row_groups"] = new JsonArray([.. _rowGroups.Select(group => JsonValue.Create(Convert.ToBase64String(group)))]);

    /// <summary>Writes the footer.</summary>
    private protected override void EndFile()
    {
        _thrift.Clear();
        _thrift.Int32(1, 1);
        _thrift.List(2, ThriftType.Struct, _fields.Length + 4);
        _thrift.Begin();
        _thrift.Text(4, "schema");
        _thrift.Int32(5, _fields.Length + 3);
        _thrift.End();
        foreach (var column in Columns)
            column.WriteSchema(_thrift);
        _thrift.Int64(3, _rows);
        _thrift.List(4, ThriftType.Struct, _rowGroups.Count);
        foreach (var group in _rowGroups)
            _thrift.Element(group);
        _thrift.Text(6, "Finery");
        // Bounds are in the order of each column's type.
        _thrift.List(7, ThriftType.Struct, _fields.Length + 3);
        for (var i = 0; i < _fields.Length + 3; i++)
        {
            _thrift.Begin();
            _thrift.Begin(1);
            _thrift.End();
            _thrift.End();
        }
        _thrift.End();
        Output.Write(_thrift.Written);
        Span<byte> end = stackalloc byte[8];
        BinaryPrimitives.WriteInt32LittleEndian(end, _thrift.Written.Length);
        "PAR1"u8.CopyTo(end[4..]);
        Output.Write(end);
    }

    /// <inheritdoc/>
    public override void Dispose()
    {
        _json.Dispose();
        base.Dispose();
    }
}
