using System.Text;

namespace Finery.Data.Readers.Encodings;

/// <summary>The charset a page declares for itself, found without parsing it (HTML Standard, section 13.2.3.2,
/// simplified).</summary>
internal static class MetaCharset
{
    /// <summary>The standard's name of the encoding declared in a <c>meta</c> element or an XML declaration; null if there is
    /// none that is known.</summary>
    /// <param name="head">The first bytes of the page.</param>
    public static string? Find(ReadOnlySpan<byte> head)
    {
        var text = Encoding.Latin1.GetString(head);
        if (text.StartsWith("<?xml", StringComparison.Ordinal) && text.IndexOf("?>", StringComparison.Ordinal) is > 0 and var end
            && ValueAfter(text.AsSpan(0, end), "encoding") is { } xml && AsPage(EncodingLabels.NameOf(xml)) is { } named)
            return named;
        var at = 0;
        while ((at = text.IndexOf('<', at)) >= 0)
        {
            if (string.CompareOrdinal(text, at, "<!--", 0, 4) == 0)
            {
                at = text.IndexOf("-->", at + 4, StringComparison.Ordinal);
                if (at < 0)
                    return null;
                continue;
            }
            var close = text.IndexOf('>', at);
            var element = text.AsSpan(at, (close < 0 ? text.Length : close) - at);
            at++;
            if (element.StartsWith("<meta", StringComparison.OrdinalIgnoreCase)
                && ValueAfter(element, "charset") is { } label && AsPage(EncodingLabels.NameOf(label)) is { } name)
                return name;
        }
        return null;
    }

    /// <summary>What could be read byte by byte was not UTF-16, whatever it says.</summary>
    private static string? AsPage(string? name) => name is "utf-16le" or "utf-16be" ? "utf-8" : name;

    /// <summary>The value after <paramref name="key"/> and an equals sign, quoted or not, as in both <c>charset=x</c> and
    /// <c>content="text/html; charset=x"</c>.</summary>
    private static string? ValueAfter(ReadOnlySpan<char> element, string key)
    {
        for (var at = element.IndexOf(key, StringComparison.OrdinalIgnoreCase); at >= 0;)
        {
            var rest = element[(at + key.Length)..].TrimStart();
            if (rest.Length > 1 && rest[0] == '=')
            {
                rest = rest[1..].TrimStart().TrimStart("\"'");
                var end = rest.IndexOfAny(" \t\r\n\"';/>");
                return (end < 0 ? rest : rest[..end]).ToString();
            }
            var next = element[(at + key.Length)..].IndexOf(key, StringComparison.OrdinalIgnoreCase);
            at = next < 0 ? -1 : at + key.Length + next;
        }
        return null;
    }
}
