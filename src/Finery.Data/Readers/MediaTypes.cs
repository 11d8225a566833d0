namespace Finery.Data.Readers;

/// <summary>Media types of documents.</summary>
internal static class MediaTypes
{
    public const string Html = "text/html";
    public const string Xhtml = "application/xhtml+xml";
    public const string PlainText = "text/plain";
    public const string Pdf = "application/pdf";

    private const int SniffedBytes = 1024;

    // What the WHATWG's MIME Sniffing standard takes for HTML, without its case and whitespace rules.
    private static readonly byte[][] s_htmlStarts =
    [
        .. new[]
        {
            "!doctype html", "html", "head", "script", "iframe", "h1", "div", "font", "table", "a", "style", "title", "b", "body",
            "br", "p", "meta", "!--",
        }.Select(System.Text.Encoding.ASCII.GetBytes),
    ];

    /// <summary>Type and subtype, lower case, of a Content-Type value; null if it has none.</summary>
    public static string? Of(string? contentType)
    {
        var type = (contentType ?? "").Split(';', ',')[0].Trim().ToLowerInvariant();
        return type.Contains('/') ? type : null;
    }

    /// <summary>The charset parameter of a Content-Type value; null if it has none.</summary>
    public static string? CharsetOf(string? contentType)
    {
        var at = contentType?.IndexOf("charset", StringComparison.OrdinalIgnoreCase) ?? -1;
        if (at < 0)
            return null;
        var value = contentType.AsSpan(at + "charset".Length).TrimStart();
        if (value.IsEmpty || value[0] != '=')
            return null;
        value = value[1..].Trim(" \t\"'");
        var end = value.IndexOfAny(";, \"'");
        return (end < 0 ? value : value[..end]).ToString() is { Length: > 0 } charset ? charset : null;
    }

    /// <summary>Whether a type is HTML or XHTML.</summary>
    public static bool IsHtml(string? type) => type is Html or Xhtml;

    /// <summary>The type of a body that comes without one: HTML, PDF, or null.</summary>
    public static string? Sniff(ReadOnlySpan<byte> body)
    {
        if (body.StartsWith<byte>([0xEF, 0xBB, 0xBF]))
            body = body[3..];
        body = body.TrimStart(" \t\r\n\f"u8);
        if (body.StartsWith("%PDF-"u8))
            return Pdf;
        if (body.StartsWith("<?xml"u8))
            return body[..Math.Min(body.Length, SniffedBytes)].IndexOf("<html"u8) >= 0 ? Xhtml : null;
        if (body is not [(byte)'<', ..])
            return null;
        foreach (var start in s_htmlStarts)
            if (body.Length > start.Length + 1 && System.Text.Ascii.EqualsIgnoreCase(body.Slice(1, start.Length), start)
                && (start[0] == '!' || " >\n\r\t"u8.Contains(body[start.Length + 1])))
                return Html;
        return null;
    }
}
