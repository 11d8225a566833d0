using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Finery.Data.Filters.Segmentation;

/// <summary>
/// A fast 64-bit hash of text by folded 128-bit products. Only for tables that compare what they find: its seed differs from
/// process to process, so that no page can be written to make them slow, and no result may depend on it.
/// </summary>
internal static class TextHash
{
    private const ulong First = 0x9E37_79B9_7F4A_7C15, Second = 0xC2B2_AE3D_27D4_EB4F;

    private static readonly ulong s_seed = (ulong)Random.Shared.NextInt64() | 1;

    /// <summary>Of a text.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Of(ReadOnlySpan<char> text)
    {
        ref var bytes = ref Unsafe.As<char, byte>(ref MemoryMarshal.GetReference(text));
        var length = text.Length * 2;
        var hash = s_seed ^ ((ulong)length * Second);
        if (length >= 16)
            return OfLong(ref bytes, length, hash);
        ulong low, high;
        if (length >= 8)
        {
            low = Read64(ref bytes, 0);
            high = Read64(ref bytes, length - 8);
        }
        else if (length >= 4)
        {
            low = Read32(ref bytes, 0);
            high = Read32(ref bytes, length - 4);
        }
        else
        {
            low = length == 0 ? 0UL : text[0];
            high = 0;
        }
        return Fold(Fold(low ^ hash, First) ^ high, Second);
    }

    /// <summary>Of two numbers.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Of(int first, int second) => Fold((((ulong)(uint)first << 32) | (uint)second) ^ s_seed, First);

    /// <summary>Of sixteen characters.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Of(Vector256<ulong> characters) =>
        Fold(characters[0] ^ First, characters[1] ^ s_seed) ^ Fold(characters[2] ^ Second, characters[3] ^ ~s_seed);

    private static ulong OfLong(ref byte bytes, int length, ulong hash)
    {
        var i = 0;
        for (; i < length - 16; i += 16)
            hash = Fold(Read64(ref bytes, i) ^ hash, Read64(ref bytes, i + 8) ^ First);
        return Fold(Fold(Read64(ref bytes, length - 16) ^ hash, Read64(ref bytes, length - 8) ^ First), Second);
    }

    private static ulong Fold(ulong a, ulong b)
    {
        var high = Math.BigMul(a, b, out var low);
        return high ^ low;
    }

    private static ulong Read64(ref byte bytes, int offset) => Unsafe.ReadUnaligned<ulong>(ref Unsafe.Add(ref bytes, offset));

    private static ulong Read32(ref byte bytes, int offset) => Unsafe.ReadUnaligned<uint>(ref Unsafe.Add(ref bytes, offset));
}
