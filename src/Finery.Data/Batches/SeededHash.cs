namespace Finery.Data.Batches;

/// <summary>Seeded numbers that are the same on every machine and version: SplitMix64's finaliser (Steele, Lea and Flood 2014;
/// constants of Stafford's Mix13).</summary>
internal static class SeededHash
{
    private const ulong GoldenGamma = 0x9E3779B97F4A7C15;

    public static ulong Mix(ulong x)
    {
        x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9;
        x = (x ^ (x >> 27)) * 0x94D049BB133111EB;
        return x ^ (x >> 31);
    }

    /// <summary>A hash of two numbers, different when they change places.</summary>
    public static ulong Mix(ulong a, ulong b) => Mix(Mix(a + GoldenGamma) + (b * GoldenGamma) + GoldenGamma);

    /// <summary>A number in [0, <paramref name="bound"/>), by the high half of a 128-bit product.</summary>
    public static long Below(ulong hash, long bound) => (long)Math.BigMul(hash, (ulong)bound, out _);
}

/// <summary>
/// A seeded permutation of 0 .. count-1 that takes no memory: an eight-round Feistel network on the smallest even number of
/// bits that holds the count, walked until the result is in range (format-preserving encryption, Black and Rogaway 2002).
/// </summary>
internal readonly struct SeededPermutation
{
    private readonly ulong _seed, _mask;
    private readonly int _halfBits;
    private readonly long _count;

    public SeededPermutation(long count, ulong seed)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(count);
        (_count, _seed) = (count, seed);
        int bits = 64 - System.Numerics.BitOperations.LeadingZeroCount((ulong)(count - 1));
        _halfBits = Math.Max(1, (bits + 1) / 2);
        _mask = (1UL << _halfBits) - 1;
    }

    /// <summary>Where <paramref name="index"/> goes. At most four steps are expected, as the domain is under four times the
    /// count.</summary>
    public long this[long index]
    {
        get
        {
            ArgumentOutOfRangeException.ThrowIfNegative(index);
            ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(index, _count);
            ulong value = (ulong)index;
            do value = Rounds(value);
            while (value >= (ulong)_count);
            return (long)value;
        }
    }

    private ulong Rounds(ulong value)
    {
        ulong left = value >> _halfBits, right = value & _mask;
        for (ulong round = 0; round < 8; round++)
            (left, right) = (right, left ^ (SeededHash.Mix(_seed ^ (round << 56), right) & _mask));
        return (left << _halfBits) | right;
    }
}
