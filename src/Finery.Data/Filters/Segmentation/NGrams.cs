using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Finery.Data.Filters.Segmentation;

/// <summary>
/// How much of a text its repeated runs of words make up, as Gopher's rules count. Exact: hashes only find candidates, which are compared.
/// </summary>
internal sealed class NGrams(FirstOccurrences occurrences)
{
    // A run that repeats another begins with the same characters. Where no other word begins with the same sixteen, no longer run is in the
    // table or looked up; that settles most places for all lengths of run at once.
    private const int Sixteen = 16;

    // Characters kept for the next text; more are let go.
    private const int SmallCapacity = 1 << 22;

    private char[] _packed = [];
    private int[] _offsets = [];
    private int[] _lengths = [];
    private int[] _words = [];
    private int[] _runs = [];
    private int[] _nextRuns = [];
    private int[] _counts = [];
    private int[] _nextCounts = [];
    private bool[] _mayRepeat = [];
    private int _count;
    private int _runLength;

    /// <summary>Goes on to another text and its words.</summary>
    public void Load(ReadOnlySpan<char> text, TextSpans words)
    {
        _count = words.Count;
        Reserve(words);
        Pack(text, words);
        FindEqualWords();
        FindRepeatedBeginnings();
    }

    /// <summary>Code points of the most frequent run of n words joined by a space, times its count; of equally frequent ones, the first.
    /// Quickest asked in ascending order of n.</summary>
    public long TopLength(int n)
    {
        if (n < _runLength)
        {
            _words.AsSpan(0, _count).CopyTo(_runs);
            CountRuns(_count, _counts);
            _runLength = 1;
        }
        while (_runLength < n)
            Lengthen();
        var runs = _count - n + 1;
        if (runs <= 0)
            return 0;
        int best = 0, most = 1;
        for (var i = 0; i < runs; i++)
            if (_counts[i] > most)
                (best, most) = (i, _counts[i]);
        return (long)most * (_lengths[best + n] - _lengths[best] + n - 1);
    }

    /// <summary>Code points of all runs of n words joined by nothing that occurred before, scanned without overlap.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public long RepeatedLength(int n)
    {
        var items = new PackedRuns(_packed, _offsets, n);
        occurrences.Begin(_count);
        ref var offsets = ref MemoryMarshal.GetArrayDataReference(_offsets);
        ref var mayRepeat = ref MemoryMarshal.GetArrayDataReference(_mayRepeat);
        long length = 0;
        for (var i = 0; i + n <= _count;)
        {
            var start = Unsafe.Add(ref offsets, i);
            var size = Unsafe.Add(ref offsets, i + n) - start;
            if ((!Unsafe.Add(ref mayRepeat, i) && size >= Sixteen)
                || occurrences.Find(TextHash.Of(_packed.AsSpan(start, size)), i, items) == i)
            {
                i++;
                continue;
            }
            length += _lengths[i + n] - _lengths[i];
            i += n;
        }
        return length;
    }

    private void Reserve(TextSpans words)
    {
        var units = Sixteen;
        for (var w = 0; w < _count; w++)
            units += words.Ends[w] - words.Starts[w];
        if (_packed.Length < units || (_packed.Length > SmallCapacity && units <= SmallCapacity))
            _packed = new char[Capacity(units)];
        if (_words.Length > _count && (_words.Length <= SmallCapacity || _count > SmallCapacity))
            return;
        var capacity = Capacity(_count + 1);
        _offsets = new int[capacity];
        _lengths = new int[capacity];
        _words = new int[capacity];
        _runs = new int[capacity];
        _nextRuns = new int[capacity];
        _counts = new int[capacity];
        _nextCounts = new int[capacity];
        _mayRepeat = new bool[capacity];

        static int Capacity(int needed) => Math.Max(4096, needed + needed / 2);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Pack(ReadOnlySpan<char> text, TextSpans words)
    {
        var starts = words.Starts;
        var ends = words.Ends;
        var flags = words.Flags;
        int offset = 0, length = 0;
        for (var w = 0; w < starts.Length; w++)
        {
            var word = text[starts[w]..ends[w]];
            word.CopyTo(_packed.AsSpan(offset));
            offset += word.Length;
            length += (flags[w] & (int)WordFlags.Surrogate) == 0 ? word.Length : CharacterSets.Length(word);
            _offsets[w + 1] = offset;
            _lengths[w + 1] = length;
        }
        _packed.AsSpan(offset, Sixteen).Clear();
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void FindEqualWords()
    {
        var items = new PackedRuns(_packed, _offsets, 1);
        occurrences.Begin(_count);
        for (var w = 0; w < _count; w++)
            _words[w] = occurrences.Find(
                TextHash.Of(_packed.AsSpan(_offsets[w], _offsets[w + 1] - _offsets[w])), w, items);
        _words.AsSpan(0, _count).CopyTo(_runs);
        CountRuns(_count, _counts);
        _runLength = 1;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void FindRepeatedBeginnings()
    {
        _mayRepeat.AsSpan(0, _count).Clear();
        occurrences.Begin(_count);
        ref var packed = ref MemoryMarshal.GetArrayDataReference(_packed);
        for (var w = 0; w < _count; w++)
        {
            var first = occurrences.Find(TextHash.OfSixteen(ref Unsafe.Add(ref packed, _offsets[w])), w, default(EqualByHash));
            if (first != w)
                _mayRepeat[first] = _mayRepeat[w] = true;
        }
    }

    /// <summary>From the first equal run of n words of each place to that of n + 1 words: the two are equal if both their first n words and
    /// their last are. One whose first or last n words are alone is alone.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Lengthen()
    {
        var n = _runLength;
        var runs = Math.Max(0, _count - n);
        var items = new LongerRuns(_runs, _words.AsSpan(0, _count)[Math.Min(n, _count)..]);
        occurrences.Begin(runs);
        _nextCounts.AsSpan(0, runs).Clear();
        for (var i = 0; i < runs; i++)
        {
            var alone = _counts[_runs[i]] == 1 || _counts[_runs[i + 1]] == 1;
            var first = alone ? i : occurrences.Find(TextHash.Of(_runs[i], _words[i + n]), i, items);
            _nextRuns[i] = first;
            _nextCounts[first]++;
        }
        (_runs, _nextRuns) = (_nextRuns, _runs);
        (_counts, _nextCounts) = (_nextCounts, _counts);
        _runLength = n + 1;
    }

    private void CountRuns(int runs, int[] counts)
    {
        counts.AsSpan(0, runs).Clear();
        for (var i = 0; i < runs; i++)
            counts[_runs[i]]++;
    }

    private readonly ref struct PackedRuns(char[] packed, int[] offsets, int n) : INumberedItems
    {
        public bool Same(int first, int second)
        {
            int length = offsets[first + n] - offsets[first], other = offsets[second + n] - offsets[second];
            return length == other
                && packed.AsSpan(offsets[first], length).SequenceEqual(packed.AsSpan(offsets[second], length));
        }
    }

    private readonly ref struct LongerRuns(ReadOnlySpan<int> runs, ReadOnlySpan<int> last) : INumberedItems
    {
        private readonly ReadOnlySpan<int> _runs = runs;
        private readonly ReadOnlySpan<int> _last = last;

        public bool Same(int first, int second) => _runs[first] == _runs[second] && _last[first] == _last[second];
    }

    private readonly struct EqualByHash : INumberedItems
    {
        public bool Same(int first, int second) => true;
    }
}
