using System.Text;

namespace Finery.Data.Filters;

/// <summary>
/// English words by a simple rule: split at white space, then punctuation and symbols at either end of a piece become words of
/// their own (a run of dots stays together), and contractions are parted (<c>do|n't</c>, <c>it|'s</c>).
/// </summary>
/// <remarks>The published thresholds were set with spaCy's rule tokenizer, which also parts inner punctuation and knows
/// abbreviations; counts differ from it by a few percent on prose.</remarks>
internal static class Words
{
    private static readonly string[] s_contractions =
        ["'s", "'m", "'d", "'re", "'ve", "'ll", "n't", "’s", "’m", "’d", "’re", "’ve", "’ll", "n’t"];

    /// <summary>Positions of all words, in order.</summary>
    public static List<Range> Split(string text)
    {
        var words = new List<Range>(text.Length / 5);
        for (var i = 0; i < text.Length;)
        {
            while (i < text.Length && CharacterSets.IsSpace(text[i]))
                i++;
            var start = i;
            while (i < text.Length && !CharacterSets.IsSpace(text[i]))
                i++;
            if (i > start)
                SplitPiece(text, start, i, words);
        }
        return words;
    }

    private static void SplitPiece(string text, int start, int end, List<Range> words)
    {
        while (start < end && EdgeLength(text.AsSpan(start, end - start)) is > 0 and var length)
        {
            words.Add(start..(start + length));
            start += length;
        }
        var suffixes = new Stack<Range>();
        while (end > start && TrailingLength(text.AsSpan(start, end - start)) is > 0 and var length)
        {
            suffixes.Push((end - length)..end);
            end -= length;
        }
        if (end > start)
        {
            var contraction = ContractionLength(text.AsSpan(start, end - start));
            words.Add(start..(end - contraction));
            if (contraction > 0)
                words.Add((end - contraction)..end);
        }
        words.AddRange(suffixes);
    }

    private static int EdgeLength(ReadOnlySpan<char> piece)
    {
        if (char.IsAsciiLetterOrDigit(piece[0]))
            return 0;
        var dots = piece.IndexOfAnyExcept('.') is var n && n < 0 ? piece.Length : n;
        if (dots > 1)
            return dots;
        Rune.DecodeFromUtf16(piece, out var rune, out var length);
        return IsEdge(rune) ? length : 0;
    }

    private static int TrailingLength(ReadOnlySpan<char> piece)
    {
        if (char.IsAsciiLetterOrDigit(piece[^1]))
            return 0;
        var dots = piece.Length - 1 - piece.LastIndexOfAnyExcept('.');
        if (dots > 0)
            return dots;
        Rune.DecodeLastFromUtf16(piece, out var rune, out var length);
        return IsEdge(rune) ? length : 0;
    }

    private static bool IsEdge(Rune rune) =>
        CharacterSets.IsSymbol(rune.Value) || Rune.IsPunctuation(rune) || Rune.IsSymbol(rune);

    private static int ContractionLength(ReadOnlySpan<char> word)
    {
        if (word.IndexOfAny('\'', '’') > 0)
            foreach (var ending in s_contractions)
                if (word.Length > ending.Length && word.EndsWith(ending, StringComparison.OrdinalIgnoreCase))
                    return ending.Length;
        return 0;
    }
}
