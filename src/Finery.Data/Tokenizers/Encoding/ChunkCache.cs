using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Finery.Data.Tokenizers;

/// <summary>
/// Ids of chunks met before, one slot per hash: a newer chunk takes the place of the one before. Two tables: chunks of up to
/// 16 bytes and 3 ids, two slots to a cache line, which is nearly every English word; and of up to 32 bytes and 7 ids, a line
/// each, for scripts of two and three bytes per letter.
/// </summary>
internal sealed class ChunkCache
{
    /// <summary>Longest chunk held, in bytes.</summary>
    public const int LongestChunk = 32;

    /// <summary>Most ids written past the end of what <see cref="TryGet"/> returns.</summary>
    public const int Slack = LongIds;

    // 1 MiB and 512 KiB: measured; smaller ones miss more than their better place in the processor's caches saves.
    private const int ShortBits = 15, LongBits = 13, ShortKey = 16, ShortIds = 3, LongIds = 7;

    private readonly ShortSlot[] _short = new ShortSlot[1 << ShortBits];
    private readonly LongSlot[] _long = new LongSlot[1 << LongBits];

    /// <summary>Writes the ids of text[start..(start + length)] to <paramref name="ids"/>, which has room for
    /// <see cref="Slack"/>.</summary>
    /// <param name="text">The text, as a whole.</param>
    /// <param name="start">Where the chunk begins.</param>
    /// <param name="length">1 to <see cref="LongestChunk"/>.</param>
    /// <param name="ids">Destination.</param>
    /// <returns>The number of ids, or 0 if the chunk is not here.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public int TryGet(ReadOnlySpan<byte> text, int start, int length, ref int ids)
    {
        if (length > ShortKey) return TryGetLong(text, start, length, ref ids);
        var key = ShortKeyOf(text, start, length);
        ref ShortSlot slot = ref ShortSlotOf(key);
        if (slot.Key != key || slot.Length != length) return 0;
        Unsafe.WriteUnaligned(ref Unsafe.As<int, byte>(ref ids), Unsafe.As<int, ulong>(ref slot.Id0));
        Unsafe.Add(ref ids, 2) = slot.Id2;
        return slot.Count;
    }

    /// <summary>Remembers a chunk if its ids fit.</summary>
    public void Add(ReadOnlySpan<byte> text, int start, int length, ReadOnlySpan<int> ids)
    {
        if (length <= ShortKey)
        {
            if (ids.Length > ShortIds) return;
            var key = ShortKeyOf(text, start, length);
            ref ShortSlot slot = ref ShortSlotOf(key);
            (slot.Key, slot.Length, slot.Count) = (key, (byte)length, (byte)ids.Length);
            ids.CopyTo(MemoryMarshal.CreateSpan(ref slot.Id0, ShortIds));
        }
        else if (ids.Length <= LongIds)
        {
            var key = LongKeyOf(text, start, length);
            ref LongSlot slot = ref LongSlotOf(key);
            (slot.Key, slot.Length, slot.Count) = (key, (byte)length, (byte)ids.Length);
            ids.CopyTo(slot.Ids);
        }
    }

    private int TryGetLong(ReadOnlySpan<byte> text, int start, int length, ref int ids)
    {
        var key = LongKeyOf(text, start, length);
        ref LongSlot slot = ref LongSlotOf(key);
        if (slot.Key != key || slot.Length != length) return 0;
        ((ReadOnlySpan<int>)slot.Ids).CopyTo(MemoryMarshal.CreateSpan(ref ids, LongIds));
        return slot.Count;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private ref ShortSlot ShortSlotOf(Vector128<byte> key)
    {
        ulong hash = Mixed(key.AsUInt64().GetElement(0), key.AsUInt64().GetElement(1));
        return ref Unsafe.Add(ref MemoryMarshal.GetArrayDataReference(_short), (nuint)(hash >> (64 - ShortBits)));
    }

    private ref LongSlot LongSlotOf(Vector256<byte> key)
    {
        var words = key.AsUInt64();
        ulong hash = Mixed(Mixed(words[0], words[1]) ^ words[2], words[3]);
        return ref _long[hash >> (64 - LongBits)];
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong Mixed(ulong low, ulong high)
    {
        ulong hash = (low ^ (high * 0xC2B2AE3D27D4EB4F)) * 0x9E3779B97F4A7C15;
        return hash ^ (hash >> 32) * 0x9E3779B97F4A7C15;
    }

    /// <summary>The chunk's bytes with zeros after them. Chunks that end in zeros are told apart by their length.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<byte> ShortKeyOf(ReadOnlySpan<byte> text, int start, int length)
    {
        if (start + Vector128<byte>.Count > text.Length) return TailKeyOf(text, start, length).GetLower();
        var bytes = Vector128.LoadUnsafe(ref MemoryMarshal.GetReference(text), (nuint)start);
        return bytes & Vector128.LoadUnsafe(ref MemoryMarshal.GetReference(Ones), (nuint)(LongestChunk - length));
    }

    private static Vector256<byte> LongKeyOf(ReadOnlySpan<byte> text, int start, int length)
    {
        if (start + Vector256<byte>.Count > text.Length) return TailKeyOf(text, start, length);
        var bytes = Vector256.LoadUnsafe(ref MemoryMarshal.GetReference(text), (nuint)start);
        return bytes & Vector256.LoadUnsafe(ref MemoryMarshal.GetReference(Ones), (nuint)(LongestChunk - length));
    }

    private static Vector256<byte> TailKeyOf(ReadOnlySpan<byte> text, int start, int length)
    {
        Span<byte> bytes = stackalloc byte[LongestChunk];
        bytes.Clear();
        text.Slice(start, length).CopyTo(bytes);
        return Vector256.Create<byte>(bytes);
    }

    /// <summary>As many bytes FF as the longest chunk, then as many zeros: read from an offset, a mask of any length.</summary>
    private static ReadOnlySpan<byte> Ones =>
    [
        255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
        255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    ];

    private struct ShortSlot
    {
        public Vector128<byte> Key;
        public int Id0, Id1, Id2;
        public byte Length, Count;
    }

    private struct LongSlot
    {
        public Vector256<byte> Key;
        public LongIdList Ids;
        public byte Length, Count;
    }

    [InlineArray(LongIds)]
    private struct LongIdList
    {
        private int _first;
    }
}
