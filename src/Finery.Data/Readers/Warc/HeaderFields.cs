using System.Collections;
using System.Text;
using System.Text.Unicode;

namespace Finery.Data.Readers.Warc;

/// <summary>The header lines of a WARC record or an HTTP message, read leniently: names in any case, folded lines joined, lines
/// without a colon ignored, UTF-8 or else Latin-1.</summary>
public sealed class HeaderFields : IEnumerable<KeyValuePair<string, string>>
{
    private readonly List<KeyValuePair<string, string>> _fields = [];

    /// <summary>The first value of a name; null if there is none.</summary>
    public string? this[string name]
    {
        get
        {
            foreach (var (key, value) in _fields)
                if (key.Equals(name, StringComparison.OrdinalIgnoreCase))
                    return value;
            return null;
        }
    }

    /// <summary>All values of a name, joined by commas as RFC 9110 section 5.2 has it; null if there is none.</summary>
    public string? Joined(string name)
    {
        var values = _fields.Where(f => f.Key.Equals(name, StringComparison.OrdinalIgnoreCase)).Select(f => f.Value);
        return string.Join(", ", values) is { Length: > 0 } joined ? joined : null;
    }

    /// <inheritdoc/>
    public IEnumerator<KeyValuePair<string, string>> GetEnumerator() => _fields.GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    /// <summary>Reads the lines after the first one (a version or status line).</summary>
    internal static HeaderFields Parse(ReadOnlySpan<byte> lines)
    {
        var fields = new HeaderFields();
        while (lines.Length > 0)
        {
            var end = lines.IndexOf((byte)'\n');
            var line = (end < 0 ? lines : lines[..end]).TrimEnd((byte)'\r');
            lines = end < 0 ? [] : lines[(end + 1)..];
            if (line.Length > 0 && line[0] is (byte)' ' or (byte)'\t')
            {
                if (fields._fields.Count > 0)
                    fields._fields[^1] = new(fields._fields[^1].Key, $"{fields._fields[^1].Value} {Decode(line)}".Trim());
                continue;
            }
            var colon = line.IndexOf((byte)':');
            if (colon > 0)
                fields._fields.Add(new(Decode(line[..colon]), Decode(line[(colon + 1)..])));
        }
        return fields;
    }

    /// <summary>Where what follows the blank line after the headers starts; -1 if there is no blank line.</summary>
    internal static int FindEnd(ReadOnlySpan<byte> bytes)
    {
        var at = 0;
        while (true)
        {
            var end = bytes[at..].IndexOf((byte)'\n');
            if (end < 0)
                return -1;
            at += end + 1;
            if (bytes[at..] is [(byte)'\n', ..])
                return at + 1;
            if (bytes[at..] is [(byte)'\r', (byte)'\n', ..])
                return at + 2;
        }
    }

    private static string Decode(ReadOnlySpan<byte> bytes) =>
        (Utf8.IsValid(bytes) ? Encoding.UTF8 : Encoding.Latin1).GetString(bytes).Trim();
}
