namespace Finery.Data.Filters.Segmentation;

/// <summary>
/// Exceptions found once more among the words of a piece: of those that the rules would cut (<c>:)</c>, <c>and/or</c>,
/// <c>b.</c>), any run of words that equals the words such an exception would be cut into becomes what the exception says.
/// Longer runs go first, then earlier ones.
/// </summary>
internal sealed class RejoinedWords
{
    private const int FilterBits = 1 << 13;

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
            list.Add(new(key, words.Ends.ToArray()));
            _filter[Slot(key[0], key[1])] = true;
        }
    }

    /// <summary>Mends the words from <paramref name="from"/> on, which are all of one piece.</summary>
    public void Apply(ReadOnlySpan<char> text, int from, TextSpans words)
    {
        var starts = words.Starts;
        var ends = words.Ends;
        List<(int First, int Count)>? found = null;
        for (var w = from; w < starts.Length - 1; w++)
        {
            var start = starts[w];
            if (!_filter[Slot(text[start], text[start + 1])]
                || !_patterns.TryGetValue((text[start], text[start + 1]), out var patterns))
                continue;
            foreach (var pattern in patterns)
                if (pattern.IsAt(text[start..ends[^1]], ends[w..], start))
                    (found ??= []).Add((w, pattern.Ends.Length));
        }
        if (found is not null)
            Replace(text, from, found, words);
    }

    private void Replace(ReadOnlySpan<char> text, int from, List<(int First, int Count)> found, TextSpans words)
    {
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

    private sealed record Pattern(string Key, int[] Ends)
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
