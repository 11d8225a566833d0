namespace Finery.Data.Filters;

/// <summary>
/// Drops documents with many words of a list, as Llama 3 does with sites for adults that lists of domains miss. Reason
/// <c>dirty_words</c>. The thresholds were never published; those here are Finery's.
/// </summary>
public sealed record DirtyWordsFilter : DocumentFilter
{
    private OnDemand<HashSet<string>> _list;

    /// <summary>Most words of the list in a document, repeats counted; 0 disables.</summary>
    public int MaxCount { get; init; } = 20;

    /// <summary>Largest share of a document's words; 0 disables.</summary>
    public double MaxShare { get; init; } = 0.01;

    /// <summary>Whether the list that comes with Finery is used.</summary>
    public bool UseBundledList { get; init; } = true;

    /// <summary>Further files of words, one a line.</summary>
    public IReadOnlyList<string> WordLists { get; init; } = [];

    /// <summary>Further words.</summary>
    public IReadOnlyList<string> Words { get; init; } = [];

    /// <inheritdoc/>
    public override void Apply(WorkingDocument document)
    {
        var list = _list.Get(this, static s => s.Load()).GetAlternateLookup<ReadOnlySpan<char>>();
        var words = document.View.Words;
        var count = 0;
        foreach (var range in words)
            count += list.Contains(document.Text.AsSpan(range)) ? 1 : 0;
        _ = (MaxCount > 0 && document.RejectAbove("dirty_words", count, MaxCount))
            || (MaxShare > 0 && document.RejectAbove("dirty_words", count / (double)Math.Max(1, words.Count), MaxShare));
    }

    private HashSet<string> Load() => new(
        (UseBundledList ? WordList.Bundled("dirty-words.txt") : [])
            .Concat(WordLists.SelectMany(WordList.ReadFile).Select(e => e.Text)).Concat(Words)
            .Where(word => !string.IsNullOrWhiteSpace(word)),
        StringComparer.OrdinalIgnoreCase);
}
