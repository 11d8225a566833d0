using System.Text;
using Finery.Data.Filters;

namespace Finery.Data.Deduplication.Spans;

/// <summary>
/// Removes every run of three sentences that occurred before, as C4 did and datatrove does: all three, from every document but
/// the first. Sentences are compared simplified (<see cref="SimplifiedText"/>). A document that was cut is dropped unless
/// enough is left: <c>sentence_dedup</c>.
/// </summary>
public sealed record SentenceStage : SpanStage
{
    /// <summary>Sentences (or lines) in a run.</summary>
    public int SpanSentences { get; init; } = 3;

    /// <summary>Whether lines are meant instead of sentences.</summary>
    public bool Lines { get; init; }

    /// <summary>Runs with fewer words stay.</summary>
    public int MinSpanWords { get; init; }

    /// <summary>Words that must be left of a document that was cut; 0 for no limit.</summary>
    public int MinWords { get; init; } = 50;

    /// <summary>Sentences (or lines) that must be left of a document that was cut; 0 for no limit.</summary>
    public int MinSentences { get; init; } = 3;

    private protected override string Reason => "sentence_dedup";

    private protected override int Window => SpanSentences;

    /// <summary>Reports settings that cannot work.</summary>
    public IEnumerable<(string Property, string Message)> Validate()
    {
        if (SpanSentences is < 1 or > 1000)
            yield return (nameof(SpanSentences), $"a run has 1 to 1000 sentences, not {SpanSentences}");
    }

    private protected override List<Range> Split(string text) => Lines ? Pieces.Lines(text) : Sentences.Split(text);

    private protected override IEnumerable<(ulong Key, int First)> KeysOf(string text, List<Range> pieces)
    {
        if (pieces.Count < SpanSentences)
            yield break;
        var simplified = pieces.ConvertAll(p => SimplifiedText.Of(text.AsSpan(p)));
        var run = new StringBuilder();
        for (var i = 0; i + SpanSentences <= pieces.Count; i++)
        {
            run.Clear().AppendJoin(' ', simplified.GetRange(i, SpanSentences));
            var joined = run.ToString();
            if (!string.IsNullOrWhiteSpace(joined)
                && (MinSpanWords <= 0 || joined.Split(' ', StringSplitOptions.RemoveEmptyEntries).Length >= MinSpanWords))
                yield return (HashOf(joined), i);
        }
    }

    private protected override SpanRule CreateRule(long[] offsets) => new AllButFirst();

    // A sentence may begin with the white space that parted it from the one before.
    private protected override string Finish(string text) => Lines ? text : text.TrimStart();

    private protected override bool Suffices(string text, int pieces) =>
        pieces >= Math.Max(1, MinSentences) && (MinWords <= 0 || Words.Split(text).Count >= MinWords);
}
