using Finery.Data.Readers;

namespace Finery.Data.Filters.Decontamination;

/// <summary>
/// Drops documents that have a run of words in common with evaluation data, after simplifying both: reason
/// <c>contaminated</c>, with the run and its task in <c>contaminated_ngram</c> and <c>contaminated_task</c>.
/// </summary>
/// <remarks>As datatrove 0.10: runs of the answer, by default also those across question and answer. An answer shorter than a
/// run is found only so, or with <see cref="FindQuery"/>.</remarks>
public sealed record DecontaminationFilter : DocumentFilter
{
    private OnDemand<ContaminationIndex> _index;
    private readonly int _nGramSize = 12;

    /// <summary>Evaluation data, indexed when the filter is first used.</summary>
    public IReadOnlyList<EvaluationData> Evaluations { get; init; } = [];

    /// <summary>Index files (<c>{task}.index.hashes</c>) or globs of them, as <see cref="ContaminationIndex.Save"/> and
    /// datatrove write them.</summary>
    public IReadOnlyList<string> IndexFiles { get; init; } = [];

    /// <summary>Words in a run.</summary>
    /// <exception cref="ArgumentOutOfRangeException">Less than 1.</exception>
    public int NGramSize
    {
        get => _nGramSize;
        init
        {
            ArgumentOutOfRangeException.ThrowIfLessThan(value, 1);
            _nGramSize = value;
        }
    }

    /// <summary>Whether runs of the question alone count.</summary>
    public bool FindQuery { get; init; }

    /// <summary>Whether runs count that start in the question and end in the answer.</summary>
    public bool FindOverlap { get; init; } = true;

    /// <summary>The index these settings stand for.</summary>
    /// <exception cref="IOException">A file cannot be read.</exception>
    /// <exception cref="InvalidDataException">A file has nothing to find.</exception>
    public ContaminationIndex BuildIndex()
    {
        var index = new ContaminationIndex();
        foreach (var data in Evaluations)
            foreach (var path in FileGlob.ExpandAll(data.Paths))
                index.AddFile(path, data, NGramSize, FindQuery, FindOverlap);
        foreach (var path in FileGlob.ExpandAll(IndexFiles))
            index.AddIndexFile(path);
        return index;
    }

    /// <inheritdoc/>
    public override void Apply(WorkingDocument document)
    {
        var index = _index.Get(this, static settings => settings.BuildIndex());
        if (index.Find(document.Text, NGramSize) is not var (ngram, task))
            return;
        document.SetMetadata("contaminated_ngram", ngram);
        document.SetMetadata("contaminated_task", task);
        document.Reject("contaminated");
    }

    /// <summary>Settings that find nothing.</summary>
    public IEnumerable<(string Property, string Message)> Validate()
    {
        if (Evaluations.Count + IndexFiles.Count == 0)
            yield return (nameof(Evaluations), "Without evaluation data or index files nothing is found.");
        if (Evaluations.Any(e => e.Paths.Count == 0))
            yield return (nameof(Evaluations), "Evaluation data needs paths.");
    }
}
