using System.Buffers;
using Finery.Data.Filters.Segmentation;

namespace Finery.Data.Filters;

/// <summary>The ways published rules cut a text into lines and paragraphs; each differs in what empty ones count.</summary>
internal static class Lines
{
    private static readonly SearchValues<char> s_lineEnds =
        SearchValues.Create([.. Enumerable.Range(0, 0x10000).Select(c => (char)c).Where(CharacterSets.IsLineEnd)]);

    /// <summary>Python's <c>splitlines</c>: many line ends, no empty last line.</summary>
    public static void SplitLines(ReadOnlySpan<char> text, TextSpans lines)
    {
        lines.Clear();
        for (var start = 0; start < text.Length;)
        {
            var length = text[start..].IndexOfAny(s_lineEnds);
            var end = length < 0 ? text.Length : start + length;
            lines.Add(start, end);
            start = end + (end + 1 < text.Length && text[end] == '\r' && text[end + 1] == '\n' ? 2 : 1);
        }
    }

    /// <summary>Splits at runs of at least <paramref name="minRun"/> line feeds; shorter runs stay inside, and the pieces before
    /// a leading and after a trailing run count although empty.</summary>
    /// <param name="text">The whole text.</param>
    /// <param name="from">Where to begin.</param>
    /// <param name="end">Where to stop.</param>
    /// <param name="minRun">Fewest line feeds that separate.</param>
    /// <param name="pieces">Where to put the pieces.</param>
    public static void SplitAtRuns(ReadOnlySpan<char> text, int from, int end, int minRun, TextSpans pieces)
    {
        pieces.Clear();
        var start = from;
        for (var i = from; i < end;)
        {
            var feed = text[i..end].IndexOf('\n');
            if (feed < 0)
                break;
            var run = i + feed;
            for (i = run; i < end && text[i] == '\n';)
                i++;
            if (i - run < minRun)
                continue;
            pieces.Add(start, run);
            start = i;
        }
        pieces.Add(start, end);
    }

    /// <summary>Repeats after the first occurrence: how many pieces, and how many code points they have.</summary>
    public static (int Count, long Characters) Duplicates(ReadOnlySpan<char> text, TextSpans pieces, FirstOccurrences occurrences)
    {
        var items = new Pieces(text, pieces.Starts, pieces.Ends);
        occurrences.Begin(pieces.Count);
        var count = 0;
        long characters = 0;
        for (var i = 0; i < pieces.Count; i++)
        {
            var piece = items[i];
            if (occurrences.Find(TextHash.Of(piece), i, items) == i)
                continue;
            count++;
            characters += CharacterSets.Length(piece);
        }
        return (count, characters);
    }

    private readonly ref struct Pieces(ReadOnlySpan<char> text, ReadOnlySpan<int> starts, ReadOnlySpan<int> ends) : INumberedItems
    {
        private readonly ReadOnlySpan<char> _text = text;
        private readonly ReadOnlySpan<int> _starts = starts;
        private readonly ReadOnlySpan<int> _ends = ends;

        public ReadOnlySpan<char> this[int index] => _text[_starts[index].._ends[index]];

        public bool Same(int first, int second) => this[first].SequenceEqual(this[second]);
    }
}
