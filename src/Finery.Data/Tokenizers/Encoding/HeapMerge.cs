using System.Buffers;

namespace Finery.Data.Tokenizers;

/// <summary>Merges pairs of ids by lowest rank, leftmost first, with a heap of (rank, position) over a linked list: n log n for any
/// number of ids.</summary>
internal static class HeapMerge
{
    /// <summary>Merges in place.</summary>
    /// <returns>How many ids are left, at the beginning of <paramref name="ids"/>.</returns>
    public static int Merge(Span<int> ids, PairTable pairs)
    {
        int count = ids.Length;
        int[] next = ArrayPool<int>.Shared.Rent(count), previous = ArrayPool<int>.Shared.Rent(count);
        var queue = new PriorityQueue<int, ulong>(count);
        for (int i = 0; i < count; i++) (previous[i], next[i]) = (i - 1, i + 1);
        for (int i = 0; i + 1 < count; i++) Push(queue, pairs, ids, next, i);

        while (queue.TryDequeue(out int at, out ulong key))
        {
            int rank = (int)(key >> 32);
            // one of the two may have merged since (then it is -1), or made another pair
            if (ids[at] < 0 || next[at] >= count || pairs.RankOf(ids[at], ids[next[at]]) != rank) continue;
            int right = next[at];
            ids[at] = pairs.Merged(rank);
            ids[right] = -1;
            next[at] = next[right];
            if (next[at] < count) previous[next[at]] = at;
            if (previous[at] >= 0) Push(queue, pairs, ids, next, previous[at]);
            Push(queue, pairs, ids, next, at);
        }
        int left = 0;
        for (int i = 0; i < count; i = next[i]) ids[left++] = ids[i];
        ArrayPool<int>.Shared.Return(next);
        ArrayPool<int>.Shared.Return(previous);
        return left;
    }

    private static void Push(PriorityQueue<int, ulong> queue, PairTable pairs, Span<int> ids, int[] next, int at)
    {
        if (next[at] < ids.Length && pairs.RankOf(ids[at], ids[next[at]]) is not PairTable.None and var rank)
            queue.Enqueue(at, ((ulong)(uint)rank << 32) | (uint)at);
    }
}
