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

    /// <summary>A reader of files of any formats, told by their names, that can be split and resumed.</summary>
    /// <param name="paths">Files, folders, globs or addresses.</param>
    /// <param name="format">One of <see cref="Names"/>, for all files; null to go by their names.</param>
    /// <param name="textKey">Key or column of the text, in formats that have such.</param>
    /// <param name="idKey">Key or column of the id.</param>
    /// <exception cref="ArgumentException">The format is unknown, or there is no path.</exception>
    /// <exception cref="FileNotFoundException">A path matches no file.</exception>
    public static FileReader Open(
        IReadOnlyList<string> paths, string? format = null, string textKey = "text", string idKey = "id")
    {
        if (paths.Count == 0)
            throw new ArgumentException("No input path was given.", nameof(paths));
        var files = FileGlob.ExpandAll(paths.SelectMany(ExpandFolder));
        var readers = (format is null ? files.GroupBy(file => FormatOf(file) ?? Text) : files.GroupBy(_ => format))
            .Select(group => WithKeys(ForFiles(group.Key, [.. group]), textKey, idKey)).ToList();
        return readers.Count == 1 ? readers[0] : new MixedReader(readers);
    }

    private static FileReader WithKeys(FileReader reader, string textKey, string idKey) => reader switch
    {
        JsonLinesReader lines => lines with { TextKey = textKey, IdKey = idKey },
        ParquetReader parquet => parquet with { TextColumn = textKey, IdColumn = idKey },
        CsvReader csv => csv with { TextKey = textKey, IdKey = idKey },
        _ => reader,
    };

    /// <summary>A folder stands for all files of known extensions below it.</summary>
    /// <exception cref="FileNotFoundException">It has none.</exception>
    internal static IReadOnlyList<string> ExpandFolder(string path)
    {
        if (!Directory.Exists(path))
            return [path];
        string[] found = [.. FileGlob.Expand(Path.Combine(path, "**", "*")).Where(file => FormatOf(file) is not null)];
        return found.Length > 0 ? found : throw new FileNotFoundException(
            $"The folder '{path}' has no file that Finery reads ({string.Join(", ", Extensions)}).", path);
    }

    /// <summary>Readers of several formats as one: a part is read by the reader of its file.</summary>
    private sealed record MixedReader(IReadOnlyList<FileReader> Readers) : FileReader
    {
        public override IReadOnlyList<InputPart> Parts(long partBytes) =>
            [.. Readers.SelectMany(reader => reader.Parts(partBytes))];

        public override DocumentCursor Open(InputPart part, ReadReport report, long position = 0) =>
            Readers.First(reader => reader.Paths.Contains(part.Path)).Open(part, report, position);
    }

    private sealed record Format(string Name, string[] Extensions, Func<IReadOnlyList<string>, DocumentReader> Create);
}
