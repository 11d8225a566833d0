using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Finery.Data.Readers;

/// <summary>
/// Reads one JSON object as a document: text, id, and the metadata object with the remaining columns laid over it. Strict JSON;
/// a key twice, or half a surrogate pair, makes the row unusable. Used by one thread.
/// </summary>
internal sealed class JsonRowParser(string textKey, string idKey)
{
    private const int MaxDepth = 64;

    private readonly JsonStringDecoder _strings = new();
    private readonly List<(string Key, JsonNode? Value)> _columns = [];
    private readonly List<(byte[] Utf8, string Key)> _keys = [];
    private string? _text, _id;
    private JsonNode? _metadata;

    /// <summary>Reads a row.</summary>
    /// <param name="json">Valid UTF-8.</param>
    /// <param name="document">The document, with an empty id when the row has none; null when a reason is returned.</param>
    /// <returns>Why the row cannot be used, as a skip reason; or null.</returns>
    public string? Parse(ReadOnlySpan<byte> json, out Document? document)
    {
        document = null;
        (_text, _id, _metadata) = (null, null, null);
        _columns.Clear();
        try
        {
            if (!TryReadColumns(json) || _text is null)
                return "no_text";
            if (string.IsNullOrWhiteSpace(_text))
                return "empty_text";
            document = new Document(_id ?? "", _text) { Metadata = MergedMetadata() };
            return null;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            return "bad_json";
        }
    }

    /// <summary>Whether the row is an object; what it is not must be valid all the same.</summary>
    private bool TryReadColumns(ReadOnlySpan<byte> json)
    {
        var position = SkipSpace(json, 0);
        if (position == json.Length || json[position] != '{')
        {
            var reader = new Utf8JsonReader(json);
            while (reader.Read())
            {
            }
            return false;
        }
        bool hasText = false, hasId = false, hasMetadata = false;
        position = SkipSpace(json, position + 1);
        if (At(json, position) == '}')
            position++;
        else
            for (var isOpen = true; isOpen;)
            {
                Expect(json, ref position, '"');
                var key = Key(json, ref position);
                position = SkipSpace(json, position);
                Expect(json, ref position, ':');
                position = SkipSpace(json, position);
                if (key == textKey)
                    _text = Once(ref hasText) && At(json, position) == '"'
                        ? String(json, ref position) : Skip(json, ref position);
                else if (key == idKey)
                    _id = Once(ref hasId) && At(json, position) == '"' ? String(json, ref position) : Number(json, ref position);
                else if (key == "metadata")
                    _metadata = Once(ref hasMetadata) ? Value(json, ref position) : null;
                else
                    _columns.Add((key, Value(json, ref position)));
                position = SkipSpace(json, position);
                isOpen = At(json, position) == ',';
                if (!isOpen && json[position] != '}')
                    throw new JsonException("A comma or the end of the object is missing.");
                position = isOpen ? SkipSpace(json, position + 1) : position + 1;
            }
        if (SkipSpace(json, position) != json.Length)
            throw new JsonException("Something follows the object.");
        RequireDistinctColumns();
        return true;
    }

    private static bool Once(ref bool seen) => seen ? throw new JsonException("A key occurs twice.") : seen = true;

    private static int SkipSpace(ReadOnlySpan<byte> json, int position)
    {
        while (position < json.Length && json[position] is (byte)' ' or (byte)'\t' or (byte)'\r' or (byte)'\n')
            position++;
        return position;
    }

    private static byte At(ReadOnlySpan<byte> json, int position) =>
        position < json.Length ? json[position] : throw new JsonException("The object has no end.");

    private static void Expect(ReadOnlySpan<byte> json, ref int position, char expected)
    {
        if (At(json, position++) != expected)
            throw new JsonException($"A '{expected}' is missing.");
    }

    /// <summary>A key; those of earlier rows are found again without making a string.</summary>
    private string Key(ReadOnlySpan<byte> json, ref int position)
    {
        var end = json[position..].IndexOfAny((byte)'"', (byte)'\\');
        if (end < 0 || json[position + end] == '\\')
            return new string(_strings.Decode(json, ref position));
        var known = Known(json.Slice(position, end));
        if (known is null)
            return Remember(new string(_strings.Decode(json, ref position)));
        position += end + 1;
        return known;
    }

