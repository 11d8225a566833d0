using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Text;

namespace Finery.Data.Tokenizers;

/// <summary>
/// The merge loop of BPE training: a heap of pairs whose counts are refreshed when they reach the top, and for each pair the
/// words that contain it, so that a merge touches only those. A word is a distinct chunk with its count.
/// </summary>
/// <remarks>All words lie in one array: number of symbols, count (two elements), symbols; a word is known by its index there.
/// What a merge changes is first summed by neighbouring id, so that the table of pairs is asked once for each.</remarks>
internal sealed class PairMerger
{
    private const int Header = 3, None = -1;
    private static readonly TimeSpan BetweenReports = TimeSpan.FromMilliseconds(100);

    private readonly List<string> _tokens;
    private readonly Dictionary<string, int> _ids = new(StringComparer.Ordinal);
    private readonly List<int> _byteLengths = [];
    private readonly HashSet<string> _reserved;
    private readonly string[] _forbidden;
    private readonly int _maxLength, _firstByte;

    private readonly int[] _words;
    private readonly PairCounts _pairs = new();
    private readonly WordLists _lists = new();
    private readonly PairHeap _heap = new();
    private readonly Neighbours _left = new(), _right = new();

    /// <param name="counts">Distinct chunks; emptied, to have their memory back.</param>
    /// <param name="tokens">The vocabulary so far. New tokens are appended.</param>
    /// <param name="firstByte">Id of the first byte.</param>
    /// <param name="bytes">All bytes in the order of their ids.</param>
    /// <param name="special">Texts of control tokens: no token is made that contains one.</param>
    /// <param name="maxLength">Merged tokens have fewer bytes than this.</param>
    public PairMerger(
        ChunkCounts counts, List<string> tokens, int firstByte, ReadOnlySpan<byte> bytes, IReadOnlyList<string> special, int maxLength)
    {
        (_tokens, _maxLength, _firstByte) = (tokens, maxLength, firstByte);
        _reserved = new HashSet<string>(special, StringComparer.Ordinal);
        _forbidden = [.. special.Select(text => ByteAlphabet.ToText(Encoding.UTF8.GetBytes(text)))];
        for (int id = 0; id < tokens.Count; id++)
        {
            _ids[tokens[id]] = id;
            _byteLengths.Add(1); // special tokens never take part in a merge
        }
        var byteIds = new int[256];
        for (int i = 0; i < 256; i++) byteIds[bytes[i]] = firstByte + i;
        _words = WordsOf(counts, byteIds);
    }

    /// <summary>Merges until the vocabulary has <paramref name="vocabSize"/> entries or no pair is frequent enough.</summary>
    /// <returns>Merged pairs of ids, by rank.</returns>
    public List<(int Left, int Right)> Merge(
        int vocabSize, long minFrequency, Action<int>? report = null, CancellationToken stop = default)
    {
        CountBytePairs(minFrequency);
        var merges = new List<(int, int)>();
        var known = new HashSet<ulong>();
        long reported = Stopwatch.GetTimestamp();
        while (_tokens.Count < vocabSize && !_heap.IsEmpty)
        {
            var (count, key) = _heap.Top;
            ref var pair = ref _pairs.Find(key);
            if (Unsafe.IsNullRef(ref pair) || pair.Count < minFrequency)
            {
                _heap.Pop();
                continue;
            }
            if (pair.Count != count)
            {
                _heap.LowerTop(pair.Count);
                continue;
            }
            stop.ThrowIfCancellationRequested();
            _heap.Pop();
            (int words, int list) = (pair.Words, pair.List);
            _pairs.Remove(ref pair);
            (int left, int right) = ((int)(key >> 32), (int)key);
            if (IdOf(left, right) is { } merged)
            {
                if (known.Add(key)) merges.Add((left, right));
                Replace(words == 1 ? [list] : _lists.Block(list, words), left, right, merged);
                Announce(left, right, merged, minFrequency);
            }
            if (words > 1) _lists.Free(list, words);
            if (report is null || Stopwatch.GetElapsedTime(reported) < BetweenReports) continue;
            report(_tokens.Count);
            reported = Stopwatch.GetTimestamp();
        }
        report?.Invoke(_tokens.Count);
        return merges;
    }

    /// <summary>Id of the two joined, a new one unless there is such a token already; null if there must be none.</summary>
    private int? IdOf(int left, int right)
    {
        string text = _tokens[left] + _tokens[right];
        if (_reserved.Contains(text)) return null;
        foreach (string special in _forbidden)
        {
            if (text.Contains(special, StringComparison.Ordinal)) return null;
        }
        if (_ids.TryGetValue(text, out int known)) return known;
        _ids[text] = _tokens.Count;
        _tokens.Add(text);
        _byteLengths.Add(_byteLengths[left] + _byteLengths[right]);
        return _tokens.Count - 1;
    }

    private static int[] WordsOf(ChunkCounts counts, int[] byteIds)
    {
        long size = 0;
        foreach (var shard in counts.Shards)
        {
            foreach (ref readonly var chunk in shard.Slots)
            {
                if (chunk.Length > 1) size += Header + chunk.Length;
            }
        }
        if (size > Array.MaxLength)
            throw new InvalidDataException($"The distinct chunks take {size} symbols; the limit is {Array.MaxLength}. " +
                "Lower MaxMemory, MaxDocumentChars or MaxCorpusChars.");
        var words = GC.AllocateUninitializedArray<int>((int)size);
        int at = 0;
        for (int i = 0; i < counts.Shards.Count; i++)
        {
            var shard = counts.Shards[i];
            foreach (ref readonly var chunk in shard.Slots)
            {
                if (chunk.Length < 2) continue;
                words[at++] = chunk.Length;
                Unsafe.WriteUnaligned(ref Unsafe.As<int, byte>(ref words[at]), chunk.Count);
                at += 2;
                foreach (byte value in shard.ChunkOf(chunk)) words[at++] = byteIds[value];
            }
            counts.Release(i);
        }
        return words;
    }

