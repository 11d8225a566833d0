using System.Runtime.InteropServices;

namespace Finery.Data.Tokenizers;

/// <summary>Byte-level BPE with a split that has a scanner: buffers and a cache of chunks seen. Results never depend on
/// them.</summary>
internal sealed class BpeEncoder(MergeTable merges, SplitPattern pattern) : TextEncoder
{
    private const int CacheSlots = 1 << 14, LongestCached = 64, LongestScanned = 96;

    private readonly Cached[] _cache = new Cached[CacheSlots];

    /// <inheritdoc/>
    public override void Encode(ReadOnlySpan<byte> utf8, List<int> destination)
    {
        for (int start = 0, end; start < utf8.Length; start = end)
        {
            end = PreTokenizer.ChunkEnd(utf8, start, pattern);
            EncodeChunk(utf8[start..end], destination);
        }
    }

    /// <summary>Appends the ids of one chunk.</summary>
    public void EncodeChunk(ReadOnlySpan<byte> chunk, List<int> destination)
    {
        if (chunk.Length == 1)
        {
            destination.Add(merges.TryGetWhole(chunk, out int byteId) ? byteId : merges.ByteIds[chunk[0]]);
            return;
        }
        if (chunk.Length > LongestCached)
        {
            if (merges.TryGetWhole(chunk, out int whole)) destination.Add(whole);
            else if (chunk.Length <= LongestScanned) MergeByScanning(chunk, destination);
            else MergeByHeap(chunk, destination);
            return;
        }
        ref Cached slot = ref _cache[(uint)ByteComparer.Instance.GetHashCode(chunk) % CacheSlots];
        if (slot.Chunk is null || !chunk.SequenceEqual(slot.Chunk))
        {
            int before = destination.Count;
            if (merges.TryGetWhole(chunk, out int whole)) destination.Add(whole);
            else MergeByScanning(chunk, destination);
            slot = new Cached(chunk.ToArray(), CollectionsMarshal.AsSpan(destination)[before..].ToArray());
            return;
        }
        destination.AddRange(slot.Ids.AsSpan());
    }

    /// <summary>Merges the lowest rank, leftmost first, by looking at all pairs each time: best for short chunks.</summary>
    private void MergeByScanning(ReadOnlySpan<byte> chunk, List<int> destination)
    {
        int count = chunk.Length;
        Span<int> ids = stackalloc int[count];
        Span<MergeTable.Merge> pairs = stackalloc MergeTable.Merge[count]; // pairs[i] is (ids[i], ids[i + 1])
        for (int i = 0; i < count; i++) ids[i] = merges.ByteIds[chunk[i]];
        for (int i = 0; i + 1 < count; i++) pairs[i] = PairOf(ids[i], ids[i + 1]);
        while (count > 1)
        {
            int best = 0;
            for (int i = 1; i + 1 < count; i++)
            {
                if (pairs[i].Rank < pairs[best].Rank) best = i;
            }
            if (pairs[best].Rank == int.MaxValue) break;

            ids[best] = pairs[best].Id;
            ids[(best + 2)..count].CopyTo(ids[(best + 1)..]);
            pairs[(best + 1)..(count - 1)].CopyTo(pairs[best..]);
            count--;
            if (best + 1 < count) pairs[best] = PairOf(ids[best], ids[best + 1]);
            if (best > 0) pairs[best - 1] = PairOf(ids[best - 1], ids[best]);
        }
        destination.AddRange(ids[..count]);
    }

    /// <summary>The same result with a heap of (rank, position) over a linked list: n log n for chunks of any length.</summary>
    private void MergeByHeap(ReadOnlySpan<byte> chunk, List<int> destination)
    {
        int count = chunk.Length;
        var ids = new int[count]; // -1 where merged into an earlier position
        var next = new int[count];
        var previous = new int[count];
        var queue = new PriorityQueue<(int At, int Left, int Right), long>();
        for (int i = 0; i < count; i++) (ids[i], previous[i], next[i]) = (merges.ByteIds[chunk[i]], i - 1, i + 1);
        for (int i = 0; i + 1 < count; i++) Push(i);

        while (queue.TryDequeue(out var top, out _))
        {
            int right = ids[top.At] == top.Left ? next[top.At] : count;
            if (right >= count || ids[right] != top.Right) continue; // one of the two has merged since
            merges.TryGet(top.Left, top.Right, out var merge);
            ids[top.At] = merge.Id;
            ids[right] = -1;
            next[top.At] = next[right];
            if (next[right] < count) previous[next[right]] = top.At;
            if (previous[top.At] >= 0) Push(previous[top.At]);
            Push(top.At);
        }
        for (int i = 0; i < count; i = next[i]) destination.Add(ids[i]);

        void Push(int at)
        {
            if (next[at] < count && merges.TryGet(ids[at], ids[next[at]], out var merge))
                queue.Enqueue((at, ids[at], ids[next[at]]), ((long)merge.Rank << 32) | (uint)at);
        }
    }

    private MergeTable.Merge PairOf(int left, int right) =>
        merges.TryGet(left, right, out var merge) ? merge : new MergeTable.Merge(int.MaxValue, 0);

    private readonly record struct Cached(byte[]? Chunk, int[]? Ids);
}
