using System.Numerics;
using System.Runtime.CompilerServices;

namespace Finery.Data.Tokenizers;

/// <summary>A merge: the pair of ids, and the id it makes.</summary>
internal readonly record struct Merge(int Left, int Right, int Merged);

/// <summary>Rank of each merge by its pair of ids: open addressing with linear probing. Slots are 8 bytes, half a hash and the
/// rank, as encoding waits on these reads: the merge itself confirms the few whose half hash matches. Immutable.</summary>
internal sealed class PairTable
{
    /// <summary>The rank of a pair that does not merge: after all others.</summary>
    public const int None = int.MaxValue;

    private readonly Merge[] _merges;
    private readonly Slot[] _slots;
    private readonly int _shift, _mask;

    /// <param name="merges">By rank. Of two merges of one pair the first, lower rank counts.</param>
    public PairTable(Merge[] merges)
    {
        _merges = merges;
        int bits = Math.Max(4, BitOperations.Log2((uint)merges.Length * 3 / 2 + 1) + 1); // a third to two thirds full
        _slots = new Slot[1 << bits];
        Array.Fill(_slots, new Slot(0, None));
        (_shift, _mask) = (64 - bits, _slots.Length - 1);
        for (int rank = 0; rank < merges.Length; rank++)
        {
            if (RankOf(merges[rank].Left, merges[rank].Right) != None) continue;
            ulong hash = Hash(merges[rank].Left, merges[rank].Right);
            int at = (int)(hash >> _shift);
            while (_slots[at].Rank != None) at = (at + 1) & _mask;
            _slots[at] = new Slot((uint)hash, rank);
        }
    }

    /// <summary>Rank of the merge of two ids, or <see cref="None"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public int RankOf(int left, int right)
    {
        ulong hash = Hash(left, right);
        Slot[] slots = _slots;
        for (int at = (int)(hash >> _shift); ; at = (at + 1) & _mask)
        {
            Slot slot = slots[at];
            if (slot.Rank == None) return None;
            if (slot.Half == (uint)hash && _merges[slot.Rank] is var merge && merge.Left == left && merge.Right == right) return slot.Rank;
        }
    }

    /// <summary>The id that a merge makes.</summary>
    public int Merged(int rank) => _merges[rank].Merged;

    /// <summary>The upper bits choose a slot, the lower half tells its pairs apart. Multipliers: of xxHash64.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong Hash(int left, int right)
    {
        ulong hash = ((ulong)(uint)left * 0xC2B2AE3D27D4EB4F) + ((ulong)(uint)right * 0x9E3779B185EBCA87);
        return (hash ^ (hash >> 32)) * 0x9E3779B185EBCA87;
    }

    private readonly record struct Slot(uint Half, int Rank);
}
