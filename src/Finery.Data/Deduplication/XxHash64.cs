using System.Buffers.Binary;
using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Finery.Data.Deduplication;

/// <summary>xxHash64 (Collet; specification 0.1.1), little-endian on every machine.</summary>
public static class XxHash64
{
    private const ulong P1 = 11400714785074694791;
    private const ulong P2 = 14029467366897019727;
    private const ulong P3 = 1609587929392839161;
    private const ulong P4 = 9650029242287828579;
    private const ulong P5 = 2870177450012600261;

    /// <summary>Hashes bytes.</summary>
    public static ulong Hash(ReadOnlySpan<byte> data, ulong seed = 0)
    {
        var length = (ulong)data.Length;
        if (data.Length < 32)
            return Finish(Short(seed) + length, data);
        var lanes = new Lanes(seed);
        return Finish(lanes.Append(ref data) + length, data);
    }

    /// <summary>What remains when the lanes have taken whole stripes of 32 bytes.</summary>
    internal static ulong Finish(ulong hash, ReadOnlySpan<byte> data)
    {
        ref var bytes = ref MemoryMarshal.GetReference(data);
        nint at = 0, length = data.Length;
        for (; at <= length - 8; at += 8)
            hash = BitOperations.RotateLeft(hash ^ Round(0, Read64(ref bytes, at)), 27) * P1 + P4;
        if (at <= length - 4)
        {
            hash = BitOperations.RotateLeft(hash ^ (Read32(ref bytes, at) * P1), 23) * P2 + P3;
            at += 4;
        }
        for (; at < length; at++)
            hash = BitOperations.RotateLeft(hash ^ (Unsafe.Add(ref bytes, at) * P5), 11) * P1;
        hash = (hash ^ (hash >> 33)) * P2;
        hash = (hash ^ (hash >> 29)) * P3;
        return hash ^ (hash >> 32);
    }

    /// <summary>The hash of fewer than 32 bytes begins with this.</summary>
    internal static ulong Short(ulong seed) => seed + P5;

    // Without the checks of spans, which take as long as the hash of a few words.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong Read64(ref byte bytes, nint at)
    {
        var value = Unsafe.ReadUnaligned<ulong>(ref Unsafe.Add(ref bytes, at));
        return BitConverter.IsLittleEndian ? value : BinaryPrimitives.ReverseEndianness(value);
    }

    private static uint Read32(ref byte bytes, nint at)
    {
        var value = Unsafe.ReadUnaligned<uint>(ref Unsafe.Add(ref bytes, at));
        return BitConverter.IsLittleEndian ? value : BinaryPrimitives.ReverseEndianness(value);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong Round(ulong accumulator, ulong input) =>
        BitOperations.RotateLeft(accumulator + input * P2, 31) * P1;

    private static ulong Merge(ulong hash, ulong accumulator) => (hash ^ Round(0, accumulator)) * P1 + P4;

    /// <summary>The four accumulators that stripes of 32 bytes go through.</summary>
    internal struct Lanes(ulong seed)
    {
        private ulong _a = seed + P1 + P2, _b = seed + P2, _c = seed, _d = seed - P1;

        /// <summary>Takes all whole stripes from the front of <paramref name="data"/>; returns the hash so far, without the
        /// length.
        /// </summary>
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public ulong Append(ref ReadOnlySpan<byte> data)
        {
            ulong a = _a, b = _b, c = _c, d = _d;
            ref var bytes = ref MemoryMarshal.GetReference(data);
            nint at = 0;
            for (; at <= data.Length - 32; at += 32)
            {
                a = Round(a, Read64(ref bytes, at));
                b = Round(b, Read64(ref bytes, at + 8));
                c = Round(c, Read64(ref bytes, at + 16));
                d = Round(d, Read64(ref bytes, at + 24));
            }
            data = data[(int)at..];
            (_a, _b, _c, _d) = (a, b, c, d);
            var hash = BitOperations.RotateLeft(a, 1) + BitOperations.RotateLeft(b, 7)
                + BitOperations.RotateLeft(c, 12) + BitOperations.RotateLeft(d, 18);
            return Merge(Merge(Merge(Merge(hash, a), b), c), d);
        }
    }
}
