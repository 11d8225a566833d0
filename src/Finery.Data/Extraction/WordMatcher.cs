namespace Finery.Data.Extraction;

/// <summary>
/// Tells in one pass which groups of words occur anywhere in a text, in any case: the automaton of Aho and Corasick with all
/// transitions worked out. Words are of letters, <c>-</c>, <c>_</c> and white space.
/// </summary>
internal sealed class WordMatcher
{
    private const int Symbols = 32;
    private const int Dash = 27;
    private const int Underscore = 28;
    private const int Space = 29;

    private static readonly byte[] SymbolOf = FillSymbols();
    private readonly List<ushort[]> _states = [new ushort[Symbols]];
    private readonly List<uint> _found = [0];
    private readonly ushort[] _transitions;
    private readonly uint[] _groups;

    /// <summary>A matcher for groups of words, each told by its bits.</summary>
    public WordMatcher(IEnumerable<(uint Group, string[] Words)> groups)
    {
        foreach (var (group, words) in groups)
        {
            foreach (var word in words)
                Add(word, group);
        }
        Complete();
        _transitions = [.. _states.SelectMany(state => state)];
        _groups = [.. _found];
    }

    /// <summary>The groups of the words that occur.</summary>
    public uint Match(ReadOnlySpan<char> text)
    {
        uint found = 0;
        var state = 0;
        foreach (var c in text)
        {
            var symbol = c < 128 ? SymbolOf[c] : 0;
            state = _transitions[state * Symbols + symbol];
            found |= _groups[state];
        }
        return found;
    }

    private void Add(string word, uint group)
    {
        var state = 0;
        foreach (var c in word)
        {
            var symbol = c < 128 ? SymbolOf[c] : 0;
            if (symbol == 0)
                throw new ArgumentException($"'{word}' holds '{c}'.", nameof(word));
            if (_states[state][symbol] == 0)
            {
                _states[state][symbol] = checked((ushort)_states.Count);
                _states.Add(new ushort[Symbols]);
                _found.Add(0);
            }
            state = _states[state][symbol];
        }
        _found[state] |= group;
    }

    // Where a word goes on no further, the longest end of what was read that starts another word takes over.
    private void Complete()
    {
        var fallback = new ushort[_states.Count];
        var queue = new Queue<ushort>();
        foreach (var next in _states[0])
        {
            if (next != 0)
                queue.Enqueue(next);
        }
        while (queue.TryDequeue(out var state))
        {
            _found[state] |= _found[fallback[state]];
            for (var symbol = 0; symbol < Symbols; symbol++)
            {
                var next = _states[state][symbol];
                var other = _states[fallback[state]][symbol];
                if (next == 0)
                    _states[state][symbol] = other;
                else
                {
                    fallback[next] = other;
                    queue.Enqueue(next);
                }
            }
        }
    }

    private static byte[] FillSymbols()
    {
        var symbols = new byte[128];
        for (var c = 'a'; c <= 'z'; c++)
            symbols[c] = symbols[char.ToUpperInvariant(c)] = (byte)(c - 'a' + 1);
        symbols['-'] = Dash;
        symbols['_'] = Underscore;
        symbols[' '] = symbols['\t'] = symbols['\n'] = symbols['\r'] = symbols['\f'] = Space;
        return symbols;
    }
}
