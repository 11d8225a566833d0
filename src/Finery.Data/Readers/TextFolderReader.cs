using System.Text;

namespace Finery.Data.Readers;

/// <summary>
/// Plain text files (<c>.txt</c>, <c>.md</c>, ...): one file, one document. UTF-8, or UTF-16 with a byte order mark; line ends
/// become <c>\n</c>. Binary (NUL), empty and oversized files are skipped and counted.
/// </summary>
public sealed record TextFolderReader : DocumentReader
{
    /// <summary>Files or globs.</summary>
    public IReadOnlyList<string> Paths { get; init; } = [];

    /// <summary>Files above this many bytes are skipped as <c>too_large</c>.</summary>
    public long MaxFileBytes { get; init; } = 64L << 20;

    /// <inheritdoc/>
    public override IEnumerable<Document> Read(ReadReport report)
    {
        foreach (var path in FileGlob.ExpandAll(Paths))
            if (ReadFile(path, report) is { } document)
                yield return report.Count(document);
    }

    private Document? ReadFile(string path, ReadReport report)
    {
        byte[] bytes;
        try
        {
            using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read);
            report.CountFile();
            if (file.Length > Math.Min(MaxFileBytes, Array.MaxLength))
            {
                report.Skip("too_large", path);
                return null;
            }
            bytes = new byte[file.Length];
            bytes = bytes[..file.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false)];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            report.Skip("unreadable_file", $"{path} ({e.Message})");
            return null;
        }
        var text = Decode(bytes, path, report);
        if (text is null)
            return null;
        text = text.ReplaceLineEndings("\n");
        if (string.IsNullOrWhiteSpace(text))
        {
            report.Skip("empty_text", path);
            return null;
        }
        return new Document(path.Replace('\\', '/'), text) { Metadata = { ["name"] = Path.GetFileName(path) } };
    }

    private static string? Decode(ReadOnlySpan<byte> bytes, string path, ReadReport report)
    {
        Encoding encoding = Encoding.UTF8;
        if (bytes.StartsWith<byte>([0xEF, 0xBB, 0xBF]))
            bytes = bytes[3..];
        else if (bytes.StartsWith<byte>([0xFF, 0xFE]))
            encoding = Encoding.Unicode;
        else if (bytes.StartsWith<byte>([0xFE, 0xFF]))
            encoding = Encoding.BigEndianUnicode;
        if (encoding == Encoding.UTF8 && bytes.Contains((byte)0))
        {
            report.Skip("binary_file", path);
            return null;
        }
        var text = encoding.GetString(encoding == Encoding.UTF8 ? bytes : bytes[2..]);
        if (encoding == Encoding.UTF8 ? !System.Text.Unicode.Utf8.IsValid(bytes) : text.Contains('\uFFFD'))
            report.Repair("invalid_encoding", path);
        return text;
    }
}
