namespace Finery.Data.Filters;

/// <summary>
/// Keeps or drops one document by rule. A filter <em>is</em> its settings: a <c>sealed record</c> whose <c>init</c> properties
/// are the published thresholds. It is stateless and thread-safe, so what it decides never depends on order, threads or shards.
/// </summary>
/// <remarks>To add one: a file in this folder with the record, and a line in <see cref="FilterCatalogue"/>.</remarks>
public abstract record DocumentFilter
{
    /// <summary>Judges one document.</summary>
    /// <returns><see langword="null"/> to keep it, or the reason it is dropped: a short stable snake_case identifier such as
    /// <c>gopher_short_doc</c>, which becomes <c>metadata.filter_reason</c> and the key of the per-reason counts.</returns>
    public abstract string? Reject(Document document);
}
