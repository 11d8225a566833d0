namespace Finery.Data.Filters.Segmentation;

/// <summary>
/// Exceptions found once more among the words of a piece: of those that the rules would cut (<c>:)</c>, <c>and/or</c>,
/// <c>b.</c>), any run of words that equals the words such an exception would be cut into becomes what the exception says.
/// Longer runs go first, then earlier ones.
/// </summary>
internal sealed class RejoinedWords
{
    private const int FilterBits = 1 << 13;

    private static readonly List<Pattern> s_none = [];

    private readonly Dictionary<(char, char), List<Pattern>> _patterns = [];
    private readonly bool[] _filter = new bool[FilterBits];
    private readonly WordExceptions _exceptions;

    /// <summary>Splits a range of a text, with or without looking for exceptions.</summary>
    public delegate void RuleSplitter(ReadOnlySpan<char> text, int start, int end, TextSpans words, bool useExceptions);

    public RejoinedWords(WordExceptions exceptions, RuleSplitter split)
    {
        _exceptions = exceptions;
        var words = new TextSpans();
        foreach (var key in exceptions.All)
        {
            words.Clear();
            split(key, 0, key.Length, words, useExceptions: false);
            if (words.Count < 2)
                continue;
            var pair = (key[0], key[1]);
            if (!_patterns.TryGetValue(pair, out var list))
                _patterns.Add(pair, list = []);
            var ends = words.Ends.ToArray();
            var end = 0;
            var parts = exceptions.Find(key)!.Select(length => end += length);
            list.Add(new(key, ends, Changes: !parts.SequenceEqual(ends)));
            _filter[Slot(key[0], key[1])] = true;
        }
    }

    /// <summary>Mends the words from <paramref name="from"/> on, which are all of one piece.</summary>
    public void Apply(ReadOnlySpan<char> text, int from, TextSpans words)
    {
        // Most that is found is a contraction already parted as it should be: nothing is gathered before there is need.
        var starts = words.Starts;
        var ends = words.Ends;
        for (var w = from; w < starts.Length - 1; w++)
            foreach (var pattern in PatternsAt(text, starts[w]))
                if (pattern.Changes && pattern.IsAt(text[starts[w]..ends[^1]], ends[w..], starts[w]))
                {
                    Replace(text, from, words);
                    return;
                }
    }

    private List<Pattern> PatternsAt(ReadOnlySpan<char> text, int start) =>
        _filter[Slot(text[start], text[start + 1])] && _patterns.TryGetValue((text[start], text[start + 1]), out var patterns)
            ? patterns : s_none;

    private void Replace(ReadOnlySpan<char> text, int from, TextSpans words)
    {
        var found = new List<(int First, int Count)>();
        for (var w = from; w < words.Count - 1; w++)
            foreach (var pattern in PatternsAt(text, words.Starts[w]))
                if (pattern.IsAt(text[words.Starts[w]..words.Ends[^1]], words.Ends[w..], words.Starts[w]))
                    found.Add((w, pattern.Ends.Length));
        var taken = new HashSet<int>();
        var chosen = new Dictionary<int, int>();
        foreach (var (first, count) in found.OrderByDescending(run => run.Count).ThenBy(run => run.First))
        {
            if (!taken.Contains(first) && !taken.Contains(first + count - 1))
                chosen[first] = count;
            taken.UnionWith(Enumerable.Range(first, count));
        }
        var (starts, ends) = (words.Starts[from..].ToArray(), words.Ends[from..].ToArray());
        words.Truncate(from);
        for (var w = 0; w < starts.Length;)
        {
            if (!chosen.TryGetValue(from + w, out var count))
            {
                WordSplitter.Add(text, starts[w], ends[w], words);
                w++;
                continue;
            }
            var start = starts[w];
            foreach (var length in _exceptions.Find(text[start..ends[w + count - 1]])!)
            {
                WordSplitter.Add(text, start, start + length, words);
                start += length;
            }
            w += count;
        }
    }

    private static int Slot(char first, char second) => ((first * 167) ^ (second * 13)) & (FilterBits - 1);

    /// <param name="Key">The exception.</param>
    /// <param name="Ends">Where the words end that the rules cut it into.</param>
    /// <param name="Changes">Whether the exception parts otherwise.</param>
    private sealed record Pattern(string Key, int[] Ends, bool Changes)
    {
        /// <summary>Whether text and word ends, relative to <paramref name="offset"/>, begin like this.</summary>
        public bool IsAt(ReadOnlySpan<char> text, ReadOnlySpan<int> ends, int offset)
        {
            if (ends.Length < Ends.Length || !text.StartsWith(Key, StringComparison.Ordinal))
                return false;
            for (var i = 0; i < Ends.Length; i++)
                if (ends[i] - offset != Ends[i])
                    return false;
            return true;
        }
    }
}
