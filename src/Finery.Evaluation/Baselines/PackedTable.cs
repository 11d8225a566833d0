namespace Finery.Evaluation.Baselines;

/// <summary>A set of 64-bit keys numbered in order of arrival: open addressing over dense arrays, 8 bytes a key and 4-8 bytes of
/// index. Grows by doubling; numbers never change.</summary>
internal sealed class PackedTable
{
    private ulong[] _keys = new ulong[1024];
    private int[] _slots = new int[2048];

    public int Count { get; private set; }

    public ulong Key(int number) => _keys[number];

    /// <summary>The key's number, or -1.</summary>
    public int Find(ulong key) => _slots[Slot(key)] - 1;

    /// <summary>The key's number, new or not.</summary>
    public int FindOrAdd(ulong key, out bool added)
    {
        int slot = Slot(key);
        added = _slots[slot] == 0;
        if (!added) return _slots[slot] - 1;
        if (Count == _keys.Length)
        {
            Array.Resize(ref _keys, checked(_keys.Length * 2));
            _slots = new int[checked(_slots.Length * 2)];
            for (int i = 0; i < Count; i++) _slots[Slot(_keys[i])] = i + 1;
            slot = Slot(key);
        }
        _keys[Count++] = key;
        _slots[slot] = Count;
        return Count - 1;
    }

    private int Slot(ulong key)
    {
        int mask = _slots.Length - 1;
        // Finaliser of MurmurHash3: every key bit reaches the low bits.
        ulong hash = key;
        hash = (hash ^ (hash >> 33)) * 0xff51afd7ed558ccd;
        hash = (hash ^ (hash >> 33)) * 0xc4ceb9fe1a85ec53;
        int slot = (int)((hash ^ (hash >> 33)) & (ulong)mask);
        while (_slots[slot] != 0 && _keys[_slots[slot] - 1] != key) slot = (slot + 1) & mask;
        return slot;
    }
}
