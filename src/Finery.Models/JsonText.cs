using System.Text;
using System.Text.Json;

namespace Finery.Models;

/// <summary>The text of a JSON object as it was read. Values can be replaced in it while everything else, white space and spelling of
/// numbers included, stays byte for byte.</summary>
internal sealed class JsonText
{
    private readonly byte[] _text;
    private readonly OrderedDictionary<string, Range> _values = new(StringComparer.Ordinal);

    /// <exception cref="JsonException">Not JSON.</exception>
    /// <exception cref="InvalidDataException">Not an object.</exception>
    public JsonText(ReadOnlySpan<byte> text)
    {
        _text = text.ToArray();
        var json = new Utf8JsonReader(_text);
        if (!json.Read() || json.TokenType != JsonTokenType.StartObject) throw new InvalidDataException("not a JSON object.");
        while (json.Read() && json.TokenType == JsonTokenType.PropertyName)
        {
            string key = json.GetString()!;
            json.Read();
            int start = (int)json.TokenStartIndex;
            json.Skip();
            // The last of equal keys counts, as in every JSON reader.
            _values[key] = start..(int)json.BytesConsumed;
        }
        json.Read();
    }

    /// <summary>Whether there is such a key.</summary>
    public bool Has(string key) => _values.ContainsKey(key);

    /// <summary>The text with the values that have changed; unchanged, the very bytes. With any change, keys that are not there yet are
    /// appended, since an absent key's default may depend on another.</summary>
    /// <param name="before">Values as they would have been written when this was read.</param>
    /// <param name="now">Values as they would be written.</param>
    /// <param name="notAdded">Keys that are replaced but not appended.</param>
    public byte[] Merged(
        OrderedDictionary<string, string> before, OrderedDictionary<string, string> now, IReadOnlyCollection<string> notAdded)
    {
        var changed = now.Where(value => before.GetValueOrDefault(value.Key) != value.Value).ToDictionary(StringComparer.Ordinal);
        foreach (string key in before.Keys.Where(key => !now.ContainsKey(key) && Has(key))) changed[key] = "null";
        return changed.Count == 0 ? _text : With(changed, [.. now.Where(value => !Has(value.Key) && !notAdded.Contains(value.Key))]);
    }

    private byte[] With(IReadOnlyDictionary<string, string> changed, IReadOnlyList<KeyValuePair<string, string>> added)
    {
        using var text = new MemoryStream();
        int at = 0;
        foreach (var (key, range) in _values.OrderBy(value => value.Value.Start.Value))
        {
            if (!changed.TryGetValue(key, out string? value)) continue;
            text.Write(_text.AsSpan(at..range.Start));
            text.Write(Encoding.UTF8.GetBytes(value));
            at = range.End.Value;
        }
        if (added.Count > 0)
        {
            int end = _values.Count > 0 ? _values.Max(value => value.Value.End.Value) : _text.AsSpan().IndexOf((byte)'{') + 1;
            text.Write(_text.AsSpan(at..end));
            at = end;
            string indent = _text.AsSpan().Contains((byte)'\n') ? "\n  " : " ";
            for (int i = 0; i < added.Count; i++)
            {
                string separator = i > 0 || _values.Count > 0 ? "," : "";
                text.Write(Encoding.UTF8.GetBytes($"{separator}{indent}\"{added[i].Key}\": {added[i].Value}"));
            }
        }
        text.Write(_text.AsSpan(at..));
        return text.ToArray();
    }

    /// <summary>Top-level values of a JSON object by key, as written.</summary>
    public static OrderedDictionary<string, string> Values(string json)
    {
        using var document = JsonDocument.Parse(json);
        var values = new OrderedDictionary<string, string>(StringComparer.Ordinal);
        foreach (var property in document.RootElement.EnumerateObject()) values[property.Name] = property.Value.GetRawText();
        return values;
    }
}
