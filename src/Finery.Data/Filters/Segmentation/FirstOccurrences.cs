using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Finery.Data.Filters.Segmentation;

/// <summary>Numbered items of which a table looks for equal ones.</summary>
internal interface INumberedItems
{
    /// <summary>Whether two items are equal.</summary>
    bool Same(int first, int second);
}

/// <summary>
/// For each of a sequence of items, the first that equals it: open addressing with at least a third of the slots free. A slot is half
/// a hash and the item's number; numbers go on from use to use, so that what an earlier use left is seen to be old and nothing is ever
/// cleared.
/// </summary>
internal sealed class FirstOccurrences
{
    // More slots than this are let go after use (32 MiB).
    private const int SmallCapacity = 1 << 22;

    private ulong[] _slots = [];
    private int _mask;
    private uint _base = 1;
    private uint _count;

    /// <summary>Begins anew, with items numbered from 0 to before <paramref name="count"/>.</summary>
    public void Begin(int count) => Begin(count, count);

    /// <summary>Begins anew, with at most so many items to be asked for, whose numbers are before
    /// <paramref name="count"/>.</summary>
    public void Begin(int count, int items)
    {
        var capacity = (int)BitOperations.RoundUpToPowerOf2((uint)Math.Clamp(items, 8, 1 << 28) / 2 * 3);
        if (_base + (ulong)_count + (ulong)count > uint.MaxValue)
        {
            Array.Clear(_slots);
            (_base, _count) = (1, 0);
        }
        if (_slots.Length < capacity || (_slots.Length > SmallCapacity && capacity <= SmallCapacity))
            _slots = new ulong[capacity];
        _mask = capacity - 1;
        _base += _count;
        _count = (uint)count;
    }

    /// <summary>The first item equal to this one, which is itself if it is new.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public int Find<T>(ulong hash, int item, in T items) where T : struct, INumberedItems, allows ref struct
    {
        ref var slots = ref MemoryMarshal.GetArrayDataReference(_slots);
        var tag = hash & 0xFFFF_FFFF_0000_0000;
        for (var i = (int)hash & _mask; ; i = (i + 1) & _mask)
        {
            ref var slot = ref Unsafe.Add(ref slots, i);
            var first = (uint)slot - _base;
            if (first >= _count)
            {
                slot = tag | (_base + (uint)item);
                return item;
            }
            if ((slot & 0xFFFF_FFFF_0000_0000) == tag && items.Same((int)first, item))
                return (int)first;
        }
    }
}