    private long CountOf(int word) => Unsafe.ReadUnaligned<long>(ref Unsafe.As<int, byte>(ref _words[word + 1]));

    /// <summary>Counts the pairs of bytes in one pass, and lists their words in another.</summary>
    private void CountBytePairs(long minFrequency)
    {
        if (_maxLength <= 2) return;
        int first = _firstByte;
        var pairs = new (long Count, int Last, int Words, int[] Page, int Offset)[1 << 16];
        for (int i = 0; i < pairs.Length; i++) pairs[i].Last = None;
        for (int word = 0, length; word < _words.Length; word += Header + length)
        {
            length = _words[word];
            long count = CountOf(word);
            for (int i = word + Header; i < word + Header + length - 1; i++)
            {
                ref var pair = ref pairs[((_words[i] - first) << 8) | (_words[i + 1] - first)];
                pair.Count += count;
                if (pair.Last == word) continue;
                pair.Last = word;
                pair.Words++;
            }
        }
        for (int i = 0; i < pairs.Length; i++)
        {
            ref var counted = ref pairs[i];
            if (counted.Words == 0) continue;
            ulong key = PairCounts.Key((i >> 8) + first, (i & 255) + first);
            ref var pair = ref _pairs.FindOrAdd(key);
            (pair.Count, pair.Words) = (counted.Count, counted.Words);
            pair.List = counted.Words == 1 ? counted.Last : _lists.Allocate(counted.Words);
            if (counted.Words > 1) (counted.Page, counted.Offset) = _lists.Place(pair.List);
            counted.Last = None;
            if (pair.Count >= minFrequency) _heap.Push(pair.Count, key);
        }
        for (int word = 0, length; word < _words.Length; word += Header + length)
        {
            length = _words[word];
            for (int i = word + Header; i < word + Header + length - 1; i++)
            {
                ref var pair = ref pairs[((_words[i] - first) << 8) | (_words[i + 1] - first)];
                if (pair.Words == 1 || pair.Last == word) continue;
                pair.Last = word;
                pair.Page[pair.Offset++] = word;
            }
        }
    }

    /// <summary>Replaces (left, right) by <paramref name="merged"/> in every word of a list, left to right without overlap, and
    /// notes what stood on either side.</summary>
    private void Replace(ReadOnlySpan<int> list, int left, int right, int merged)
    {
        _left.Reserve(_tokens.Count);
        _right.Reserve(_tokens.Count);
        foreach (int word in list)
        {
            var symbols = _words.AsSpan(word + Header, _words[word]);
            int i = 0;
            while (i + 1 < symbols.Length && (symbols[i] != left || symbols[i + 1] != right)) i++;
            if (i + 1 >= symbols.Length) continue; // merged otherwise since
            long count = CountOf(word);
            int kept = i;
            while (i < symbols.Length)
            {
                if (symbols[i] != left || i + 1 >= symbols.Length || symbols[i + 1] != right)
                {
                    symbols[kept++] = symbols[i++];
                    continue;
                }
                if (kept > 0) _left.Add(symbols[kept - 1], count, word);
                if (i + 2 < symbols.Length) _right.Add(symbols[i + 2], count, word);
                symbols[kept++] = merged;
                i += 2;
            }
            _words[word] = kept;
        }
    }

    /// <summary>Moves the counts of the neighbouring pairs: (x, left) and (right, y) become (x, merged) and (merged, y).</summary>
    private void Announce(int left, int right, int merged, long minFrequency)
    {
        foreach (int x in _left.Ids) Gain(x, merged, ref _left[x], minFrequency);
        _left.FillLists(); // before (merged, merged) can gain from the right as well
        foreach (int y in _right.Ids) Gain(merged, y, ref _right[y], minFrequency);
        _right.FillLists();
        foreach (int x in _left.Ids) Lose(x, left, _left[x].Count);
        foreach (int y in _right.Ids) Lose(right, y, _right[y].Count);
        _left.Clear();
        _right.Clear();
    }

    private void Gain(int left, int right, ref Neighbours.Neighbour neighbour, long minFrequency)
    {
        if ((long)_byteLengths[left] + _byteLengths[right] >= _maxLength) return;
        ulong key = PairCounts.Key(left, right);
        ref var pair = ref _pairs.FindOrAdd(key);
        pair.Count += neighbour.Count;
        int before = pair.Words;
        pair.Words += neighbour.Words;
        if (pair.Words == 1)
        {
            pair.List = neighbour.LastWord;
        }
        else
        {
            int list = _lists.Allocate(pair.Words);
            if (before > 0)
            {
                // A token made in two ways gains pairs it had before.
                ReadOnlySpan<int> old = before == 1 ? [pair.List] : _lists.Block(pair.List, before);
                old.CopyTo(_lists.Block(list, before));
                if (before > 1) _lists.Free(pair.List, before);
            }
            pair.List = list;
            (neighbour.Page, neighbour.Offset) = _lists.Place(list);
            neighbour.Offset += before;
        }
        if (pair.Count >= minFrequency) _heap.Push(pair.Count, key);
    }

    private void Lose(int left, int right, long count)
    {
        ref var pair = ref _pairs.Find(PairCounts.Key(left, right));
        if (Unsafe.IsNullRef(ref pair) || (pair.Count -= count) > 0) return;
        if (pair.Words > 1) _lists.Free(pair.List, pair.Words);
        _pairs.Remove(ref pair);
    }
}
