using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Finery.Data.Batches;

/// <summary>Ids as they lie in shards.</summary>
internal static class TokenIds
{
    /// <summary>Reads little-endian ids of two or four bytes.</summary>
    public static void Read(ReadOnlySpan<byte> bytes, int tokenBytes, Span<int> ids)
    {
        int i = 0;
        if (tokenBytes == 4 && BitConverter.IsLittleEndian)
        {
            MemoryMarshal.Cast<byte, int>(bytes)[..ids.Length].CopyTo(ids);
            return;
        }
        if (tokenBytes == 2 && BitConverter.IsLittleEndian && Vector256.IsHardwareAccelerated)
        {
            ReadOnlySpan<ushort> narrow = MemoryMarshal.Cast<byte, ushort>(bytes);
            for (; i <= ids.Length - Vector256<ushort>.Count; i += Vector256<ushort>.Count)
            {
                var (lower, upper) = Vector256.Widen(Vector256.Create(narrow[i..]));
                lower.AsInt32().CopyTo(ids[i..]);
                upper.AsInt32().CopyTo(ids[(i + Vector256<int>.Count)..]);
            }
        }
        for (; i < ids.Length; i++)
        {
            ids[i] = tokenBytes == 2
                ? BinaryPrimitives.ReadUInt16LittleEndian(bytes[(2 * i)..])
                : BinaryPrimitives.ReadInt32LittleEndian(bytes[(4 * i)..]);
        }
    }

    /// <summary>Index of the first id that is negative or not below <paramref name="vocabSize"/>; -1 if there is none.</summary>
    public static int FirstBeyond(ReadOnlySpan<int> ids, int vocabSize) => ids.IndexOfAnyExceptInRange(0, vocabSize - 1);
}
