using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Finery.Data.Tokenizers;

/// <summary>Byte strings and how often each occurs: open addressing over one array of bytes, without an object per string. Not
/// thread-safe.</summary>
internal sealed class ChunkTable
{
    private const ulong Odd1 = 0x9E3779B97F4A7C15, Odd2 = 0xE7037ED1A0B428DB; // golden ratio; a prime of wyhash

    // Texts cannot be made to collide on purpose. Hashes live only in memory and no result depends on them.
    private static readonly ulong Secret = (ulong)Random.Shared.NextInt64();

    private Entry[] _slots;
    private byte[] _arena;
    private int _used;

    /// <param name="capacity">Entries it holds before it grows.</param>
    /// <param name="bytes">Bytes of text it holds before it grows.</param>
    public ChunkTable(int capacity = 64, int bytes = 1024)
    {
        _slots = new Entry[(int)BitOperations.RoundUpToPowerOf2((uint)(capacity + (capacity / 3) + 1))];
        _arena = new byte[bytes];
    }

    /// <summary>Distinct chunks.</summary>
    public int Count { get; private set; }

    /// <summary>Bytes of the distinct chunks.</summary>
    public int Bytes => _used;

    /// <summary>Every entry, among unused ones of length 0.</summary>
    public ReadOnlySpan<Entry> Slots => _slots;

    /// <summary>The bytes of an entry, valid until the next <see cref="Add"/>.</summary>
    public ReadOnlySpan<byte> ChunkOf(in Entry entry) => _arena.AsSpan(entry.Offset, entry.Length);

    /// <summary>Adds <paramref name="count"/> occurrences of <paramref name="chunk"/>, which is not empty.</summary>
    public void Add(ReadOnlySpan<byte> chunk, uint hash, long count)
    {
        Entry[] slots = _slots;
        for (int at = (int)hash & (slots.Length - 1); ; at = (at + 1) & (slots.Length - 1))
        {
            ref Entry entry = ref slots[at];
            if (entry.Length == 0)
            {
                entry = new Entry { Hash = hash, Length = chunk.Length, Offset = Store(chunk), Count = count };
                if (++Count > slots.Length / 4 * 3) Grow();
                return;
            }
            if (entry.Hash != hash || entry.Length != chunk.Length || !chunk.SequenceEqual(ChunkOf(entry))) continue;
            entry.Count += count;
            return;
        }
    }

    /// <summary>Forgets everything but keeps its memory.</summary>
    public void Clear()
    {
        Array.Clear(_slots);
        Count = _used = 0;
    }

    /// <summary>A table of the entries that occur more than <paramref name="count"/> times.</summary>
    public ChunkTable MoreFrequentThan(long count)
    {
        var kept = new ChunkTable();
        foreach (ref readonly Entry entry in Slots)
        {
            if (entry.Count > count) kept.Add(ChunkOf(entry), entry.Hash, entry.Count);
        }
        return kept;
    }

    /// <summary>Hash of a chunk, as <see cref="Add"/> wants it.</summary>
    public static uint HashOf(ReadOnlySpan<byte> chunk)
    {
        ref byte first = ref MemoryMarshal.GetReference(chunk);
        int length = chunk.Length;
        ulong hash = Secret ^ (ulong)length, low, high;
        if (length > 16)
        {
            for (int at = 0; at < length - 16; at += 16) hash = Mix(Read64(ref first, at) ^ Odd1, Read64(ref first, at + 8) ^ hash);
            (low, high) = (Read64(ref first, length - 16), Read64(ref first, length - 8));
        }
        else if (length >= 8)
        {
            (low, high) = (Read64(ref first, 0), Read64(ref first, length - 8));
        }
        else if (length >= 4)
        {
            (low, high) = (Read32(ref first, 0), Read32(ref first, length - 4));
        }
        else
        {
            (low, high) = ((ulong)first << 8 | Unsafe.Add(ref first, length - 1), Unsafe.Add(ref first, length / 2));
        }
        ulong mixed = Mix(low ^ Odd2, high ^ hash);
        return (uint)(Mix(mixed, Odd1) >> 16);
    }

    private static ulong Mix(ulong x, ulong y)
    {
        ulong high = Math.BigMul(x, y, out ulong low);
        return high ^ low;
    }

    private static ulong Read64(ref byte first, int at) => Unsafe.ReadUnaligned<ulong>(ref Unsafe.Add(ref first, at));

    private static ulong Read32(ref byte first, int at) => Unsafe.ReadUnaligned<uint>(ref Unsafe.Add(ref first, at));

    private int Store(ReadOnlySpan<byte> chunk)
    {
        long needed = (long)_used + chunk.Length;
        if (needed > Array.MaxLength)
            throw new InvalidDataException(
                "The distinct chunks of the corpus do not fit in memory: lower MaxMemory or MaxDocumentChars.");
        if (needed > _arena.Length) Array.Resize(ref _arena, (int)Math.Min(Array.MaxLength, Math.Max(needed, _arena.Length * 2L)));
        chunk.CopyTo(_arena.AsSpan(_used));
        int offset = _used;
        _used += chunk.Length;
        return offset;
    }

    private void Grow()
    {
        var old = _slots;
        _slots = new Entry[old.Length * 2];
        int mask = _slots.Length - 1;
        foreach (ref readonly Entry entry in old.AsSpan())
        {
            if (entry.Length == 0) continue;
            int at = (int)entry.Hash & mask;
            while (_slots[at].Length > 0) at = (at + 1) & mask;
            _slots[at] = entry;
        }
    }

    /// <summary>One distinct chunk.</summary>
    internal struct Entry
    {
        public uint Hash;
        public int Length; // 0 = unused
        public int Offset;
        public long Count;
    }
}
