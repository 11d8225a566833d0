using System.Collections.Concurrent;
using System.Text;

namespace Finery.Data.Filters;

/// <summary>Documents and their UTF-8 bytes of text.</summary>
public readonly record struct DocumentCount(long Documents, long Bytes)
{
    /// <summary>This and one more document.</summary>
    public DocumentCount Add(Document document) => new(Documents + 1, Bytes + Encoding.UTF8.GetByteCount(document.Text));
}

/// <summary>What a stage kept and what it dropped for which reason. Written by the thread that enumerates the stage.</summary>
public sealed class FilterReport
{
    private readonly SortedDictionary<string, DocumentCount> _dropped = new(StringComparer.Ordinal);

    /// <summary>Documents that passed.</summary>
    public DocumentCount Kept { get; private set; }

    /// <summary>Documents that did not, by reason.</summary>
    public IReadOnlyDictionary<string, DocumentCount> Dropped => _dropped;

    /// <summary>Counts one decision.</summary>
    public void Count(Document document, string? reason)
    {
        if (reason is null)
            Kept = Kept.Add(document);
        else
            _dropped[reason] = _dropped.GetValueOrDefault(reason).Add(document);
    }
}

/// <summary>Applies filters in their order, in parallel. What comes out never depends on the number of threads.</summary>
public sealed class FilterPipeline(IReadOnlyList<DocumentFilter> filters)
{
    // A batch is long enough to outweigh the hand-over and short enough that only a few MB wait.
    private const int BatchDocuments = 256;
    private const int BatchCharacters = 1 << 20;

    // Their buffers grow to what the longest documents take: one for each thread at work rather than one for each document.
    private readonly ConcurrentBag<WorkingDocument> _idle = [];

    /// <summary>Judges documents lazily, keeping their order; at most a few batches are in memory.</summary>
    /// <param name="documents">Read on the calling thread.</param>
    /// <param name="threads">How many documents may be judged at once.</param>
    /// <param name="report">Where to count; complete once the enumeration ends.</param>
    /// <returns>Every document as the filters left it, with the reason to drop it, or null to keep it.</returns>
    public IEnumerable<(Document Document, string? Reason)> Run(
        IEnumerable<Document> documents, int threads, FilterReport? report = null)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(threads, 1);
        foreach (var (_, judged) in OrderedParallel.Map(
            documents, Judge, threads, BatchDocuments, BatchCharacters, d => d.Text.Length))
        {
            report?.Count(judged.Document, judged.Reason);
            yield return judged;
        }
    }

    private (Document Document, string? Reason) Judge(Document document)
    {
        var work = _idle.TryTake(out var idle) ? idle : new WorkingDocument();
        work.Start(document);
        foreach (var filter in filters)
        {
            filter.Apply(work);
            if (work.Reason is not null)
                break;
        }
        var judged = (work.Document, work.Reason);
        _idle.Add(work);
        return judged;
    }
}
