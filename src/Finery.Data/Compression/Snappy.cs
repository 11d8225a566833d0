using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Finery.Data.Compression;

/// <summary>The raw block format of Snappy: the length, then literals and copies. Parquet's default codec.</summary>
public static unsafe class Snappy
{
    private const int HashLog = 14;
    private const int FragmentBytes = 1 << 16;

    /// <summary>The length a block says it decompresses to.</summary>
    /// <exception cref="InvalidDataException">It is no block, or longer than 2 GiB.</exception>
    public static int DecompressedLength(ReadOnlySpan<byte> source) => ReadLength(source, out _);

    /// <summary>Most bytes a block of so many bytes may compress to.</summary>
    public static int MaxCompressedLength(int length) => checked(32 + length + length / 6);

    private static int ReadLength(ReadOnlySpan<byte> source, out int bytes)
    {
        ulong length = 0;
        for (bytes = 0; bytes < 5 && bytes < source.Length;)
        {
            var value = source[bytes];
            length |= (ulong)(value & 127) << (7 * bytes++);
            if (value < 128)
                return length <= int.MaxValue ? (int)length : throw Damaged("it is longer than 2 GiB");
        }
        throw Damaged("its length is cut off");
    }

    /// <summary>Decompresses a block.</summary>
    /// <param name="source">The block.</param>
    /// <param name="target">Where to; as long as <see cref="DecompressedLength"/> says.</param>
    /// <exception cref="InvalidDataException">The block is damaged, or not of the target's length.</exception>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Decompress(ReadOnlySpan<byte> source, Span<byte> target)
    {
        if (ReadLength(source, out var header) != target.Length)
            throw Damaged("it is not as long as expected");
        fixed (byte* sourceStart = source, targetStart = target)
        {
            byte* from = sourceStart + header, fromEnd = sourceStart + source.Length;
            byte* to = targetStart, toEnd = targetStart + target.Length;
            while (from < fromEnd)
            {
                uint tag = *from++;
                if ((tag & 3) == 0)
                {
                    long length = (tag >> 2) + 1;
                    if (length > 60)
                    {
                        var bytes = (int)length - 60;
                        if (fromEnd - from < bytes)
                            throw Damaged("it is cut off");
                        length = 1;
                        for (var i = 0; i < bytes; i++)
                            length += (long)from[i] << (8 * i);
                        from += bytes;
                    }
                    if (length > fromEnd - from || length > toEnd - to)
                        throw Damaged("a literal is too long");
                    if (length <= 16 && fromEnd - from >= 16 && toEnd - to >= 16)
                        Vector128.Store(Vector128.Load(from), to);
                    else
                        Buffer.MemoryCopy(from, to, length, length);
                    from += length;
                    to += length;
                    continue;
                }
                var extra = (tag & 3) == 3 ? 4 : (int)(tag & 3);
                if (fromEnd - from < extra)
                    throw Damaged("it is cut off");
                int count;
                long offset;
                if (extra == 1)
                {
                    count = 4 + (int)((tag >> 2) & 7);
                    offset = ((tag >> 5) << 8) | *from;
                }
                else
                {
                    count = (int)(tag >> 2) + 1;
                    offset = extra == 2 ? *(ushort*)from : *(uint*)from;
                }
                from += extra;
                if (offset == 0 || offset > to - targetStart || count > toEnd - to)
                    throw Damaged("a copy lies outside");
                if (offset >= 16 && toEnd - to >= 64)
                {
                    Vector128.Store(Vector128.Load(to - offset), to);
                    for (var i = 16; i < count; i += 16)
                        Vector128.Store(Vector128.Load(to - offset + i), to + i);
                }
                else
                    for (var i = 0; i < count; i++)
                        to[i] = to[i - offset];
                to += count;
            }
            if (to != toEnd)
                throw Damaged("it is cut off");
        }
    }

