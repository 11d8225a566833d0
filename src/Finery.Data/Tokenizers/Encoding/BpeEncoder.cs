using System.Buffers;
using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Finery.Data.Tokenizers;

/// <summary>Byte-level BPE with a split that has a scanner: most chunks are found in a cache, the others merged by rank. Results
/// never depend on what is cached.</summary>
internal sealed class BpeEncoder(MergeTable merges, SplitPattern pattern) : TextEncoder
{
    private const int BufferIds = 4096, LongestScanned = 256;

    private readonly ChunkCache _cache = new();
    private readonly int[] _buffer = new int[BufferIds];

    // Of the chunk being merged: ranks[i] is that of the pair that begins at i; next and previous skip the gaps.
    private readonly int[] _ids = new int[LongestScanned], _ranks = new int[LongestScanned + Vector256<int>.Count];
    private readonly byte[] _next = new byte[LongestScanned], _previous = new byte[LongestScanned];

    /// <inheritdoc/>
    public override void Encode(ReadOnlySpan<byte> utf8, List<int> destination)
    {
        switch (pattern)
        {
            case SplitPattern.Gpt2: Encode(utf8, new Gpt2Scanner(singleNumbers: false), destination); break;
            case SplitPattern.SmolLm: Encode(utf8, new Gpt2Scanner(singleNumbers: true), destination); break;
            case SplitPattern.Qwen2: Encode(utf8, new Llama3Scanner(mostDigits: 1), destination); break;
            case SplitPattern.Nanochat: Encode(utf8, new Llama3Scanner(mostDigits: 2), destination); break;
            default: Encode(utf8, new Llama3Scanner(mostDigits: 3), destination); break;
        }
    }

