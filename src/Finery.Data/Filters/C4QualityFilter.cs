using System.Buffers;
using Finery.Data.Filters.Segmentation;

namespace Finery.Data.Filters;

/// <summary>
/// The line and document rules of C4 (Raffel et al. 2020, section 2.2) in datatrove's order. The text becomes the lines that
/// are kept, stripped. Line counts are measured under <c>line-total</c>, <c>line-kept</c> and <c>line-filter-...</c>.
/// </summary>
public sealed record C4QualityFilter : DocumentFilter
{
    /// <summary>Whether to judge sentences, joined again by a space, instead of lines.</summary>
    public bool BySentence { get; init; }

    /// <summary>Whether to delete <c>[1]</c>, <c>[]</c>, <c>[edit]</c> and <c>[citation needed]</c>.</summary>
    public bool RemoveCitations { get; init; } = true;

    /// <summary>Whether to leave out lines that end neither in <c>. ? ! " '</c> nor in more than an ellipsis. FineWeb turned it
    /// off.</summary>
    public bool RequireTerminalPunctuation { get; init; } = true;

    /// <summary>Fewest sentences in the lines that are kept; zero disables the rule.</summary>
    public int MinSentences { get; init; } = 5;

    /// <summary>Fewest pieces between white space in a line; zero disables the rule.</summary>
    public int MinWordsPerLine { get; init; } = 3;

    /// <summary>Most code points of such a piece; zero disables the rule.</summary>
    public int MaxWordLength { get; init; } = 1000;

    /// <summary>Whether to drop documents with <c>lorem ipsum</c>.</summary>
    public bool RejectLoremIpsum { get; init; } = true;

    /// <summary>Whether to leave out lines with <c>javascript</c>.</summary>
    public bool RemoveJavascript { get; init; } = true;

    /// <summary>Whether to drop documents with a curly bracket.</summary>
    public bool RejectCurlyBrackets { get; init; } = true;

    /// <summary>Whether to leave out lines about cookies, privacy policies and terms of use.</summary>
    public bool RemovePolicies { get; init; } = true;

    /// <summary>ISO 639 code of the language whose word rules apply, or code and script (<c>fra_Latn</c>).</summary>
    public string Language { get; init; } = "en";

    /// <summary>Settings that cannot work.</summary>
    public IEnumerable<(string Property, string Message)> Validate() => WordRules.Problems(nameof(Language), Language);

    /// <inheritdoc/>
    /// <exception cref="ArgumentException"><see cref="Language"/> is unknown.</exception>
    public override void Apply(WorkingDocument document)
    {
        // A separator takes the place of a line end, but sentences may have stood without anything between them.
        var buffer = ArrayPool<char>.Shared.Rent(2 * document.Text.Length + 1);
        try
        {
            var lines = new C4Lines(this, document, buffer);
            if (!lines.Judge())
                return;
            foreach (var (name, count) in lines.Statistics)
                document.Measure(name, count);
            var tooFew = MinSentences > 0 && document.RejectBelow("too_few_sentences", lines.Sentences, MinSentences);
            if (tooFew || document.Reason is not null)
                return;
            var text = CharacterSets.Strip(buffer.AsSpan(0, lines.Length));
            if (!text.SequenceEqual(document.Text))
                document.Rewrite(new string(text));
        }
        finally
        {
            ArrayPool<char>.Shared.Return(buffer);
        }
    }
}
