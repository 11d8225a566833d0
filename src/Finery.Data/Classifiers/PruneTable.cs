using System.Numerics;

namespace Finery.Data.Classifiers;

/// <summary>Which n-gram buckets survived pruning, and as which row after the words: open addressing over pairs.</summary>
internal sealed class PruneTable
{
    private const int Empty = -1;

    private readonly (int Bucket, int Row)[] _slots;
    private readonly int _shift;

    /// <summary>Builds it; of equal buckets the last counts.</summary>
    public PruneTable(ReadOnlySpan<(int Bucket, int Row)> pairs)
    {
        var capacity = (int)BitOperations.RoundUpToPowerOf2((uint)Math.Max(4, pairs.Length * 2L));
        _shift = 32 - BitOperations.Log2((uint)capacity);
        _slots = new (int, int)[capacity];
        _slots.AsSpan().Fill((Empty, 0));
        foreach (var pair in pairs)
            _slots[Slot(pair.Bucket)] = pair;
    }

    /// <summary>The row, or -1.</summary>
    public int Find(int bucket)
    {
        var (found, row) = _slots[Slot(bucket)];
        return found == Empty ? -1 : row;
    }

    // At most half full, so a free slot is always found.
    private int Slot(int bucket)
    {
        var slot = (int)(((uint)bucket * 2654435769u) >> _shift);
        while (_slots[slot].Bucket != bucket && _slots[slot].Bucket != Empty)
            slot = (slot + 1) & (_slots.Length - 1);
        return slot;
    }
}
