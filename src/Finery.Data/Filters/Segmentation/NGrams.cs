using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Finery.Data.Filters.Segmentation;

/// <summary>
/// How much of a text its repeated runs of words make up, as Gopher's rules count. Exact: hashes only find candidates, which are
/// compared.
/// </summary>
internal sealed class NGrams(FirstOccurrences occurrences)
{
    // A run that repeats another begins with the same characters. Where no other word begins with the same sixteen, no longer run
    // need be put into the table or looked up; that settles most places for all lengths of run at once.
    private const int Sixteen = 16;

    private readonly FirstOccurrences _beginnings = new();
    private readonly PackedWords _packed = new();
    private int[] _words = [];
    private int[] _runs = [];
    private int[] _nextRuns = [];
    private int[] _counts = [];
    private int[] _nextCounts = [];
    private int[] _candidates = [];
    private bool[] _mayRepeat = [];
    private int _count;
    private int _runLength;

    /// <summary>Goes on to another text and its words.</summary>
    public void Load(ReadOnlySpan<char> text, TextSpans words)
    {
        _count = words.Count;
        _packed.Load(text, words);
        if (PooledArray.MustGrow(_words, _count + 1))
        {
            var capacity = PooledArray.Capacity(_count + 1);
            _words = new int[capacity];
            _runs = new int[capacity];
            _nextRuns = new int[capacity];
            _counts = new int[capacity];
            _nextCounts = new int[capacity];
            _candidates = new int[capacity];
            _mayRepeat = new bool[capacity];
        }
        FindEqualWords();
        Restart();
    }

    /// <summary>Code points of the most frequent run of n words joined by a space, times its count; of equally frequent ones, the
    /// first. Quickest asked in ascending order of n.</summary>
    public long TopLength(int n)
    {
        if (n < _runLength)
            Restart();
        while (_runLength < n)
            Lengthen();
        var runs = _count - n + 1;
        if (runs <= 0)
            return 0;
        int best = 0, most = 1;
        for (var i = 0; i < runs; i++)
            if (_counts[i] > most)
                (best, most) = (i, _counts[i]);
        return (long)most * (_packed.CodePoints(best, n) + n - 1);
    }

    /// <summary>Code points of all runs of n words joined by nothing that occurred before, scanned without overlap.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public long RepeatedLength(int n)
    {
        var candidates = CandidatesOfRepeats(n);
        var items = new EqualRuns(_packed, n);
        occurrences.Begin(_count, candidates.Length);
        long length = 0;
        var next = 0;
        foreach (var i in candidates)
        {
            if (i < next || occurrences.Find(_packed.Hash(i, n), i, items) == i)
                continue;
            length += _packed.CodePoints(i, n);
            next = i + n;
        }
        return length;
    }

    /// <summary>Places where a run of n words may repeat another, or be repeated. Gathered without a branch, for none could
    /// foresee them.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private ReadOnlySpan<int> CandidatesOfRepeats(int n)
    {
        ref var offset = ref MemoryMarshal.GetArrayDataReference(_packed.Offsets);
        ref var mayRepeat = ref Unsafe.As<bool, byte>(ref MemoryMarshal.GetArrayDataReference(_mayRepeat));
        ref var candidates = ref MemoryMarshal.GetArrayDataReference(_candidates);
        var count = 0;
        for (var i = 0; i + n <= _count; i++)
        {
            Unsafe.Add(ref candidates, count) = i;
            var size = Unsafe.Add(ref offset, i + n) - Unsafe.Add(ref offset, i);
            count += Unsafe.Add(ref mayRepeat, i) | (int)((uint)(size - Sixteen) >> 31);
        }
        return _candidates.AsSpan(0, count);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void FindEqualWords()
    {
        _mayRepeat.AsSpan(0, _count).Clear();
        _beginnings.Begin(_count);
        occurrences.Begin(_count);
        var items = new EqualWords(_packed);
        for (var w = 0; w < _count; w++)
        {
            _words[w] = occurrences.Find(_packed.HashOfWord(w, out var beginning), w, items);
            // No comparison: to take different beginnings for equal costs time alone.
            var first = _beginnings.Find(beginning, w, default(EqualByHash));
            if (first != w)
                _mayRepeat[first] = _mayRepeat[w] = true;
        }
    }

    /// <summary>Back to runs of one word.</summary>
    private void Restart()
    {
        _words.AsSpan(0, _count).CopyTo(_runs);
        _counts.AsSpan(0, _count).Clear();
        for (var i = 0; i < _count; i++)
            _counts[_runs[i]]++;
        _runLength = 1;
    }

    /// <summary>From the first equal run of n words of each place to that of n + 1 words: the two are equal if both their first n
    /// words and their last are. One whose first or last n words are alone is alone.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Lengthen()
    {
        var n = _runLength;
        var runs = Math.Max(0, _count - n);
        var candidates = 0;
        var others = runs == 0 ? 0 : 1 - _counts[_runs[0]];
        for (var i = 0; i < runs; i++)
        {
            // Negative if the run occurs again.
            var next = 1 - _counts[_runs[i + 1]];
            _nextRuns[i] = i;
            _nextCounts[i] = 1;
            _candidates[candidates] = i;
            candidates += (others & next) >>> 31;
            others = next;
        }
        var items = new LongerRuns(_runs, _words.AsSpan(0, _count)[Math.Min(n, _count)..]);
        occurrences.Begin(runs, candidates);
        foreach (var i in _candidates.AsSpan(0, candidates))
        {
            var first = occurrences.Find(TextHash.Of(_runs[i], _words[i + n]), i, items);
            if (first == i)
                continue;
            _nextRuns[i] = first;
            _nextCounts[first]++;
        }
        (_runs, _nextRuns) = (_nextRuns, _runs);
        (_counts, _nextCounts) = (_nextCounts, _counts);
        _runLength = n + 1;
    }

    private readonly struct EqualWords(PackedWords words) : INumberedItems
    {
        public bool Same(int first, int second) => words.SameWord(first, second);
    }

    private readonly struct EqualRuns(PackedWords words, int n) : INumberedItems
    {
        public bool Same(int first, int second) => words.SameRun(first, second, n);
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
