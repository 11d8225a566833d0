using Finery.Data.Filters.Segmentation;

namespace Finery.Data.Filters;

/// <summary>
/// spaCy's rule sentencizer: after a word that is one of 128 sentence-ending characters, the next word that is neither such a
/// character nor punctuation starts a new sentence. White space counts as a word that it is not when it is more than a single
/// space between two.
/// </summary>
internal static class Sentences
{
    /// <summary>Slices from the end of the word before a sentence to the end of its last word: nothing of the text is
    /// lost.</summary>
    /// <param name="text">The text.</param>
    /// <param name="words">Its words.</param>
    /// <param name="sentences">Where to put the slices.</param>
    public static void Split(ReadOnlySpan<char> text, TextSpans words, TextSpans sentences)
    {
        sentences.Clear();
        var cutter = new Cutter();
        int from = 0, end = 0;
        for (var w = 0; w < words.Count; w++)
        {
            var start = words.Starts[w];
            if (cutter.StartsAt(text, end, start, (WordFlags)words.Flags[w], out var cut))
            {
                sentences.Add(from, cut);
                from = cut;
            }
            end = words.Ends[w];
        }
        if (from < text.Length)
            sentences.Add(from, text.Length);
    }

    /// <summary>The same slices of an English text on its own.</summary>
    public static List<Range> Split(string text)
    {
        var view = new TextView();
        view.Reset(text);
        return view.SentencesIn("en");
    }

    /// <summary>Number of sentences among the words from <paramref name="first"/> to before <paramref name="last"/>, as of a
    /// text that begins and ends with them; none if there are no words.</summary>
    public static int Count(ReadOnlySpan<char> text, TextSpans words, int first, int last)
    {
        if (first == last)
            return 0;
        var starts = words.Starts;
        var ends = words.Ends;
        var flags = words.Flags;
        var cutter = new Cutter();
        var count = 1;
        for (var w = first; w < last; w++)
            count += cutter.StartsAt(text, w == first ? starts[w] : ends[w - 1], starts[w], (WordFlags)flags[w], out _) ? 1 : 0;
        return count;
    }

    private struct Cutter
    {
        private bool _ended;

        /// <summary>Whether a sentence starts at this word or at the white space before it, which begins at
        /// <paramref name="end"/>.</summary>
        public bool StartsAt(ReadOnlySpan<char> text, int end, int start, WordFlags word, out int cut)
        {
            cut = end;
            if (!_ended)
            {
                _ended = (word & WordFlags.SentenceEnd) != 0;
                return false;
            }
            // A single space is no token of its own; what else is between two words is one, and starts the sentence.
            var space = start - end > 1 || (start > end && text[end] != ' ');
            var isStart = space || (word & (WordFlags.NonPunctuation | WordFlags.SentenceEnd)) == WordFlags.NonPunctuation;
            if (isStart)
                _ended = (word & WordFlags.SentenceEnd) != 0;
            return isStart;
        }
    }
}
