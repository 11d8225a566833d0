using System.Buffers.Binary;
using System.Numerics;

namespace Finery.Data.Deduplication;

/// <summary>xxHash32 (Collet; specification 0.1.1), seed 0.</summary>
internal static class XxHash32
{
    private const uint P1 = 2654435761;
    private const uint P2 = 2246822519;
    private const uint P3 = 3266489917;
    private const uint P4 = 668265263;
    private const uint P5 = 374761393;

    public static uint Hash(ReadOnlySpan<byte> data)
    {
        var length = (uint)data.Length;
        uint hash = P5;
        if (data.Length >= 16)
        {
            uint a = unchecked(P1 + P2), b = P2, c = 0, d = unchecked(0 - P1);
            for (; data.Length >= 16; data = data[16..])
            {
                a = Round(a, BinaryPrimitives.ReadUInt32LittleEndian(data));
                b = Round(b, BinaryPrimitives.ReadUInt32LittleEndian(data[4..]));
                c = Round(c, BinaryPrimitives.ReadUInt32LittleEndian(data[8..]));
                d = Round(d, BinaryPrimitives.ReadUInt32LittleEndian(data[12..]));
            }
            hash = BitOperations.RotateLeft(a, 1) + BitOperations.RotateLeft(b, 7)
                + BitOperations.RotateLeft(c, 12) + BitOperations.RotateLeft(d, 18);
        }
        hash += length;
        for (; data.Length >= 4; data = data[4..])
            hash = BitOperations.RotateLeft(hash + BinaryPrimitives.ReadUInt32LittleEndian(data) * P3, 17) * P4;
        foreach (var value in data)
            hash = BitOperations.RotateLeft(hash + value * P5, 11) * P1;
        hash = (hash ^ (hash >> 15)) * P2;
        hash = (hash ^ (hash >> 13)) * P3;
        return hash ^ (hash >> 16);
    }

    private static uint Round(uint accumulator, uint input) => BitOperations.RotateLeft(accumulator + input * P2, 13) * P1;
}
