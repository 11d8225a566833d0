namespace Finery.Data.Filters.Urls;

/// <summary>
/// Finds whether any of many words occurs in a text, in one pass (Aho and Corasick 1975), as a table of transitions over
/// lower-case ASCII letters and digits.
/// </summary>
internal sealed class AhoCorasick
{
    private const int Symbols = 36;

    private readonly int[] _next;
    private readonly bool[] _ends;

    /// <exception cref="ArgumentException">A word is empty or has other characters.</exception>
    public AhoCorasick(IEnumerable<string> words)
    {
        List<int[]> nodes = [NewNode()];
        List<bool> ends = [false];
        foreach (var word in words)
        {
            if (word.Length == 0)
                throw new ArgumentException("An empty word occurs everywhere.", nameof(words));
            var node = 0;
            foreach (var c in word)
            {
                var symbol = SymbolOf(c);
                if (symbol < 0)
                    throw new ArgumentException($"'{word}' has a character other than a-z and 0-9.", nameof(words));
                if (nodes[node][symbol] < 0)
                {
                    nodes[node][symbol] = nodes.Count;
                    nodes.Add(NewNode());
                    ends.Add(false);
                }
                node = nodes[node][symbol];
            }
            ends[node] = true;
        }
        _ends = [.. ends];
        _next = new int[nodes.Count * Symbols];
        Complete(nodes);
    }

    /// <summary>Whether a word occurs in the ASCII letters and digits of <paramref name="text"/>, letters taken as lower
    /// case and everything else left out.</summary>
    public bool OccursIn(ReadOnlySpan<char> text)
    {
        var state = 0;
        foreach (var c in text)
        {
            var symbol = SymbolOf(c is >= 'A' and <= 'Z' ? (char)(c | 0x20) : c);
            if (symbol < 0)
                continue;
            state = _next[state * Symbols + symbol];
            if (_ends[state])
                return true;
        }
        return false;
    }

    // Breadth first: a missing transition is that of the longest proper suffix that is a node, which is already complete.
    private void Complete(List<int[]> nodes)
    {
        var suffix = new int[nodes.Count];
        var queue = new Queue<int>([0]);
        while (queue.TryDequeue(out var node))
        {
            _ends[node] |= _ends[suffix[node]];
            for (var symbol = 0; symbol < Symbols; symbol++)
            {
                var inherited = node == 0 ? 0 : _next[suffix[node] * Symbols + symbol];
                var child = nodes[node][symbol];
                _next[node * Symbols + symbol] = child < 0 ? inherited : child;
                if (child < 0)
                    continue;
                suffix[child] = inherited;
                queue.Enqueue(child);
            }
        }
    }

    private static int[] NewNode()
    {
        var node = new int[Symbols];
        Array.Fill(node, -1);
        return node;
    }

    private static int SymbolOf(char c) => c is >= 'a' and <= 'z' ? c - 'a' : char.IsAsciiDigit(c) ? c - '0' + 26 : -1;
}
