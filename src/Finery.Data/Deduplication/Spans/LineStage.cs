namespace Finery.Data.Deduplication.Spans;

/// <summary>
/// Llama 3's line deduplication: in each bucket of 30 million documents, lines that occur more than six times are removed
/// everywhere (navigation, cookie notices, and some good frequent text; it still helped). Lines are compared without white
/// space at their ends; blank ones stay. A document of which nothing but blank lines is left is dropped: <c>line_dedup</c>.
/// </summary>
public sealed record LineStage : SpanStage
{
    /// <summary>A line that occurs more often goes.</summary>
    public int MaxCount { get; init; } = 6;

    /// <summary>Documents in a bucket, in the order of the corpus.</summary>
    public long BucketDocuments { get; init; } = 30_000_000;

    private protected override string Reason => "line_dedup";

    /// <summary>Reports settings that cannot work.</summary>
    public IEnumerable<(string Property, string Message)> Validate()
    {
        if (MaxCount is < 1 or > 1_000_000)
            yield return (nameof(MaxCount), $"a line may stay 1 to 1000000 times, not {MaxCount}");
        if (BucketDocuments < 1)
            yield return (nameof(BucketDocuments), $"a bucket has at least one document, not {BucketDocuments}");
        if (Index is not null || SaveIndex is not null)
            yield return (nameof(Index), "lines are counted, not looked up: this stage has no index");
    }

    private protected override List<Range> Split(string text) => Pieces.Lines(text);

    private protected override IEnumerable<(ulong Key, int First)> KeysOf(string text, List<Range> pieces)
    {
        for (var i = 0; i < pieces.Count; i++)
            if (!text.AsSpan(pieces[i]).Trim().IsEmpty)
                yield return (HashOf(text.AsSpan(pieces[i]).Trim()), i);
    }

    private protected override SpanRule CreateRule(long[] offsets) => new MoreThan(
        MaxCount, position => (offsets[DocumentPosition.Part(position)] + DocumentPosition.Index(position)) / BucketDocuments);

    private protected override bool Suffices(string text, int pieces) => !text.AsSpan().Trim().IsEmpty;
}
