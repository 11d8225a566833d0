using Finery.Data.Readers.Remote;
using Finery.Data.Readers.Warc;

namespace Finery.Data.Readers;

/// <summary>The formats that Finery reads: which files have them, and which reader reads those. To add one: a line in the
/// table.</summary>
public static class InputFormats
{
    /// <summary>The format of files with no known extension.</summary>
    public const string Text = "text";

    // In the order in which mixed input is read.
    private static readonly Format[] s_formats =
    [
        new("xml", [".xml"], paths => new DotNetDocumentationReader { Paths = paths }),
        new("jsonl", [".jsonl", ".jsonl.gz", ".jsonl.zst"], paths => new JsonLinesReader { Paths = paths }),
        new("parquet", [".parquet"], paths => new ParquetReader { Paths = paths }),
        new("warc", [".warc", ".warc.gz", ".wet", ".wet.gz"], paths => new WarcReader { Paths = paths }),
        new("csv", [".csv", ".csv.gz", ".tsv", ".tsv.gz"], paths => new CsvReader { Paths = paths }),
        new("html", [".html", ".html.gz", ".htm", ".htm.gz", ".xhtml"], paths => new HtmlFolderReader { Paths = paths }),
        new(Text, [".txt", ".txt.gz", ".text", ".md", ".markdown", ".rst", ".adoc"],
            paths => new TextFolderReader { Paths = paths }),
    ];

    /// <summary>Names of the formats, in the order in which mixed input is read.</summary>
    public static IReadOnlyList<string> Names { get; } = [.. s_formats.Select(f => f.Name)];

    /// <summary>All extensions that are known.</summary>
    public static IReadOnlyList<string> Extensions { get; } = [.. s_formats.SelectMany(f => f.Extensions)];

    /// <summary>The format of a file by the end of its name; null if it is not known.</summary>
    public static string? FormatOf(string path)
    {
        var name = path.AsSpan();
        if (InputFile.IsRemote(path) && name.IndexOfAny('?', '#') is > 0 and var query)
            name = name[..query];
        foreach (var format in s_formats)
            foreach (var extension in format.Extensions)
                if (name.EndsWith(extension, StringComparison.OrdinalIgnoreCase))
                    return format.Name;
        return null;
    }

    /// <summary>A reader with default settings.</summary>
    /// <param name="format">One of <see cref="Names"/>.</param>
    /// <param name="paths">Files, globs or addresses.</param>
    /// <exception cref="ArgumentException">The format is unknown.</exception>
    public static DocumentReader Create(string format, IReadOnlyList<string> paths) =>
        (s_formats.FirstOrDefault(f => f.Name == format) ?? throw new ArgumentException(
            $"There is no input format '{format}'; there are {string.Join(", ", Names)}.", nameof(format))).Create(paths);

    /// <summary>A reader with default settings that can be split and resumed, as curation needs.</summary>
    /// <inheritdoc cref="Create"/>
    public static FileReader ForFiles(string format, IReadOnlyList<string> paths) =>
        Create(format, paths) as FileReader ?? throw new ArgumentException(
            $"The input format '{format}' cannot be split into parts.", nameof(format));

    private sealed record Format(string Name, string[] Extensions, Func<IReadOnlyList<string>, DocumentReader> Create);
}
