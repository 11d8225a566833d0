using Finery.Data.Filters;

namespace Finery.Data.Deduplication.Spans;

/// <summary>
/// Removes every paragraph (or line) that occurred before, from every document but the first. Compared simplified
/// (<see cref="SimplifiedText"/>). A document that was cut is dropped unless enough is left: <c>paragraph_dedup</c>.
/// </summary>
public sealed record ParagraphStage : SpanStage
{
    /// <summary>Whether every line is a paragraph; otherwise blank lines part them.</summary>
    public bool Lines { get; init; }

    /// <summary>Paragraphs with fewer words stay: headings and greetings repeat by nature.</summary>
    public int MinParagraphWords { get; init; } = 10;

    /// <summary>Words that must be left of a document that was cut.</summary>
    public int MinWords { get; init; } = 1;

    private protected override string Reason => "paragraph_dedup";

    private protected override List<Range> Split(string text) => Lines ? Pieces.Lines(text) : Pieces.Paragraphs(text);

    private protected override IEnumerable<(ulong Key, int First)> KeysOf(string text, List<Range> pieces)
    {
        for (var i = 0; i < pieces.Count; i++)
        {
            var simplified = SimplifiedText.Of(text.AsSpan(pieces[i]));
            if (simplified.Length > 0 && simplified.AsSpan().Count(' ') + 1 >= MinParagraphWords)
                yield return (HashOf(simplified), i);
        }
    }

    private protected override SpanRule CreateRule(long[] offsets) => new AllButFirst();

    private protected override bool Suffices(string text, int pieces) => Words.Split(text).Count >= Math.Max(1, MinWords);
}
