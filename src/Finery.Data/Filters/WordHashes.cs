namespace Finery.Data.Filters;

/// <summary>
/// Hashes of any run of words in constant time, from polynomial prefix hashes modulo 2^61-1 (Karp and Rabin 1987): one set
/// over the words joined by single spaces, one over the words joined by nothing, as the published rules compare them.
/// </summary>
internal sealed class WordHashes
{
    private const ulong Modulus = (1UL << 61) - 1;

    // Any fixed odd value far from 0 and the modulus; collisions have probability about length / 2^61.
    private const ulong Radix = 0x0A3F_17B5_9C24_D86BUL;

    private readonly int _count;
    private readonly ulong[] _spaced;
    private readonly ulong[] _packed;
    private readonly int[] _units;
    private readonly int[] _lengths;
    private readonly ulong[] _powers;

    public WordHashes(string text, List<Range> words)
    {
        _count = words.Count;
        _spaced = new ulong[_count + 1];
        _packed = new ulong[_count + 1];
        _units = new int[_count + 1];
        _lengths = new int[_count + 1];
        for (var w = 0; w < _count; w++)
        {
            var word = text.AsSpan(words[w]);
            ulong spaced = _spaced[w], packed = _packed[w];
            foreach (var c in word)
            {
                spaced = Step(spaced, c);
                packed = Step(packed, c);
            }
            _spaced[w + 1] = Step(spaced, ' ');
            _packed[w + 1] = packed;
            _units[w + 1] = _units[w] + word.Length;
            _lengths[w + 1] = _lengths[w] + CharacterSets.Length(word);
        }
        _powers = new ulong[_units[_count] + _count + 1];
        _powers[0] = 1;
        for (var i = 1; i < _powers.Length; i++)
            _powers[i] = Multiply(_powers[i - 1], Radix);
    }

    /// <summary>Length of the most frequent n-gram (words joined by a space) times its count; of equals, the first.</summary>
    public long TopNGramLength(int n)
    {
        var seen = new Dictionary<ulong, (int Count, int First)>();
        (int Count, int First) best = default;
        for (var i = 0; i + n <= _count; i++)
        {
            ref var entry = ref System.Runtime.InteropServices.CollectionsMarshal.GetValueRefOrAddDefault(
                seen, Between(_spaced, i, i + n, _units[i + n] - _units[i] + n), out var exists);
            entry = exists ? (entry.Count + 1, entry.First) : (1, i);
            if (entry.Count > best.Count || (entry.Count == best.Count && entry.First < best.First))
                best = entry;
        }
        return best.Count == 0 ? 0 : (long)best.Count * (_lengths[best.First + n] - _lengths[best.First] + n - 1);
    }

    /// <summary>Length of all n-grams (words joined by nothing) seen before, scanned without overlap.</summary>
    public long DuplicateNGramLength(int n)
    {
        var seen = new HashSet<ulong>(_count);
        long length = 0;
        for (var i = 0; i + n <= _count;)
        {
            if (seen.Add(Between(_packed, i, i + n, _units[i + n] - _units[i])))
            {
                i++;
                continue;
            }
            length += _lengths[i + n] - _lengths[i];
            i += n;
        }
        return length;
    }

    private ulong Between(ulong[] prefix, int from, int to, int units)
    {
        var shifted = Multiply(prefix[from], _powers[units]);
        return prefix[to] >= shifted ? prefix[to] - shifted : prefix[to] + Modulus - shifted;
    }

    private static ulong Step(ulong hash, char c) => Reduce(Multiply(hash, Radix) + c + 1);

    private static ulong Multiply(ulong a, ulong b)
    {
        var high = Math.BigMul(a, b, out var low);
        return Reduce((low & Modulus) + ((low >> 61) | (high << 3)));
    }

    private static ulong Reduce(ulong value) => value >= Modulus ? value - Modulus : value;
}
