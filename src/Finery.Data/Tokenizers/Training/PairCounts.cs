using System.Runtime.CompilerServices;

namespace Finery.Data.Tokenizers;

/// <summary>Adjacent pairs of ids with their counts and the words they occur in: open addressing, entries in place.</summary>
internal sealed class PairCounts
{
    private Pair[] _slots;
    private int _shift;

    public PairCounts(int bits = 16)
    {
        _slots = new Pair[1 << bits];
        _shift = 64 - bits;
    }

    /// <summary>Pairs in the table.</summary>
    public int Count { get; private set; }

    public static ulong Key(int left, int right) => ((ulong)(uint)left << 32) | (uint)right;

    /// <summary>The pair, or a null reference; valid until the table is next changed.</summary>
    public ref Pair Find(ulong key)
    {
        for (int at = Home(key); ; at = (at + 1) & (_slots.Length - 1))
        {
            ref Pair pair = ref _slots[at];
            if (pair.Words == 0) return ref Unsafe.NullRef<Pair>();
            if (pair.Key == key) return ref pair;
        }
    }

    /// <summary>The pair, valid until the table is next changed. A new one has no words yet: the caller adds some at
    /// once.</summary>
    public ref Pair FindOrAdd(ulong key)
    {
        if (Count >= _slots.Length / 8 * 5) Grow();
        for (int at = Home(key); ; at = (at + 1) & (_slots.Length - 1))
        {
            ref Pair pair = ref _slots[at];
            if (pair.Words > 0 && pair.Key != key) continue;
            if (pair.Words > 0) return ref pair;
            pair = new Pair { Key = key };
            Count++;
            return ref pair;
        }
    }

    /// <summary>Takes a pair out and closes the gap, so that no search ends too early.</summary>
    public void Remove(ref Pair pair)
    {
        int mask = _slots.Length - 1;
        int gap = (int)(Unsafe.ByteOffset(ref _slots[0], ref pair) / Unsafe.SizeOf<Pair>());
        for (int at = (gap + 1) & mask; _slots[at].Words > 0; at = (at + 1) & mask)
        {
            if (((at - Home(_slots[at].Key)) & mask) < ((at - gap) & mask)) continue; // not pushed past the gap
            _slots[gap] = _slots[at];
            gap = at;
        }
        _slots[gap] = default;
        Count--;
    }

    private int Home(ulong key) => (int)((key * 0x9E3779B97F4A7C15) >> _shift); // by the golden ratio

    private void Grow()
    {
        var old = _slots;
        _slots = new Pair[old.Length * 2];
        _shift--;
        foreach (ref readonly Pair pair in old.AsSpan())
        {
            if (pair.Words == 0) continue;
            int at = Home(pair.Key);
            while (_slots[at].Words > 0) at = (at + 1) & (_slots.Length - 1);
            _slots[at] = pair;
        }
    }

    /// <summary>A pair that occurs.</summary>
    internal struct Pair
    {
        public ulong Key;
        public long Count;
        public int Words; // in the list; 0 = unused slot
        public int List; // the word itself if there is one, else a block of WordLists
    }
}
