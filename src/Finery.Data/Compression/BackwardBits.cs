using System.Numerics;
using System.Runtime.CompilerServices;

namespace Finery.Data.Compression;

/// <summary>
/// Bit streams that are read from their end. A position is the number of bits still unread; one that has become negative tells
/// of a damaged stream. Eight bytes before the start must be readable, and 64 where a position may be checked late.
/// </summary>
internal static unsafe class BackwardBits
{
    /// <summary>The position below the highest bit set in the last byte, which ends the stream.</summary>
    /// <exception cref="InvalidDataException">There is none.</exception>
    public static long Start(byte* source, int length)
    {
        if (length == 0 || source[length - 1] == 0)
            throw new InvalidDataException("Damaged zstd block: a bit stream has no end mark.");
        return (length - 1) * 8L + BitOperations.Log2(source[length - 1]);
    }

    /// <summary>The next bits, at least 57 of them, the first one highest.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Load(byte* source, long position)
    {
        var end = (position + 7) >> 3;
        return *(ulong*)(source + end - 8) << (int)(end * 8 - position);
    }

    /// <summary>The first <paramref name="count"/> of loaded bits; 0 is allowed.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint Top(ulong bits, int count) => (uint)((bits >> 1) >> (63 - count));
}
