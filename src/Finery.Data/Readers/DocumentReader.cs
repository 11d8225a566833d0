namespace Finery.Data.Readers;

/// <summary>
/// A source of documents. A reader <em>is</em> its settings; reading is lazy, one document at a time, in an order that depends
/// on the sorted paths alone. Damaged input is skipped and counted, never fatal; a path that matches nothing is an error.
/// </summary>
public abstract record DocumentReader
{
    /// <summary>Reads from the start. Each call, and each enumeration, reads again.</summary>
    /// <param name="report">Counts documents, bytes and what was skipped; complete once the enumeration ends.</param>
    public abstract IEnumerable<Document> Read(ReadReport report);

    /// <summary>
    /// Chooses readers by file extension (<see cref="InputFormats"/>), anything unknown as plain text. A folder stands for all
    /// files of known extensions below it.
    /// </summary>
    /// <param name="globs">Paths with <c>*</c>, <c>?</c> and <c>**</c>, folders, or <c>s3://</c> and <c>https://</c>
    /// addresses.</param>
    /// <exception cref="FileNotFoundException">One of them matches no file.</exception>
    public static DocumentReader ForPaths(IEnumerable<string> globs)
    {
        var readers = new List<DocumentReader>();
        foreach (var glob in globs)
        {
            var files = Directory.Exists(glob) ? InputFormats.ExpandFolder(glob) : FileGlob.Expand(glob);
            var byFormat = files.ToLookup(f => InputFormats.FormatOf(f) ?? InputFormats.Text);
            readers.AddRange(InputFormats.Names.Where(byFormat.Contains).Select(f => InputFormats.Create(f, [.. byFormat[f]])));
        }
        if (readers.Count == 0)
            throw new ArgumentException("No input path was given.", nameof(globs));
        return readers.Count == 1 ? readers[0] : new SequenceReader(readers);
    }

    private sealed record SequenceReader(IReadOnlyList<DocumentReader> Readers) : DocumentReader
    {
        public override IEnumerable<Document> Read(ReadReport report) => Readers.SelectMany(r => r.Read(report));
    }
}
