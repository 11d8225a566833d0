using Finery.Data.Filters.Segmentation;

namespace Finery.Data.Filters;

/// <summary>Words of a text. Punctuation marks are words; white space is none. English words are those of spaCy's rule tokenizer,
/// with which the published thresholds go.</summary>
internal static class Words
{
    /// <summary>Positions of the English words, in order.</summary>
    public static List<Range> Split(string text)
    {
        var words = new TextSpans();
        WordSplitter.English.Split(text, words);
        return words.ToList();
    }

    /// <summary>Replaces what <paramref name="words"/> has by the words of a text.</summary>
    /// <param name="text">Any UTF-16.</param>
    /// <param name="language">ISO 639 code, or code and script (<c>fra_Latn</c>).</param>
    /// <param name="words">Where to put them.</param>
    /// <exception cref="ArgumentException">No such language is known.</exception>
    public static void Split(ReadOnlySpan<char> text, string language, TextSpans words)
    {
        words.Clear();
        switch (WordRules.For(language))
        {
            case WordRule.English:
                WordSplitter.English.Split(text, words);
                break;
            case WordRule.Spaced:
                WordSplitter.Spaced.Split(text, words);
                break;
            default:
                CharacterSplitter.Split(text, words);
                break;
        }
    }
}
