using System.Text;

namespace Finery.Data.Filters;

/// <summary>
/// The quality rules of Gopher (Rae et al. 2021, table A1) in datatrove's order and thresholds. A value equal to a threshold is
/// kept; zero disables a rule. Words are those of <c>Words</c>, a simpler rule than the published run's.
/// </summary>
public sealed record GopherQualityFilter : DocumentFilter
{
    /// <summary>Fewest words that are not symbols.</summary>
    public int MinWords { get; init; } = 50;

    /// <summary>Most words that are not symbols.</summary>
    public int MaxWords { get; init; } = 100_000;

    /// <summary>Least mean length of such words, in code points.</summary>
    public double MinAverageWordLength { get; init; } = 3;

    /// <summary>Greatest mean length of such words, in code points.</summary>
    public double MaxAverageWordLength { get; init; } = 10;

    /// <summary>Most <c>#</c>, and most ellipses, per word.</summary>
    public double MaxSymbolWordRatio { get; init; } = 0.1;

    /// <summary>Greatest share of lines that start with a bullet.</summary>
    public double MaxBulletLineRatio { get; init; } = 0.9;

    /// <summary>Greatest share of lines that end with an ellipsis.</summary>
    public double MaxEllipsisLineRatio { get; init; } = 0.3;

    /// <summary>Least share of words with a letter.</summary>
    public double MinAlphabeticWordRatio { get; init; } = 0.8;

    /// <summary>Fewest distinct stop words.</summary>
    public int MinStopWords { get; init; } = 2;

    /// <summary>The stop words, case-sensitive.</summary>
    public IReadOnlyList<string> StopWords { get; init; } = ["the", "be", "to", "of", "and", "that", "have", "with"];

    /// <inheritdoc/>
    public override void Apply(WorkingDocument document)
    {
        var text = document.Text;
        var words = document.View.Words;
        int nonSymbol = 0, alphabetic = 0;
        long nonSymbolLength = 0;
        foreach (var range in words)
        {
            var word = text.AsSpan(range);
            bool hasLetter = false, isSymbol = true;
            var length = 0;
            foreach (var rune in word.EnumerateRunes())
            {
                length++;
                hasLetter |= Rune.IsLetter(rune);
                isSymbol &= CharacterSets.IsSymbol(rune.Value);
            }
            alphabetic += hasLetter ? 1 : 0;
            nonSymbol += isSymbol ? 0 : 1;
            nonSymbolLength += isSymbol ? 0 : length;
        }
        var average = nonSymbol == 0 ? 0 : (double)nonSymbolLength / nonSymbol;
        double count = Math.Max(1, words.Count);
        _ = document.RejectBelow("gopher_short_doc", nonSymbol, MinWords)
            || (MaxWords > 0 && document.RejectAbove("gopher_long_doc", nonSymbol, MaxWords))
            || document.RejectBelow("gopher_below_avg_threshold", average, MinAverageWordLength)
            || (MaxAverageWordLength > 0 && document.RejectAbove("gopher_above_avg_threshold", average, MaxAverageWordLength))
            || (MaxSymbolWordRatio > 0 && RejectSymbols(document, count))
            || RejectLines(document)
            || (MinAlphabeticWordRatio > 0
                && document.RejectBelow("gopher_below_alpha_threshold", alphabetic / count, MinAlphabeticWordRatio))
            || (MinStopWords > 0
                && document.RejectBelow("gopher_enough_stop_words", CountStopWords(text, words), MinStopWords));
    }

    private bool RejectSymbols(WorkingDocument document, double words)
    {
        var text = document.Text.AsSpan();
        return document.RejectAbove("gopher_too_many_hashes", text.Count('#') / words, MaxSymbolWordRatio)
            || document.RejectAbove(
                "gopher_too_many_ellipsis", (text.Count("...") + text.Count('…')) / words, MaxSymbolWordRatio);
    }

    private bool RejectLines(WorkingDocument document)
    {
        var text = document.Text;
        int lines = 0, bullets = 0, ellipses = 0;
        foreach (var range in Lines.SplitLines(text))
        {
            var line = text.AsSpan(range);
            lines++;
            bullets += CharacterSets.StripLeft(line) is ['•' or '-', ..] ? 1 : 0;
            var end = CharacterSets.StripRight(line);
            ellipses += end.EndsWith("...") || end.EndsWith("…") ? 1 : 0;
        }
        double count = Math.Max(1, lines);
        return (MaxBulletLineRatio > 0 && document.RejectAbove("gopher_too_many_bullets", bullets / count, MaxBulletLineRatio))
            || (MaxEllipsisLineRatio > 0
                && document.RejectAbove("gopher_too_many_end_ellipsis", ellipses / count, MaxEllipsisLineRatio));
    }

    /// <summary>Distinct stop words present.</summary>
    private int CountStopWords(string text, List<Range> words)
    {
        var found = new HashSet<string>(StringComparer.Ordinal);
        foreach (var range in words)
            foreach (var stopWord in StopWords)
                if (text.AsSpan(range).SequenceEqual(stopWord))
                    found.Add(stopWord);
        return found.Count;
    }
}
