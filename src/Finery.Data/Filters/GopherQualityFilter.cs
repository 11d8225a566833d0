using Finery.Data.Filters.Segmentation;

namespace Finery.Data.Filters;

/// <summary>
/// The quality rules of Gopher (Rae et al. 2021, table A1) in datatrove's order and thresholds. A value equal to a threshold is
/// kept; zero disables a rule.
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

    /// <summary>ISO 639 code of the language whose word rules apply, or code and script (<c>fra_Latn</c>).</summary>
    public string Language { get; init; } = "en";

    /// <summary>Settings that cannot work.</summary>
    public IEnumerable<(string Property, string Message)> Validate() => WordRules.Problems(nameof(Language), Language);

    /// <inheritdoc/>
    /// <exception cref="ArgumentException"><see cref="Language"/> is unknown.</exception>
    public override void Apply(WorkingDocument document)
    {
        var words = document.View.WordsIn(Language);
        var (nonSymbol, nonSymbolLength, alphabetic) = Count(document.Text, words);
        var average = nonSymbol == 0 ? 0 : (double)nonSymbolLength / nonSymbol;
        double count = Math.Max(1, words.Count);
        _ = (MinWords > 0 && document.RejectBelow("gopher_short_doc", nonSymbol, MinWords))
            || (MaxWords > 0 && document.RejectAbove("gopher_long_doc", nonSymbol, MaxWords))
            || (MinAverageWordLength > 0
                && document.RejectBelow("gopher_below_avg_threshold", average, MinAverageWordLength))
            || (MaxAverageWordLength > 0 && document.RejectAbove("gopher_above_avg_threshold", average, MaxAverageWordLength))
            || (MaxSymbolWordRatio > 0 && RejectSymbols(document, count))
            || RejectLines(document)
            || (MinAlphabeticWordRatio > 0
                && document.RejectBelow("gopher_below_alpha_threshold", alphabetic / count, MinAlphabeticWordRatio))
            || (MinStopWords > 0
                && document.RejectBelow("gopher_enough_stop_words", CountStopWords(document.Text, words), MinStopWords));
    }

    private bool RejectSymbols(WorkingDocument document, double words)
    {
        var text = document.Text.AsSpan();
        return document.RejectAbove("gopher_too_many_hashes", text.Count('#') / words, MaxSymbolWordRatio)
            || document.RejectAbove(
                "gopher_too_many_ellipsis", (text.Count("...") + text.Count('…')) / words, MaxSymbolWordRatio);
    }

    private static (int NonSymbol, long NonSymbolLength, int Alphabetic) Count(ReadOnlySpan<char> text, TextSpans words)
    {
        var starts = words.Starts;
        var ends = words.Ends;
        var flags = words.Flags;
        int nonSymbol = 0, alphabetic = 0;
        long length = 0;
        for (var w = 0; w < flags.Length; w++)
        {
            var word = (WordFlags)flags[w];
            alphabetic += (word & WordFlags.Letter) != 0 ? 1 : 0;
            if ((word & WordFlags.NonSymbol) == 0)
                continue;
            nonSymbol++;
            length += (word & WordFlags.Surrogate) == 0 ? ends[w] - starts[w] : CharacterSets.Length(text[starts[w]..ends[w]]);
        }
        return (nonSymbol, length, alphabetic);
    }

    private bool RejectLines(WorkingDocument document)
    {
        if (MaxBulletLineRatio <= 0 && MaxEllipsisLineRatio <= 0)
            return false;
        var text = document.Text.AsSpan();
        var lines = document.View.Pieces;
        Lines.SplitLines(text, lines);
        int bullets = 0, ellipses = 0;
        for (var i = 0; i < lines.Count; i++)
        {
            var line = text[lines[i]];
            bullets += CharacterSets.StripLeft(line) is ['•' or '-', ..] ? 1 : 0;
            ellipses += CharacterSets.StripRight(line) is [.., '.', '.', '.'] or [.., '…'] ? 1 : 0;
        }
        double count = Math.Max(1, lines.Count);
        return (MaxBulletLineRatio > 0 && document.RejectAbove("gopher_too_many_bullets", bullets / count, MaxBulletLineRatio))
            || (MaxEllipsisLineRatio > 0
                && document.RejectAbove("gopher_too_many_end_ellipsis", ellipses / count, MaxEllipsisLineRatio));
    }

    /// <summary>Distinct stop words present.</summary>
    private int CountStopWords(ReadOnlySpan<char> text, TextSpans words)
    {
        var missing = StopWords.Where(word => word.Length > 0).Distinct(StringComparer.Ordinal).ToList();
        var all = missing.Count;
        // Bit per first character: one look passes over most words.
        Span<ulong> firsts = stackalloc ulong[4];
        foreach (var word in missing)
            firsts[(word[0] >> 6) & 3] |= 1UL << (word[0] & 63);
        var longest = all == 0 ? 0 : missing.Max(word => word.Length);
        var starts = words.Starts;
        var ends = words.Ends;
        for (var w = 0; w < starts.Length && missing.Count > 0; w++)
        {
            var c = text[starts[w]];
            if (ends[w] - starts[w] > longest || (firsts[(c >> 6) & 3] & (1UL << (c & 63))) == 0)
                continue;
            var word = text[starts[w]..ends[w]];
            for (var i = 0; i < missing.Count; i++)
            {
                if (!word.SequenceEqual(missing[i]))
                    continue;
                missing.RemoveAt(i);
                break;
            }
        }
        return all - missing.Count;
    }
}
