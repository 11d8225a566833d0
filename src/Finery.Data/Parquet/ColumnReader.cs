using System.Buffers.Binary;
using System.Globalization;
using System.Numerics;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Unicode;
using Finery.Data.Compression;
using Finery.Data.Readers.Remote;

namespace Finery.Data.Parquet;

/// <summary>Goes through the entries of a column in a row group: values, and the places where there is none.</summary>
internal sealed class ColumnReader
{
    private readonly SchemaNode _leaf;
    private readonly ColumnChunk _chunk;
    private readonly ColumnPages _pages;
    private byte[] _page = [];
    private ZstdReadStream? _zstd;
    private DictionaryPage? _dictionary;
    private ValueReader? _values;
    private HybridReader _definitions, _repetitions;
    private long _left;
    private int _leftInPage;
    private bool _isUnread;

    public ColumnReader(RandomInput file, SchemaNode leaf, ColumnChunk chunk, int maxPageBytes)
    {
        (_leaf, _chunk, _left) = (leaf, chunk, chunk.Values);
        var end = file.Length - 8;
        if (chunk.Start < 4 || chunk.Start > end)
            throw new InvalidDataException($"Damaged Parquet file: column '{leaf.Name}' lies outside the file.");
        if (!PageCodec.IsReadable(chunk.Codec))
            throw new InvalidDataException(
                $"Column '{leaf.Name}' of the Parquet file is compressed by {PageCodec.Name(chunk.Codec)}, "
                + "which Finery does not read.");
        _pages = new ColumnPages(file, chunk.Start, end, maxPageBytes);
    }

    /// <summary>Bytes read from the file.</summary>
    public long BytesRead => _pages.BytesRead;

    /// <summary>Whether the entries are used up.</summary>
    public bool IsAtEnd { get; private set; }

    /// <summary>How much of the path to the value is there.</summary>
    public int Definition { get; private set; }

    /// <summary>At which level the entry repeats; 0 begins a row.</summary>
    public int Repetition { get; private set; }

    /// <summary>Whether the entry has a value.</summary>
    public bool HasValue => Definition == _leaf.Definition;

    /// <summary>Goes to the next entry; the first call goes to the first.</summary>
    public void MoveNext()
    {
        if (_isUnread)
        {
            _isUnread = false;
            _values!.Skip(_leaf.Type);
        }
        if (_left == 0)
        {
            IsAtEnd = true;
            Repetition = 0;
            return;
        }
        while (_leftInPage == 0)
            ReadPage();
        _left--;
        _leftInPage--;
        Repetition = _leaf.RepetitionLevel == 0 ? 0 : _repetitions.Next();
        Definition = _leaf.Definition == 0 ? 0 : _definitions.Next();
        if (Definition > _leaf.Definition || Repetition > _leaf.RepetitionLevel)
            throw new InvalidDataException("Damaged Parquet page: a level is too high.");
        _isUnread = HasValue;
    }

    /// <summary>The text of the entry, once; null where there is none.</summary>
    /// <param name="isRepaired">Whether it was not valid UTF-8.</param>
    public string? Text(out bool isRepaired)
    {
        isRepaired = false;
        if (!_isUnread)
            return null;
        _isUnread = false;
        var bytes = _values!.Bytes();
        isRepaired = !Utf8.IsValid(bytes);
        return Encoding.UTF8.GetString(bytes);
    }

    /// <summary>The value of the entry as JSON, once; null where there is none.</summary>
    public JsonNode? Node()
    {
        if (!_isUnread)
            return null;
        _isUnread = false;
        switch (_leaf.Type)
        {
            case PhysicalType.Boolean:
                return JsonValue.Create(_values!.Integer() != 0);
            case PhysicalType.Int32 or PhysicalType.Int64:
                return Integer(_values!.Integer());
            case PhysicalType.Float:
                var single = (float)_values!.Real();
                return float.IsFinite(single) ? Number(single.ToString("R", CultureInfo.InvariantCulture)) : null;
            case PhysicalType.Double:
                var real = _values!.Real();
                return double.IsFinite(real) ? Number(real.ToString("R", CultureInfo.InvariantCulture)) : null;
            default:
                if (_leaf.Meaning == Meaning.Text)
                    return JsonValue.Create(_values!.Text());
                var bytes = _values!.Bytes();
                return JsonValue.Create(Utf8.IsValid(bytes) ? Encoding.UTF8.GetString(bytes) : Convert.ToBase64String(bytes));
        }
    }

