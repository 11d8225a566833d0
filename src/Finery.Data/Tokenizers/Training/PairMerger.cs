using System.Runtime.InteropServices;

namespace Finery.Data.Tokenizers;

/// <summary>
/// The merge loop of BPE training: a max-heap of pairs whose stored counts are refreshed lazily when they reach the top, and
/// for each pair the words that contain it, so that a merge touches only those. A word is a distinct chunk with its count.
/// </summary>
internal sealed class PairMerger
{
    private readonly List<string> _tokens;
    private readonly Dictionary<string, int> _ids = new(StringComparer.Ordinal);
    private readonly List<int> _byteLengths = [];
    private readonly HashSet<string> _reserved;
    private readonly int _maxLength;

    private readonly int[] _symbols; // all words one after the other
    private readonly int[] _starts, _lengths;
    private readonly long[] _counts;
    private readonly Dictionary<ulong, Pair> _pairs = [];
    private readonly PriorityQueue<ulong, (long Count, ulong Pair)> _queue = new(MostFrequentFirst.Instance);
    private readonly List<ulong> _gained = [];

    /// <param name="counts">Distinct chunks and how often each occurs.</param>
    /// <param name="tokens">The vocabulary so far: special tokens, then the 256 byte characters. New tokens are appended.</param>
    /// <param name="special">Texts of control tokens: no merge may make one of them out of ordinary text.</param>
    /// <param name="maxLength">Merged tokens have fewer bytes than this.</param>
    public PairMerger(IReadOnlyDictionary<byte[], long> counts, List<string> tokens, IReadOnlyList<string> special, int maxLength)
    {
        _tokens = tokens;
        _maxLength = maxLength;
        _reserved = new HashSet<string>(special, StringComparer.Ordinal);
        for (int id = 0; id < tokens.Count; id++)
        {
            _ids[tokens[id]] = id;
            _byteLengths.Add(1); // special tokens never take part in a merge
        }

        var byteIds = new int[256];
        for (int i = 0; i < 256; i++) byteIds[ByteAlphabet.SortedBytes[i]] = special.Count + i;
        long bytes = counts.Keys.Sum(chunk => (long)chunk.Length);
        if (bytes > Array.MaxLength)
            throw new InvalidDataException($"The distinct chunks hold {bytes} bytes; the limit is {Array.MaxLength}. " +
                "Lower MaxCorpusChars or MaxDocumentChars.");
        _symbols = new int[bytes];
        _starts = new int[counts.Count];
        _lengths = new int[counts.Count];
        _counts = new long[counts.Count];
        int word = 0, at = 0;
        foreach (var (chunk, count) in counts)
        {
            (_starts[word], _lengths[word], _counts[word++]) = (at, chunk.Length, count);
            foreach (byte value in chunk) _symbols[at++] = byteIds[value];
        }
    }

    /// <summary>Merges until the vocabulary has <paramref name="vocabSize"/> entries or no pair is frequent enough.</summary>
    /// <returns>Merged pairs of ids, by rank.</returns>
    public List<(int Left, int Right)> Merge(int vocabSize, long minFrequency, Action<int>? report = null)
    {
        CountAllPairs();
        var merges = new List<(int, int)>();
        var known = new HashSet<ulong>();
        while (_tokens.Count < vocabSize && _queue.TryDequeue(out ulong key, out var top))
        {
            if (!_pairs.TryGetValue(key, out Pair? pair)) continue;
            if (pair.Count != top.Count)
            {
                if (pair.Count > 0) _queue.Enqueue(key, (pair.Count, key));
                continue;
            }
            if (pair.Count < minFrequency) break;

            _pairs.Remove(key);
            (int left, int right) = ((int)(key >> 32), (int)key);
            string text = _tokens[left] + _tokens[right];
            if (_reserved.Contains(text)) continue;
            if (!_ids.TryGetValue(text, out int merged))
            {
                _ids[text] = merged = _tokens.Count;
                _tokens.Add(text);
                _byteLengths.Add(_byteLengths[left] + _byteLengths[right]);
            }
            if (known.Add(key)) merges.Add((left, right));
            Replace(pair, left, right, merged);
            if ((merges.Count & 255) == 0) report?.Invoke(_tokens.Count);
        }
        report?.Invoke(_tokens.Count);
        return merges;
    }

    private void CountAllPairs()
    {
        for (int word = 0; word < _starts.Length; word++)
        {
            int start = _starts[word];
            for (int i = start + 1; i < start + _lengths[word]; i++) Gain(_symbols[i - 1], _symbols[i], word);
        }
        EnqueueGained();
    }

    /// <summary>Replaces (left, right) by <paramref name="merged"/> in every word of the pair, left to right without overlap,
    /// and moves the counts of the neighbouring pairs.</summary>
    private void Replace(Pair pair, int left, int right, int merged)
    {
        foreach (int word in pair.Words)
        {
            Span<int> symbols = _symbols.AsSpan(_starts[word], _lengths[word]);
            int kept = 0;
            for (int i = 0; i < symbols.Length; i++)
            {
                if (symbols[i] != left || i + 1 >= symbols.Length || symbols[i + 1] != right)
                {
                    symbols[kept++] = symbols[i];
                    continue;
                }
                if (kept > 0)
                {
                    Lose(symbols[kept - 1], left, word);
                    Gain(symbols[kept - 1], merged, word);
                }
                if (i + 2 < symbols.Length)
                {
                    Lose(right, symbols[i + 2], word);
                    Gain(merged, symbols[i + 2], word);
                }
                symbols[kept++] = merged;
                i++;
            }
            _lengths[word] = kept;
        }
        EnqueueGained();
    }

    private void Gain(int left, int right, int word)
    {
        if ((long)_byteLengths[left] + _byteLengths[right] >= _maxLength) return;
        ulong key = Key(left, right);
        ref Pair? slot = ref CollectionsMarshal.GetValueRefOrAddDefault(_pairs, key, out _);
        Pair pair = slot ??= new Pair();
        pair.Count += _counts[word];
        if (pair.Words.Count == 0 || pair.Words[^1] != word) pair.Words.Add(word);
        if (pair.IsQueued) return;
        pair.IsQueued = true;
        _gained.Add(key);
    }

    private void Lose(int left, int right, int word)
    {
        if (_pairs.TryGetValue(Key(left, right), out Pair? pair)) pair.Count -= _counts[word];
    }

    private void EnqueueGained()
    {
        foreach (ulong key in _gained)
        {
            if (!_pairs.TryGetValue(key, out Pair? pair)) continue;
            pair.IsQueued = false;
            if (pair.Count > 0) _queue.Enqueue(key, (pair.Count, key));
        }
        _gained.Clear();
    }

    private static ulong Key(int left, int right) => ((ulong)(uint)left << 32) | (uint)right;

    private sealed class Pair
    {
        public long Count;
        public bool IsQueued; // already in the list of pairs that gained in this step
        public readonly List<int> Words = [];
    }

    private sealed class MostFrequentFirst : IComparer<(long Count, ulong Pair)>
    {
        public static readonly MostFrequentFirst Instance = new();

        public int Compare((long Count, ulong Pair) x, (long Count, ulong Pair) y) =>
            x.Count != y.Count ? y.Count.CompareTo(x.Count) : x.Pair.CompareTo(y.Pair);
    }
}
