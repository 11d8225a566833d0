namespace Finery.Tensors;

/// <summary>Random bits as a pure function of a key and a counter: any element of a stream can be drawn alone, in any order, on
/// any thread. The mixer is the finaliser of SplitMix64 (Steele, Lea and Flood 2014).</summary>
public static class CounterRandom
{
    private const ulong Golden = 0x9E3779B97F4A7C15;

    /// <summary>A key from a seed and a name (FNV-1a over UTF-16 units, then mixed).</summary>
    public static ulong Key(ulong seed, ReadOnlySpan<char> name)
    {
        ulong hash = 0xCBF29CE484222325;
        foreach (char unit in name) hash = (hash ^ unit) * 0x100000001B3;
        return Mix(seed + Golden * Mix(hash));
    }

    /// <summary>64 random bits.</summary>
    public static ulong Bits(ulong key, ulong counter) => Mix(key + Golden * (counter + 1));

    /// <summary>A uniform number in [0, 1) with 53 random bits.</summary>
    public static double Uniform(ulong key, ulong counter) => (Bits(key, counter) >> 11) * (1.0 / (1UL << 53));

    /// <summary>A standard normal number (Box-Muller on two 32-bit halves; at most 6.7 in size).</summary>
    public static double Normal(ulong key, ulong counter)
    {
        ulong bits = Bits(key, counter);
        double radius = Math.Sqrt(-2 * Math.Log(((bits >> 32) + 0.5) * (1.0 / (1UL << 32))));
        return radius * Math.Cos(2 * Math.PI * (uint)bits * (1.0 / (1UL << 32)));
    }

    private static ulong Mix(ulong value)
    {
        value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9;
        value = (value ^ (value >> 27)) * 0x94D049BB133111EB;
        return value ^ (value >> 31);
    }
}
