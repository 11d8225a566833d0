using System.Numerics;
using System.Runtime.InteropServices;

namespace Finery.Data.Tokenizers;

/// <summary>A quick hash of short byte strings for tables in memory: never stored, and no defence against crafted keys.</summary>
internal static class ByteHash
{
    public static ulong Of(ReadOnlySpan<byte> bytes)
    {
        ulong hash = (ulong)bytes.Length * 0x9E3779B185EBCA87;
        for (; bytes.Length >= 8; bytes = bytes[8..]) hash = Mixed(hash, MemoryMarshal.Read<ulong>(bytes));
        ulong tail = 0;
        for (int i = 0; i < bytes.Length; i++) tail |= (ulong)bytes[i] << (8 * i);
        hash = Mixed(hash, tail);
        return hash ^ (hash >> 32);
    }

    private static ulong Mixed(ulong hash, ulong word) =>
        BitOperations.RotateLeft((hash ^ word) * 0x9E3779B185EBCA87, 31) * 0xC2B2AE3D27D4EB4F;
}
