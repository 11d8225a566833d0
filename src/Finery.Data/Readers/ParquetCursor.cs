using System.Text.Json;
using System.Text.Json.Nodes;
using Finery.Data.Parquet;
using Finery.Data.Readers.Remote;

namespace Finery.Data.Readers;

/// <summary>Goes through row groups of a Parquet file.</summary>
internal sealed class ParquetCursor : DocumentCursor
{
    private const long FreeCharacters = 16 << 20;

    private readonly ParquetReader _reader;
    private readonly InputPart _part;
    private readonly RandomInput _file;
    private readonly ParquetFooter _footer;
    private readonly ReadReport _report;
    private readonly JsonRowParser _json = new("", "");
    private readonly string _source;
    private readonly SchemaNode _text;
    private readonly SchemaNode? _id;
    private readonly List<SchemaNode> _fields = [];
    private readonly List<RecordAssembler> _values = [];
    private readonly ColumnReader?[] _columns;
    private readonly long _firstRow, _fileBytes;
    private readonly int _endGroup;

    // The next row group; rows of the part read, and left of the group before.
    private int _group;
    private long _position, _leftInGroup;

    // Rows that the columns of the metadata are behind by.
    private long _behind;
    private long _produced, _bytesRead;

    public ParquetCursor(
        ParquetReader reader, InputPart part, RandomInput file, ParquetFooter footer, ReadReport report, long position)
    {
        (_reader, _part, _file, _footer, _report) = (reader, part, file, footer, report);
        _source = part.Path.Replace('\\', '/');
        _fileBytes = file.Length;
        _columns = new ColumnReader?[footer.Schema.Leaves.Count()];
        var fields = footer.Schema.Children.DistinctBy(field => field.Name).ToList();
        _text = fields.First(field => field.Name == reader.TextColumn);
        _id = fields.FirstOrDefault(
            field => field.Name == reader.IdColumn && field.IsFlat && field.IsSupported && field != _text);
        // The metadata come first: the other columns are laid over them.
        foreach (var field in fields.OrderBy(field => field.Name == "metadata" ? 0 : 1))
            if (field != _text && field != _id && (field.Name == "metadata" || reader.Columns?.Contains(field.Name) != false))
                if (field.IsSupported)
                    _fields.Add(field);
                else if (part.Start == 0 && position == 0)
                    report.Skip("unsupported_column", $"{part.Path} ({field.Name})");
        _endGroup = (int)Math.Min(part.End, footer.RowGroups.Count);
        _group = (int)Math.Min(part.Start, footer.RowGroups.Count);
        _firstRow = footer.RowGroups.Take(_group).Sum(group => group.Rows);
        for (; _group < _endGroup && _position + footer.RowGroups[_group].Rows <= position; _group++)
            _position += footer.RowGroups[_group].Rows;
        if (_position < position)
            SkipInGroup(position - _position);
    }

    /// <inheritdoc/>
    public override long Position => _position;

    /// <inheritdoc/>
    public override long BytesRead => _bytesRead + _columns.Sum(column => column?.BytesRead ?? 0);

    /// <inheritdoc/>
    public override Document? Read()
    {
        while (_leftInGroup > 0 || _group < _endGroup)
        {
            try
            {
                if (_leftInGroup == 0)
                    OpenGroup();
                else if (ReadRow() is { } document)
                    return _report.Count(document);
            }
            catch (Exception e) when (e is InvalidDataException or IOException or OverflowException)
            {
                _report.Skip("damaged_file", $"{_part.Path}: row {_firstRow + _position} ({e.Message})");
                _position += _leftInGroup;
                _leftInGroup = 0;
            }
        }
        return null;
    }

    private void SkipInGroup(long rows)
    {
        try
        {
            OpenGroup();
            for (var i = 0L; i < rows; i++)
                _columns[_text.Column]!.MoveNext();
            for (var i = 0L; i < rows && _id is not null; i++)
                _columns[_id.Column]!.MoveNext();
            _behind = rows;
            _leftInGroup -= rows;
            _position += rows;
        }
        catch (Exception e) when (e is InvalidDataException or IOException)
        {
            _report.Skip("damaged_file", $"{_part.Path}: row {_firstRow + _position} ({e.Message})");
            _position += _leftInGroup;
            _leftInGroup = 0;
        }
    }

