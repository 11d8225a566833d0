namespace Finery.Data.Classifiers;

/// <summary>Random numbers (Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014): the same on every
/// machine.</summary>
internal struct SplitMix64(ulong seed)
{
    private ulong _state = seed;

    public ulong Next()
    {
        var z = _state += 0x9E3779B97F4A7C15;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }

    /// <summary>Below a positive bound.</summary>
    public int Below(int bound) => (int)Math.BigMul(Next(), (ulong)bound, out _);

    /// <summary>In [0, 1).</summary>
    public float NextSingle() => (Next() >> 40) * (1f / (1 << 24));
}
