using System.Globalization;

namespace Finery.Data.Readers.Warc;

/// <summary>An HTTP response as it came over the wire.</summary>
/// <param name="Status">Status code.</param>
/// <param name="Fields">Headers.</param>
/// <param name="Body">Body, still encoded.</param>
internal readonly record struct HttpMessage(int Status, HeaderFields Fields, ReadOnlyMemory<byte> Body)
{
    /// <summary>Reads a status line (of any HTTP version, with or without a reason) and headers.</summary>
    /// <returns>False if there is no status line.</returns>
    public static bool TryParse(ReadOnlyMemory<byte> block, out HttpMessage message)
    {
        message = default;
        var bytes = block.Span;
        if (!bytes.StartsWith("HTTP"u8))
            return false;
        var lineEnd = bytes.IndexOf((byte)'\n');
        var line = lineEnd < 0 ? bytes : bytes[..lineEnd];
        var space = line.IndexOf((byte)' ');
        var code = space < 0 ? [] : line[space..].TrimStart((byte)' ');
        if (!int.TryParse(code[..Math.Min(3, code.Length)], NumberStyles.None, CultureInfo.InvariantCulture, out var status))
            return false;
        var end = HeaderFields.FindEnd(bytes);
        var body = end < 0 ? default : block[end..];
        // The crawl CC-MAIN-2018-34 has one line end too many here; in front of text it means nothing.
        if (body.Span.StartsWith("\r\n"u8))
            body = body[2..];
        message = new(status, HeaderFields.Parse(bytes[(lineEnd + 1)..(end < 0 ? bytes.Length : end)]), body);
        return true;
    }
}
