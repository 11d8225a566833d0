using Finery.Data.Parquet;
using Finery.Data.Readers.Remote;

namespace Finery.Data.Readers;

/// <summary>
/// Parquet files as Arrow, DuckDB, Polars and Finery write them: pages of version 1 and 2; no compression, Snappy, gzip, Brotli
/// or Zstandard; all current encodings; nested columns. Row groups are streamed, and are what parts are made of. Of a damaged
/// row group the rows before the damage are kept.
/// </summary>
/// <remarks>
/// Metadata is the <c>metadata</c> column (a structure, or JSON text of an object) with the other columns laid over it by their
/// types; empty values are left out. Dates and times become ISO 8601 text, binary values Base64. Columns of types that Finery
/// does not read (INT96, DECIMAL) are left out and counted. Positions are numbers of rows.
/// </remarks>
public sealed record ParquetReader : FileReader
{
    /// <summary>Column of the text.</summary>
    public string TextColumn { get; init; } = "text";

    /// <summary>Column of the id; without one the id is <c>path/row</c>, counted from 0.</summary>
    public string IdColumn { get; init; } = "id";

    /// <summary>Columns that go into the metadata; null for all.</summary>
    public IReadOnlyList<string>? Columns { get; init; }

    /// <summary>Larger pages, in bytes before and after decompression, are refused.</summary>
    public int MaxPageBytes { get; init; } = 256 << 20;

    /// <summary>Most bytes of text for a byte of file, once there are 16 MiB of it; 0 for any ratio. A dictionary can repeat a
    /// long text for nothing.</summary>
    public double MaxRatio { get; init; } = 200;

    /// <inheritdoc/>
    public override IReadOnlyList<InputPart> Parts(long partBytes)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(partBytes, 1);
        return [.. FileGlob.ExpandAll(Paths).SelectMany(path => PartsOf(path, partBytes))];
    }

    private static IEnumerable<InputPart> PartsOf(string path, long partBytes)
    {
        var starts = partBytes < long.MaxValue ? RowGroupStarts(path) : [];
        var first = 0;
        for (var i = 1; i < starts.Count; i++)
            if (starts[i] - starts[first] >= partBytes)
            {
                yield return new InputPart(path, first, i);
                first = i;
            }
        yield return new InputPart(path, first);
    }

    /// <summary>Empty for what cannot be read: that is reported when it is opened.</summary>
    private static List<long> RowGroupStarts(string path)
    {
        try
        {
            using var file = RandomInput.Open(path);
            return [.. ParquetFooter.Read(file).RowGroups.Select(group => group.Columns.Min(column => column.Start))];
        }
        catch (Exception e)
            when (e is IOException or UnauthorizedAccessException or InvalidDataException or InvalidOperationException)
        {
            return [];
        }
    }

    /// <inheritdoc/>
    public override DocumentCursor Open(InputPart part, ReadReport report, long position = 0)
    {
        RandomInput? file = null;
        try
        {
            file = RandomInput.Open(part.Path);
            var footer = ParquetFooter.Read(file);
            if (part.Start == 0 && position == 0)
                report.CountFile();
            var text = footer.Schema.Children.FirstOrDefault(field => field.Name == TextColumn);
            if (text is { IsFlat: true, Type: PhysicalType.ByteArray })
                return new ParquetCursor(this, part, file, footer, report, position);
            report.Skip("no_text", $"{part.Path} (no text column '{TextColumn}' among: "
                + $"{string.Join(", ", footer.Schema.Children.Select(field => field.Name))})");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or InvalidDataException)
        {
            report.Skip(e is InvalidDataException ? "damaged_file" : "unreadable_file", $"{part.Path} ({e.Message})");
        }
        file?.Dispose();
        return new EmptyCursor();
    }
}
