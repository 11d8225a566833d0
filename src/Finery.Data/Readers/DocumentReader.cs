namespace Finery.Data.Readers;

/// <summary>
/// A source of documents. A reader <em>is</em> its settings; reading is lazy, one document at a time, in an order that depends
/// on the sorted paths alone. Damaged input is skipped and counted, never fatal; a path that matches nothing is an error.
/// </summary>
public abstract record DocumentReader
{
    private static readonly string[] s_textExtensions = [".txt", ".text", ".md", ".markdown", ".rst", ".adoc"];

    /// <summary>Reads from the start. Each call, and each enumeration, reads again.</summary>
    /// <param name="report">Counts documents, bytes and what was skipped; complete once the enumeration ends.</param>
    public abstract IEnumerable<Document> Read(ReadReport report);

    /// <summary>
    /// Chooses readers by file extension: <c>.jsonl</c>, <c>.jsonl.gz</c> and <c>.jsonl.zst</c>, <c>.parquet</c>, <c>.xml</c> (.NET
    /// documentation), anything else as plain text. A folder stands for all files of known extensions below it.
    /// </summary>
    /// <param name="globs">Paths with <c>*</c>, <c>?</c> and <c>**</c>, or folders.</param>
    /// <exception cref="FileNotFoundException">One of them matches no file.</exception>
    public static DocumentReader ForPaths(IEnumerable<string> globs)
    {
        var readers = new List<DocumentReader>();
        foreach (var glob in globs)
        {
            var files = Directory.Exists(glob)
                ? [.. FileGlob.Expand(Path.Combine(glob, "**", "*")).Where(IsKnown)]
                : FileGlob.Expand(glob);
            if (files.Count == 0)
                throw new FileNotFoundException(
                    $"The folder '{glob}' has no file that Finery reads (.jsonl, .jsonl.gz, .jsonl.zst, .parquet, .xml, "
                    + string.Join(", ", s_textExtensions) + ").", glob);
            AddReaders(readers, files);
        }
        if (readers.Count == 0)
            throw new ArgumentException("No input path was given.", nameof(globs));
        return readers.Count == 1 ? readers[0] : new SequenceReader(readers);
    }

    private static void AddReaders(List<DocumentReader> readers, IReadOnlyList<string> files)
    {
        var kinds = files.ToLookup(KindOf);
        if (kinds["xml"].Any())
            readers.Add(new DotNetDocumentationReader { Paths = [.. kinds["xml"]] });
        if (kinds["jsonl"].Any())
            readers.Add(new JsonLinesReader { Paths = [.. kinds["jsonl"]] });
        if (kinds["parquet"].Any())
            readers.Add(new ParquetReader { Paths = [.. kinds["parquet"]] });
        if (kinds["text"].Any())
            readers.Add(new TextFolderReader { Paths = [.. kinds["text"]] });
    }

    private static string KindOf(string path) =>
        Ends(path, ".xml") ? "xml"
        : Ends(path, ".jsonl") || Ends(path, ".jsonl.gz") || Ends(path, ".jsonl.zst") ? "jsonl"
        : Ends(path, ".parquet") ? "parquet" : "text";

    private static bool Ends(string path, string extension) => path.EndsWith(extension, StringComparison.OrdinalIgnoreCase);

    private static bool IsKnown(string path) =>
        KindOf(path) != "text" || s_textExtensions.Contains(Path.GetExtension(path), StringComparer.OrdinalIgnoreCase);

    private sealed record SequenceReader(IReadOnlyList<DocumentReader> Readers) : DocumentReader
    {
        public override IEnumerable<Document> Read(ReadReport report) => Readers.SelectMany(r => r.Read(report));
    }
}
