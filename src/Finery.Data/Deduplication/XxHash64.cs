using System.Buffers.Binary;
using System.Numerics;

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
        for (; data.Length >= 8; data = data[8..])
            hash = BitOperations.RotateLeft(hash ^ Round(0, BinaryPrimitives.ReadUInt64LittleEndian(data)), 27) * P1 + P4;
        if (data.Length >= 4)
        {
            hash = BitOperations.RotateLeft(hash ^ (BinaryPrimitives.ReadUInt32LittleEndian(data) * P1), 23) * P2 + P3;
            data = data[4..];
        }
        foreach (var value in data)
            hash = BitOperations.RotateLeft(hash ^ (value * P5), 11) * P1;
        hash = (hash ^ (hash >> 33)) * P2;
        hash = (hash ^ (hash >> 29)) * P3;
        return hash ^ (hash >> 32);
    }

    /// <summary>The hash of fewer than 32 bytes begins with this.</summary>
    internal static ulong Short(ulong seed) => seed + P5;

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
        public ulong Append(ref ReadOnlySpan<byte> data)
        {
            ulong a = _a, b = _b, c = _c, d = _d;
            for (; data.Length >= 32; data = data[32..])
            {
                a = Round(a, BinaryPrimitives.ReadUInt64LittleEndian(data));
                b = Round(b, BinaryPrimitives.ReadUInt64LittleEndian(data[8..]));
                c = Round(c, BinaryPrimitives.ReadUInt64LittleEndian(data[16..]));
                d = Round(d, BinaryPrimitives.ReadUInt64LittleEndian(data[24..]));
            }
            (_a, _b, _c, _d) = (a, b, c, d);
            var hash = BitOperations.RotateLeft(a, 1) + BitOperations.RotateLeft(b, 7)
                + BitOperations.RotateLeft(c, 12) + BitOperations.RotateLeft(d, 18);
            return Merge(Merge(Merge(Merge(hash, a), b), c), d);
        }
    }
}