    private JsonNode? Integer(long value) => _leaf.Meaning switch
    {
        Meaning.Date when Math.Abs(value) < 700_000 =>
            JsonValue.Create(DateTime.UnixEpoch.AddDays(value).ToString("yyyy-MM-dd", CultureInfo.InvariantCulture)),
        Meaning.Milliseconds => Time(value, 1, 10_000),
        Meaning.Microseconds => Time(value, 1, 10),
        Meaning.Nanoseconds => Time(value, 100, 1),
        Meaning.Unsigned => Number(
            (_leaf.Type == PhysicalType.Int32 ? (uint)value : (ulong)value).ToString(CultureInfo.InvariantCulture)),
        _ => Number(value.ToString(CultureInfo.InvariantCulture)),
    };

    private static JsonNode? Time(long value, long divisor, long ticks)
    {
        var time = (BigInteger)(value / divisor) * ticks + DateTime.UnixEpoch.Ticks;
        return time >= 0 && time <= DateTime.MaxValue.Ticks
            ? JsonValue.Create(new DateTime((long)time, DateTimeKind.Utc)
                .ToString("yyyy-MM-ddTHH:mm:ss.FFFFFFFZ", CultureInfo.InvariantCulture))
            : Number(value.ToString(CultureInfo.InvariantCulture));
    }

    /// <summary>As a number of a JSON file is, it can be converted to any type of number.</summary>
    private static JsonValue? Number(string digits)
    {
        using var json = JsonDocument.Parse(digits);
        return JsonValue.Create(json.RootElement.Clone());
    }

    private void ReadPage()
    {
        var header = _pages.Next(out var body);
        switch (header.Kind)
        {
            case 0:
                PageCodec.Decompress(_chunk.Codec, body, header.Uncompressed, ref _page, ref _zstd);
                BeginFirst(header);
                break;
            case 2 when _dictionary is null && _values is null:
                byte[] values = [];
                PageCodec.Decompress(_chunk.Codec, body, header.Uncompressed, ref values, ref _zstd);
                _dictionary = new DictionaryPage(_leaf, values, header.Uncompressed, header.Values);
                break;
            case 3:
                BeginSecond(header, body);
                break;
            case 1:
                break;
            default:
                throw new InvalidDataException(
                    "Damaged Parquet file: a page is of unknown type, or a dictionary stands where none may.");
        }
    }

    /// <summary>A page of version 1: levels with their lengths, then values, all compressed.</summary>
    private void BeginFirst(PageHeader header)
    {
        int position = 0, end = header.Uncompressed;
        if (_leaf.RepetitionLevel > 0)
            _repetitions = Levels(header.RepetitionEncoding, _leaf.RepetitionLevel, ref position, end);
        if (_leaf.Definition > 0)
            _definitions = Levels(header.DefinitionEncoding, _leaf.Definition, ref position, end);
        BeginValues(header, position, end);
    }

    private HybridReader Levels(int encoding, int highest, ref int position, int end)
    {
        if (encoding != 3)
            throw new InvalidDataException($"Column '{_leaf.Name}' of the Parquet file has levels of encoding {encoding}, "
                + "which Finery does not read.");
        if (end - position < 4)
            throw new InvalidDataException("Damaged Parquet page: its levels are cut off.");
        var length = BinaryPrimitives.ReadUInt32LittleEndian(_page.AsSpan(position));
        if (length > end - position - 4)
            throw new InvalidDataException("Damaged Parquet page: its levels are cut off.");
        position += 4 + (int)length;
        return new HybridReader(_page, position - (int)length, position, Width(highest));
    }

    private static int Width(int highest) => BitOperations.Log2((uint)highest) + 1;

    /// <summary>A page of version 2: levels as they are, then values, which may be compressed.</summary>
    private void BeginSecond(PageHeader header, ReadOnlySpan<byte> body)
    {
        long levels = (long)header.RepetitionBytes + header.DefinitionBytes;
        if (header.RepetitionBytes < 0 || header.DefinitionBytes < 0 || levels > body.Length || levels > header.Uncompressed)
            throw new InvalidDataException("Damaged Parquet page: its levels are cut off.");
        PageCodec.Decompress(header.IsCompressed && body.Length > levels ? _chunk.Codec : 0, body[(int)levels..],
            header.Uncompressed - (int)levels, ref _page, ref _zstd);
        var copy = body[..(int)levels].ToArray();
        _repetitions = new HybridReader(copy, 0, header.RepetitionBytes, Width(_leaf.RepetitionLevel));
        _definitions = new HybridReader(copy, header.RepetitionBytes, (int)levels, Width(_leaf.Definition));
        BeginValues(header, 0, header.Uncompressed - (int)levels);
    }

    private void BeginValues(PageHeader header, int start, int end)
    {
        _values = ValueReader.Create(header.Encoding, _leaf, _page, start, end, header.Values, _dictionary);
        _leftInPage = (int)Math.Min(header.Values, _left);
    }
}
