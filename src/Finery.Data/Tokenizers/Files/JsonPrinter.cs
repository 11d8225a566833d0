using System.Globalization;
using System.Text;
using System.Text.Json;

namespace Finery.Data.Tokenizers;

/// <summary>Writes JSON exactly as HF's libraries print it: two spaces, a line per item, non-ASCII characters as they are.
/// (System.Text.Json escapes some of them whatever the encoder, which would break byte-identical round trips.)</summary>
internal sealed class JsonPrinter
{
    private readonly StringBuilder _text = new();
    private int _depth;
    private bool _isFirst = true;

    public JsonPrinter Open(char bracket)
    {
        _text.Append(bracket);
        _depth++;
        _isFirst = true;
        return this;
    }

    public JsonPrinter Close(char bracket)
    {
        _depth--;
        if (!_isFirst) NewLine();
        _text.Append(bracket);
        _isFirst = false;
        return this;
    }

    /// <summary>Begins the next item of an array.</summary>
    public JsonPrinter Item()
    {
        if (!_isFirst) _text.Append(',');
        _isFirst = false;
        NewLine();
        return this;
    }

    /// <summary>Begins the next property of an object.</summary>
    public JsonPrinter Key(string name)
    {
        Item();
        AppendQuoted(_text, name);
        _text.Append(": ");
        return this;
    }

    public JsonPrinter Value(string? value)
    {
        if (value is null) _text.Append("null");
        else AppendQuoted(_text, value);
        return this;
    }

    public JsonPrinter Value(bool value) => Raw(value ? "true" : "false");

    public JsonPrinter Value(long value) => Raw(value.ToString(CultureInfo.InvariantCulture));

    public JsonPrinter Value(JsonElement value)
    {
        switch (value.ValueKind)
        {
            case JsonValueKind.Object:
                Open('{');
                foreach (JsonProperty property in value.EnumerateObject()) Key(property.Name).Value(property.Value);
                return Close('}');
            case JsonValueKind.Array:
                Open('[');
                foreach (JsonElement item in value.EnumerateArray()) Item().Value(item);
                return Close(']');
            case JsonValueKind.String:
                return Value(value.GetString());
            default:
                return Raw(value.GetRawText());
        }
    }

    public override string ToString() => _text.ToString();

    public static string Quote(string value)
    {
        var text = new StringBuilder();
        AppendQuoted(text, value);
        return text.ToString();
    }

    private JsonPrinter Raw(string value)
    {
        _text.Append(value);
        return this;
    }

    private void NewLine() => _text.Append('\n').Append(' ', 2 * _depth);

    private static void AppendQuoted(StringBuilder text, string value)
    {
        text.Append('"');
        foreach (char c in value)
        {
            _ = c switch
            {
                '"' => text.Append("\\\""),
                '\\' => text.Append("\\\\"),
                '\b' => text.Append("\\b"),
                '\f' => text.Append("\\f"),
                '\n' => text.Append("\\n"),
                '\r' => text.Append("\\r"),
                '\t' => text.Append("\\t"),
                < ' ' => text.Append(CultureInfo.InvariantCulture, $"\\u{(int)c:x4}"),
                _ => text.Append(c),
            };
        }
        text.Append('"');
    }
}
