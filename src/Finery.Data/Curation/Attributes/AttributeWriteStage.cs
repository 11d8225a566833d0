using Finery.Data.Filters;

namespace Finery.Data.Curation.Attributes;

/// <summary>
/// Measures every document with filters and writes the values beside the text, as attribute files of one name, so that thresholds
/// can be chosen later, by <c>attribute_join</c> and <c>attribute</c>, without measuring again. Drops and changes nothing itself.
/// </summary>
public sealed record AttributeWriteStage : CorpusStage
{
    /// <summary>Folder of the attribute files.</summary>
    public string Folder { get; init; } = "";

    /// <summary>Name of these attributes: a folder in <see cref="Folder"/>.</summary>
    public string Name { get; init; } = "rules";

    /// <summary>What measures; all of their rules are.</summary>
    public IReadOnlyList<DocumentFilter> Filters { get; init; } = [];

    /// <summary>What cannot work.</summary>
    public IEnumerable<(string Property, string Message)> Validate()
    {
        if (Folder.Length == 0)
            yield return (nameof(Folder), "names the folder to write attributes to");
        if (Name.Length == 0 || Name is "." or ".." || Name.IndexOfAny(Path.GetInvalidFileNameChars()) >= 0)
            yield return (nameof(Name), "must be a plain file name");
        if (Filters.Count == 0)
            yield return (nameof(Filters), "needs a filter to measure with");
    }

    /// <inheritdoc/>
    public override IEnumerable<Phase> Phases(Corpus corpus, string folder) =>
    [
        new("attributes", corpus.Parts, (part, context) =>
        {
            var measured = new List<Measurement>();
            var work = new WorkingDocument { MeasureAll = true, Observer = measured.Add };
            AttributeFile.Write(AttributeFile.PathOf(Folder, Name, part), corpus.Read(part).Select(document =>
            {
                context.Stop.ThrowIfCancellationRequested();
                measured.Clear();
                foreach (var filter in Filters)
                {
                    work.Start(document);
                    filter.Apply(work);
                }
                long length = CharacterSets.Length(document.Text);
                return new DocumentAttributes(document.Id, measured.DistinctBy(value => value.Rule).ToDictionary(
                    value => value.Rule, value => (IReadOnlyList<AttributeSpan>)[new(0, length, value.Value)]));
            }));
        }),
    ];

    /// <inheritdoc/>
    public override PartStage Open(Corpus corpus, string folder, int part) => new Untouched();

    private sealed class Untouched : PartStage
    {
        public override void Apply(WorkingDocument document, long index)
        {
            // What was measured is in the files.
        }
    }
}
