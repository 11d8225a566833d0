using Finery.Data.Readers.Encodings;

namespace Finery.Data.Readers;

/// <summary>Readers for which a file is one document, and a part.</summary>
public abstract record OneFileReader : FileReader
{
    /// <summary>Files above this many bytes, decompressed, are skipped as <c>too_large</c>.</summary>
    public long MaxFileBytes { get; init; } = 64L << 20;

    /// <inheritdoc/>
    public sealed override IReadOnlyList<InputPart> Parts(long partBytes) =>
        [.. FileGlob.ExpandAll(Paths).Select(path => new InputPart(path))];

    /// <inheritdoc/>
    public sealed override DocumentCursor Open(InputPart part, ReadReport report, long position = 0) =>
        new Cursor(this, part, report, position);

    /// <summary>Makes a document of a file's content; null if there is none, which is counted then.</summary>
    private protected abstract Document? ToDocument(byte[] bytes, string path, ReadReport report);

    /// <summary>Decodes and counts what could not be decoded, or null if the file is not text.</summary>
    private protected static DecodedText? Decode(byte[] bytes, string path, bool isHtml, ReadReport report)
    {
        var decoded = TextDecoder.Decode(bytes, isHtml: isHtml);
        if (decoded.Charset == "utf-8" && bytes.AsSpan().Contains((byte)0))
        {
            report.Skip("binary_file", path);
            return null;
        }
        if (string.IsNullOrWhiteSpace(decoded.Text))
        {
            report.Skip("empty_text", path);
            return null;
        }
        if (decoded.HasErrors)
            report.Repair("invalid_encoding", path);
        return decoded;
    }

    private Document? ReadFile(string path, ReadReport report, out long fileBytes)
    {
        fileBytes = 0;
        try
        {
            var bytes = CompressedFile.ReadWhole(path, Math.Min(MaxFileBytes, Array.MaxLength), out fileBytes);
            report.CountFile();
            if (bytes is not null)
                return ToDocument(bytes, path, report) is { } document ? report.Count(document) : null;
            report.Skip("too_large", path);
        }
        catch (InvalidDataException e)
        {
            report.CountFile();
            report.Skip("damaged_file", $"{path} ({e.Message})");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            report.Skip("unreadable_file", $"{path} ({e.Message})");
        }
        return null;
    }

    private sealed class Cursor(OneFileReader reader, InputPart part, ReadReport report, long position) : DocumentCursor
    {
        private long _position = position;
        private long _bytes;

        public override long Position => _position;

        public override long BytesRead => _bytes;

        public override Document? Read()
        {
            if (_position > 0)
                return null;
            var document = reader.ReadFile(part.Path, report, out _bytes);
            _position = 1;
            return document;
        }
    }
}
