using System.Globalization;

namespace Finery.Data.Readers.Warc;

/// <summary>The head of one WARC record.</summary>
public sealed class WarcRecord
{
    private WarcRecord(string version, HeaderFields fields, long contentLength)
    {
        Version = version;
        Fields = fields;
        ContentLength = contentLength;
    }

    /// <summary>Such as <c>WARC/1.0</c>.</summary>
    public string Version { get; }

    /// <summary>The named fields.</summary>
    public HeaderFields Fields { get; }

    /// <summary>Bytes its block should have.</summary>
    public long ContentLength { get; }

    /// <summary>Offset in the file of the record, or of the gzip member it was met in.</summary>
    public long Offset { get; internal init; }

    /// <summary><c>response</c>, <c>conversion</c>, <c>warcinfo</c>, ..., in lower case.</summary>
    public string Type => Fields["WARC-Type"]!.ToLowerInvariant();

    /// <summary>WARC-Record-ID without its angle brackets; null if absent.</summary>
    public string? Id => Fields["WARC-Record-ID"]?.Trim('<', '>', ' ');

    /// <summary>WARC-Target-URI without angle brackets, which WARC/1.0 has in its grammar; null if absent.</summary>
    public string? TargetUri => Fields["WARC-Target-URI"]?.Trim('<', '>', ' ');

    /// <summary>Reads a head: version line, fields.</summary>
    /// <param name="head">Everything up to the blank line.</param>
    /// <param name="offset">Its place.</param>
    /// <param name="strict">Whether it must have what every record has, as when it is looked for rather than expected.</param>
    /// <returns>Null if it is no head of a record.</returns>
    internal static WarcRecord? Parse(ReadOnlySpan<byte> head, long offset, bool strict)
    {
        var lineEnd = head.IndexOf((byte)'\n');
        var version = head[..Math.Max(lineEnd, 0)].TrimEnd(" \r"u8);
        if (version.Length is < 8 or > 16 || !version.StartsWith("WARC/"u8) || version[5] is < (byte)'0' or > (byte)'9'
            || version[5..].ContainsAnyExcept("0123456789."u8))
            return null;
        var fields = HeaderFields.Parse(head[(lineEnd + 1)..]);
        if (string.IsNullOrEmpty(fields["WARC-Type"]) || fields["Content-Length"] is not { } length
            || !long.TryParse(length, NumberStyles.None, CultureInfo.InvariantCulture, out var count))
            return null;
        if (strict && (fields["WARC-Record-ID"] is null || fields["WARC-Date"] is null))
            return null;
        return new(System.Text.Encoding.ASCII.GetString(version), fields, count) { Offset = offset };
    }
}