    /// <summary>Appends the ids of one chunk, however it was cut.</summary>
    public void EncodeChunk(ReadOnlySpan<byte> chunk, List<int> destination)
    {
        if (chunk.IsEmpty) return;
        if (chunk.Length > ChunkCache.LongestChunk)
        {
            EncodeLong(chunk, destination);
            return;
        }
        int count = EncodeShort(chunk, 0, chunk.Length, ref _buffer[0]);
        destination.AddRange(_buffer.AsSpan(0, count));
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Encode<TScanner>(ReadOnlySpan<byte> utf8, TScanner scanner, List<int> destination)
        where TScanner : struct, IScanner
    {
        const int Full = BufferIds - ChunkCache.LongestChunk - ChunkCache.Slack;
        ref int buffer = ref MemoryMarshal.GetArrayDataReference(_buffer);
        int filled = 0;
        for (int start = 0, end; start < utf8.Length; start = end)
        {
            end = scanner.ChunkEnd(utf8, start);
            int length = end - start;
            if (filled >= Full || length > ChunkCache.LongestChunk)
            {
                destination.AddRange(_buffer.AsSpan(0, filled));
                filled = 0;
                if (length > ChunkCache.LongestChunk)
                {
                    EncodeLong(utf8.Slice(start, length), destination);
                    continue;
                }
            }
            ref int to = ref Unsafe.Add(ref buffer, filled);
            int count = _cache.TryGet(utf8, start, length, ref to);
            filled += count > 0 ? count : EncodeMissed(utf8, start, length, ref to);
        }
        destination.AddRange(_buffer.AsSpan(0, filled));
    }

    private int EncodeShort(ReadOnlySpan<byte> text, int start, int length, ref int ids)
    {
        int count = _cache.TryGet(text, start, length, ref ids);
        return count > 0 ? count : EncodeMissed(text, start, length, ref ids);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private int EncodeMissed(ReadOnlySpan<byte> text, int start, int length, ref int ids)
    {
        var chunk = text.Slice(start, length);
        var destination = MemoryMarshal.CreateSpan(ref ids, length);
        int count = 1;
        if (merges.TryGetWhole(chunk, out int whole)) ids = whole;
        else count = MergeByScanning(chunk, destination);
        _cache.Add(text, start, length, destination[..count]);
        return count;
    }

    private void EncodeLong(ReadOnlySpan<byte> chunk, List<int> destination)
    {
        if (merges.TryGetWhole(chunk, out int whole)) destination.Add(whole);
        else if (chunk.Length > LongestScanned) MergeByHeap(chunk, destination);
        else destination.AddRange(_buffer.AsSpan(0, MergeByScanning(chunk, _buffer)));
    }

    /// <summary>Merges the lowest rank, leftmost first, by looking at the ranks of all pairs each time, eight at once: best for
    /// short chunks. Merged symbols leave a gap rather than move the others.</summary>
    private int MergeByScanning(ReadOnlySpan<byte> chunk, Span<int> destination)
    {
        int count = chunk.Length;
        Span<int> ids = _ids, ranks = _ranks;
        Span<byte> next = _next, previous = _previous;
        for (int i = 0; i < count; i++)
        {
            ids[i] = merges.ByteIds[chunk[i]];
            (next[i], previous[i]) = ((byte)(i + 1), (byte)(i - 1));
            if (i > 0) ranks[i - 1] = merges.Pairs.RankOf(ids[i - 1], ids[i]);
        }
        ranks.Slice(count - 1, Vector256<int>.Count).Fill(PairTable.None);

        while (true)
        {
            int at = LowestRank(ranks, count, out int rank);
            if (rank == PairTable.None) break;
            int right = next[at];
            ids[at] = merges.Pairs.Merged(rank);
            ids[right] = -1;
            ranks[right] = PairTable.None;
            int after = next[right];
            next[at] = (byte)after;
            bool last = right == count - 1 || after == 0; // 256 wraps to 0
            if (last) (ranks[at], next[at]) = (PairTable.None, 0);
            else
            {
                previous[after] = (byte)at;
                ranks[at] = merges.Pairs.RankOf(ids[at], ids[after]);
            }
            if (at > 0) ranks[previous[at]] = merges.Pairs.RankOf(ids[previous[at]], ids[at]);
        }

        int written = 0;
        for (int i = 0; i < count; i++)
        {
            if (ids[i] >= 0) destination[written++] = ids[i];
        }
        return written;
    }

    /// <summary>Index of the first lowest of <paramref name="count"/> ranks; those after them are <see cref="PairTable.None"/>.</summary>
    private static int LowestRank(ReadOnlySpan<int> ranks, int count, out int rank)
    {
        var lowest = Vector256.LoadUnsafe(ref MemoryMarshal.GetReference(ranks));
        for (int i = Vector256<int>.Count; i < count; i += Vector256<int>.Count)
            lowest = Vector256.Min(lowest, Vector256.LoadUnsafe(ref MemoryMarshal.GetReference(ranks), (nuint)i));
        var half = Vector128.Min(lowest.GetLower(), lowest.GetUpper());
        half = Vector128.Min(half, Vector128.Shuffle(half, Vector128.Create(2, 3, 0, 1)));
        half = Vector128.Min(half, Vector128.Shuffle(half, Vector128.Create(1, 0, 3, 2)));
        rank = half.ToScalar();
        var wanted = Vector256.Create(rank);
        for (int i = 0; ; i += Vector256<int>.Count)
        {
            uint found = Vector256.Equals(wanted, Vector256.LoadUnsafe(ref MemoryMarshal.GetReference(ranks), (nuint)i))
                .ExtractMostSignificantBits();
            if (found != 0) return i + BitOperations.TrailingZeroCount(found);
        }
    }

    private void MergeByHeap(ReadOnlySpan<byte> chunk, List<int> destination)
    {
        int[] ids = ArrayPool<int>.Shared.Rent(chunk.Length);
        for (int i = 0; i < chunk.Length; i++) ids[i] = merges.ByteIds[chunk[i]];
        destination.AddRange(ids.AsSpan(0, HeapMerge.Merge(ids.AsSpan(0, chunk.Length), merges.Pairs)));
        ArrayPool<int>.Shared.Return(ids);
    }
}
