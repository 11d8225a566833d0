using Finery.Data.Compression;
using Finery.Data.Readers.Remote;

namespace Finery.Data.Readers;

/// <summary>
/// JSON Lines, plain, gzip or Zstandard (<c>.jsonl</c>, <c>.jsonl.gz</c>, <c>.jsonl.zst</c>; recognised by content). A line
/// that cannot be used is skipped and counted with its place; of a damaged compressed file everything before the damage is
/// kept. Only plain files are cut into parts; a line belongs to the part in which it starts.
/// </summary>
/// <remarks>Metadata is the <c>metadata</c> object (or JSON text of one) with the remaining columns laid over it, as datatrove's
/// default adapter does. Positions are byte offsets in plain files, numbers of lines read in compressed ones.</remarks>
public sealed record JsonLinesReader : FileReader
{
    /// <summary>Key of the text.</summary>
    public string TextKey { get; init; } = "text";

    /// <summary>Key of the id; without one the id is <c>path/line</c>.</summary>
    public string IdKey { get; init; } = "id";

    /// <summary>Lines above this many bytes are skipped as <c>line_too_long</c>.</summary>
    public int MaxLineBytes { get; init; } = 64 << 20;

    /// <summary>Bounds on what compressed files may decompress to.</summary>
    public DecompressionLimits Decompression { get; init; } = new();

    /// <inheritdoc/>
    public override IReadOnlyList<InputPart> Parts(long partBytes)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(partBytes, 1);
        var parts = new List<InputPart>();
        foreach (var path in FileGlob.ExpandAll(Paths))
        {
            var length = SplittableLength(path);
            var count = Math.Max(1, length / partBytes + (length % partBytes > 0 ? 1 : 0));
            for (long i = 0; i < count; i++)
                parts.Add(new(path, i * partBytes, i == count - 1 ? long.MaxValue : (i + 1) * partBytes));
        }
        return parts;
    }

    /// <summary>0 for what cannot be split, or cannot be read: that is reported when it is opened.</summary>
    private static long SplittableLength(string path)
    {
        try
        {
            using var file = InputFile.Open(path);
            return DecompressedStream.KindOf(file) == CompressionKind.None ? file.Length : 0;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return 0;
        }
    }

    /// <inheritdoc/>
    public override DocumentCursor Open(InputPart part, ReadReport report, long position = 0)
    {
        Stream? file = null;
        try
        {
            file = InputFile.Open(part.Path);
            var cursor = new JsonLinesCursor(this, part, file, report, position);
            if (part.Start == 0 && position == 0)
                report.CountFile();
            return cursor;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            file?.Dispose();
            report.Skip("unreadable_file", $"{part.Path} ({e.Message})");
            return new EmptyCursor();
        }
    }
}