    /// <summary>Compresses a block.</summary>
    /// <param name="source">What to compress.</param>
    /// <param name="target">Where to; at least <see cref="MaxCompressedLength"/> bytes.</param>
    /// <returns>Bytes written.</returns>
    public static int Compress(ReadOnlySpan<byte> source, Span<byte> target)
    {
        if (target.Length < MaxCompressedLength(source.Length))
            throw new ArgumentException("The target is too short.", nameof(target));
        var table = new ushort[1 << HashLog];
        fixed (byte* from = source, start = target)
        fixed (ushort* slots = table)
        {
            var to = start;
            var length = (uint)source.Length;
            for (; length >= 128; length >>= 7)
                *to++ = (byte)(length | 128);
            *to++ = (byte)length;
            for (var at = 0; at < source.Length; at += FragmentBytes)
            {
                if (at > 0)
                    Array.Clear(table);
                to = CompressFragment(from + at, Math.Min(FragmentBytes, source.Length - at), slots, to);
            }
            return (int)(to - start);
        }
    }

    /// <summary>Distances within a fragment fit in two bytes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static byte* CompressFragment(byte* start, int length, ushort* table, byte* to)
    {
        byte* end = start + length, limit = end - 16, at = start + 1, anchor = start;
        while (at < limit)
        {
            var bytes = *(uint*)at;
            var slot = table + Hash(at);
            var match = start + *slot;
            *slot = (ushort)(at - start);
            if (*(uint*)match != bytes)
            {
                at += ((at - anchor) >> 5) + 1;
                continue;
            }
            // Whole vectors may be copied: sixteen bytes of the fragment follow, and the target has room to spare.
            if (at - anchor is > 0 and <= 16)
            {
                *to++ = (byte)((at - anchor - 1) << 2);
                Vector128.Store(Vector128.Load(anchor), to);
                to += at - anchor;
            }
            else
                to = Literal(anchor, (int)(at - anchor), to);
            var count = 4;
            while (at + count <= end - 8)
            {
                var difference = *(ulong*)(at + count) ^ *(ulong*)(match + count);
                if (difference != 0)
                {
                    count += BitOperations.TrailingZeroCount(difference) >> 3;
                    break;
                }
                count += 8;
            }
            to = Copy((int)(at - match), count, to);
            anchor = at += count;
            if (at < limit)
                table[Hash(at - 1)] = (ushort)(at - 1 - start);
        }
        return Literal(anchor, (int)(end - anchor), to);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int Hash(byte* at) => (int)((*(uint*)at * 0x1E35A7BDu) >> (32 - HashLog));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static byte* Literal(byte* source, int count, byte* to)
    {
        if (count == 0)
            return to;
        var last = count - 1;
        if (last < 60)
            *to++ = (byte)(last << 2);
        else
        {
            var bytes = last < 256 ? 1 : 2;
            *to++ = (byte)((59 + bytes) << 2);
            *to++ = (byte)last;
            if (bytes == 2)
                *to++ = (byte)(last >> 8);
        }
        Buffer.MemoryCopy(source, to, count, count);
        return to + count;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static byte* Copy(int offset, int count, byte* to)
    {
        // What remains of a long copy must be at least four bytes, the least a short one can have.
        while (count >= 68)
        {
            to = LongCopy(offset, 64, to);
            count -= 64;
        }
        if (count > 64)
        {
            to = LongCopy(offset, 60, to);
            count -= 60;
        }
        if (count >= 12 || offset >= 2048)
            return LongCopy(offset, count, to);
        *to = (byte)(1 | ((count - 4) << 2) | ((offset >> 8) << 5));
        to[1] = (byte)offset;
        return to + 2;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static byte* LongCopy(int offset, int count, byte* to)
    {
        *to = (byte)(2 | ((count - 1) << 2));
        *(ushort*)(to + 1) = (ushort)offset;
        return to + 3;
    }

    private static InvalidDataException Damaged(string how) => new($"Damaged snappy block: {how}.");
}