    private string? Known(ReadOnlySpan<byte> utf8)
    {
        foreach (var (bytes, key) in _keys)
            if (utf8.SequenceEqual(bytes))
                return key;
        return null;
    }

    private string Remember(string key)
    {
        if (_keys.Count < 64)
            _keys.Add((Encoding.UTF8.GetBytes(key), key));
        return key;
    }

    private string String(ReadOnlySpan<byte> json, ref int position)
    {
        position++;
        return new string(_strings.Decode(json, ref position));
    }

    private string? Skip(ReadOnlySpan<byte> json, ref int position)
    {
        Value(json, ref position);
        return null;
    }

    /// <summary>A number as it is written; of other values nothing.</summary>
    private string? Number(ReadOnlySpan<byte> json, ref int position)
    {
        var start = position;
        return Value(json, ref position)?.GetValueKind() == JsonValueKind.Number
            ? Encoding.ASCII.GetString(json[start..position]) : null;
    }

    private JsonNode? Value(ReadOnlySpan<byte> json, ref int position)
    {
        if (At(json, position) == '"')
            return JsonValue.Create(String(json, ref position));
        var reader = new Utf8JsonReader(json[position..], new JsonReaderOptions { MaxDepth = MaxDepth - 1 });
        reader.Read();
        var value = Node(ref reader);
        position += (int)reader.BytesConsumed;
        return value;
    }

    private JsonNode? Node(ref Utf8JsonReader reader)
    {
        switch (reader.TokenType)
        {
            case JsonTokenType.String:
                return JsonValue.Create(reader.GetString());
            case JsonTokenType.Number:
                // Keeps the digits as they are written, and converts to any type of number.
                return JsonValue.Create(JsonElement.ParseValue(ref reader));
            case JsonTokenType.True or JsonTokenType.False:
                return JsonValue.Create(reader.GetBoolean());
            case JsonTokenType.StartArray:
                var array = new JsonArray();
                while (Next(ref reader) != JsonTokenType.EndArray)
                    array.Add(Node(ref reader));
                return array;
            case JsonTokenType.StartObject:
                var fields = new JsonObject();
                while (Next(ref reader) != JsonTokenType.EndObject)
                {
                    var key = reader.ValueIsEscaped ? reader.GetString()!
                        : Known(reader.ValueSpan) ?? Remember(reader.GetString()!);
                    Next(ref reader);
                    if (!fields.TryAdd(key, Node(ref reader)))
                        throw new JsonException("A key occurs twice.");
                }
                return fields;
            default:
                return null;
        }
    }

    private static JsonTokenType Next(ref Utf8JsonReader reader) =>
        reader.Read() ? reader.TokenType : throw new JsonException("The value has no end.");

    private JsonObject MergedMetadata()
    {
        var metadata = _metadata as JsonObject ?? Embedded() ?? [];
        foreach (var (key, value) in _columns)
            metadata[key] = value;
        return metadata;
    }

    private void RequireDistinctColumns()
    {
        // Few columns are compared with one another faster than hashed; many would take for ever.
        if (_columns.Count > 16 ? _columns.DistinctBy(column => column.Key).Count() < _columns.Count : HasRepeatedColumn())
            throw new JsonException("A key occurs twice.");
    }

    private bool HasRepeatedColumn()
    {
        for (var i = 1; i < _columns.Count; i++)
            for (var j = 0; j < i; j++)
                if (_columns[i].Key == _columns[j].Key)
                    return true;
        return false;
    }

    /// <summary>Metadata given as the JSON text of an object.</summary>
    private JsonObject? Embedded() =>
        _metadata is JsonValue value && value.TryGetValue(out string? text) && text is ['{', ..] ? ParseObject(text) : null;

    /// <summary>Reads the JSON text of an object.</summary>
    /// <exception cref="JsonException">It is none.</exception>
    public JsonObject? ParseObject(string text)
    {
        var reader = new Utf8JsonReader(Encoding.UTF8.GetBytes(text), new JsonReaderOptions { MaxDepth = MaxDepth });
        reader.Read();
        var node = Node(ref reader) as JsonObject;
        return reader.Read() ? throw new JsonException("Something follows the object.") : node;
    }
}
