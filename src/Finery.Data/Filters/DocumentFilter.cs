using Finery.Data.Curation;

namespace Finery.Data.Filters;

/// <summary>
/// Keeps, drops, rewrites or annotates one document by rule. A filter <em>is</em> its settings: a <c>sealed record</c> whose
/// <c>init</c> properties are the published thresholds. It is stateless and thread-safe, so what it decides never depends on
/// order, threads or shards. What it loads (word lists, models) it loads once and shares between threads.
/// </summary>
/// <remarks>To add one: a file in this folder with the record, and a line in <see cref="FilterCatalogue"/>.</remarks>
public abstract record DocumentFilter : CurationStage
{
    /// <summary>
    /// Judges one document: states each rule with its measured value and threshold
    /// (<see cref="WorkingDocument.RejectAbove"/>, <see cref="WorkingDocument.RejectBelow"/>,
    /// <see cref="WorkingDocument.Reject"/>) and returns as soon as one of them returns true.
    /// </summary>
    public abstract void Apply(WorkingDocument document);

    /// <summary>Judges one document on its own.</summary>
    /// <returns><see langword="null"/> to keep it, or the reason it is dropped: a short stable snake_case identifier such as
    /// <c>gopher_short_doc</c>, which becomes <c>metadata.filter_reason</c> and the key of the per-reason counts.</returns>
    public string? Reject(Document document)
    {
        var work = new WorkingDocument(document);
        Apply(work);
        return work.Reason;
    }
}
