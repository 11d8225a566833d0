namespace Finery.Data.Readers;

/// <summary>
/// Plain text files (<c>.txt</c>, <c>.md</c>, ...; gzip and Zstandard recognised by content): one file, one document. UTF-8,
/// UTF-16 with a byte order mark, or a legacy encoding found by its content; line ends become <c>\n</c>. Binary (NUL), empty,
/// damaged and oversized files are skipped and counted.
/// </summary>
public sealed record TextFolderReader : OneFileReader
{
    private protected override Document? ToDocument(byte[] bytes, string path, ReadReport report)
    {
        if (Decode(bytes, path, isHtml: false, report) is not { } decoded)
            return null;
        return new Document(path.Replace('\\', '/'), decoded.Text.ReplaceLineEndings("\n"))
        {
            Metadata = { ["name"] = Path.GetFileName(path) },
        };
    }
}