    private void OpenGroup()
    {
        var group = _footer.RowGroups[_group++];
        _bytesRead = BytesRead;
        _leftInGroup = group.Rows;
        _behind = 0;
        _values.Clear();
        Array.Clear(_columns);
        foreach (var leaf in Leaves())
            _columns[leaf.Column] = new ColumnReader(_file, leaf, group.Columns[leaf.Column], _reader.MaxPageBytes);
        foreach (var field in _fields)
        {
            // What repeats must be looked ahead in: the columns of the metadata stand at the row, text and id before it.
            foreach (var leaf in field.Leaves)
                _columns[leaf.Column]!.MoveNext();
            _values.Add(new RecordAssembler(field, _columns));
        }
    }

    private IEnumerable<SchemaNode> Leaves() =>
        _fields.SelectMany(field => field.Leaves).Append(_text).Concat(_id is null ? [] : [_id]);

    private Document? ReadRow()
    {
        var text = Next(_text).Text(out var isRepaired);
        var id = _id is null ? null : Id(Next(_id));
        var row = _firstRow + _position;
        if (string.IsNullOrWhiteSpace(text))
        {
            EndRow();
            _behind++;
            _report.Skip("empty_text", $"{_part.Path}: row {row}");
            return null;
        }
        _produced += text.Length;
        if (_reader.MaxRatio > 0 && _produced > FreeCharacters && _produced > _reader.MaxRatio * _fileBytes)
            throw new InvalidDataException($"the text is more than {_reader.MaxRatio} times as long as the file. Raise the ratio "
                + "allowed if the file can be trusted");
        var metadata = Metadata(row);
        EndRow();
        if (isRepaired)
            _report.Repair("invalid_encoding", $"{_part.Path}: row {row}");
        return new Document(string.IsNullOrEmpty(id) ? $"{_source}/{row}" : id, text) { Metadata = metadata };
    }

    private void EndRow()
    {
        _position++;
        _leftInGroup--;
    }

    private ColumnReader Next(SchemaNode leaf)
    {
        var column = _columns[leaf.Column]!;
        column.MoveNext();
        return column.IsAtEnd ? throw new InvalidDataException("a column has fewer values than rows") : column;
    }

    private string? Id(ColumnReader column) =>
        _id!.Type == PhysicalType.ByteArray ? column.Text(out _) : column.Node()?.ToString();

    private JsonObject Metadata(long row)
    {
        foreach (var leaf in _fields.SelectMany(field => field.Leaves))
            for (var i = 0L; i < _behind; i++)
                PassRow(_columns[leaf.Column]!);
        _behind = 0;
        var metadata = new JsonObject();
        for (var i = 0; i < _fields.Count; i++)
        {
            var value = _values[i].Next();
            if (_fields[i].Name == "metadata")
                metadata = Given(value, row);
            else if (value is not null)
                metadata[_fields[i].Name] = value;
        }
        return metadata;
    }

    private static void PassRow(ColumnReader column)
    {
        do
            column.MoveNext();
        while (!column.IsAtEnd && column.Repetition > 0);
    }

    /// <summary>The metadata column: a structure, whose empty fields are left out, or JSON text of an object.</summary>
    private JsonObject Given(JsonNode? value, long row)
    {
        if (value is JsonObject fields)
        {
            foreach (var (key, _) in fields.Where(pair => pair.Value is null).ToList())
                fields.Remove(key);
            return fields;
        }
        if (value is not JsonValue text || !text.TryGetValue(out string? json) || json is not ['{', ..])
            return [];
        try
        {
            return _json.ParseObject(json) ?? [];
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            _report.Repair("bad_metadata", $"{_part.Path}: row {row}");
            return [];
        }
    }

    /// <inheritdoc/>
    public override void Dispose()
    {
        _file.Dispose();
        base.Dispose();
    }
}
