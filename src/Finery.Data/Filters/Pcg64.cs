namespace Finery.Data.Filters;

/// <summary>
/// NumPy's default generator, bit for bit: PCG XSL RR 128/64 (O'Neill 2014) seeded through <c>SeedSequence</c>. For
/// reproducing what other tools drew; Finery's own choices are made by hashes of ids.
/// </summary>
public sealed class Pcg64
{
    private static readonly UInt128 s_multiplier = new(0x2360ED051FC65DA4, 0x4385DF649FCCF645);

    private readonly UInt128 _increment;
    private UInt128 _state;
    private uint? _upperHalf;

    /// <summary>As <c>default_rng(seed)</c>.</summary>
    public Pcg64(ulong seed)
    {
        Span<ulong> words = stackalloc ulong[4];
        SeedSequence(seed, words);
        _increment = (new UInt128(words[2], words[3]) << 1) | 1;
        _state = _increment + new UInt128(words[0], words[1]);
        Step();
    }

    /// <summary>64 random bits.</summary>
    public ulong NextUInt64()
    {
        Step();
        return ulong.RotateRight((ulong)(_state >> 64) ^ (ulong)_state, (int)(_state >> 122));
    }

    /// <summary>32 random bits: the lower half of 64, then the upper.</summary>
    public uint NextUInt32()
    {
        if (_upperHalf is { } upper)
        {
            _upperHalf = null;
            return upper;
        }
        var value = NextUInt64();
        _upperHalf = (uint)(value >> 32);
        return (uint)value;
    }

    /// <summary>Uniform from 0 to below 1, a multiple of 2^-53: <c>random()</c>.</summary>
    public double NextDouble() => (NextUInt64() >> 11) * (1.0 / (1L << 53));

    /// <summary>0 .. count-1 in random order: <c>permutation(count)</c>.</summary>
    public int[] Permutation(int count)
    {
        int[] order = [.. Enumerable.Range(0, count)];
        for (var i = count - 1; i > 0; i--)
        {
            var j = (int)Below((uint)i);
            (order[i], order[j]) = (order[j], order[i]);
        }
        return order;
    }

    /// <summary>Uniform from 0 to <paramref name="last"/>, by masked rejection, as NumPy shuffles.</summary>
    private uint Below(uint last)
    {
        var mask = uint.MaxValue >> System.Numerics.BitOperations.LeadingZeroCount(last);
        uint value;
        do
            value = NextUInt32() & mask;
        while (value > last);
        return value;
    }

    private void Step() => _state = _state * s_multiplier + _increment;

    // numpy/random/bit_generator: a pool of four words mixed from the seed, and output words hashed from it.
    private static void SeedSequence(ulong seed, Span<ulong> output)
    {
        Span<uint> pool = stackalloc uint[4];
        var constant = 0x43B0D7E5u;
        for (var i = 0; i < 4; i++)
            pool[i] = Hash(i == 0 ? (uint)seed : i == 1 ? (uint)(seed >> 32) : 0, ref constant, 0x931E8875);
        for (var from = 0; from < 4; from++)
            for (var to = 0; to < 4; to++)
                if (from != to)
                    pool[to] = Mix(pool[to], Hash(pool[from], ref constant, 0x931E8875));
        constant = 0x8B51F9DD;
        for (var i = 0; i < output.Length; i++)
        {
            var low = Hash(pool[2 * i % 4], ref constant, 0x58F38DED);
            output[i] = (ulong)Hash(pool[(2 * i + 1) % 4], ref constant, 0x58F38DED) << 32 | low;
        }
    }

    private static uint Hash(uint value, ref uint constant, uint multiplier)
    {
        value ^= constant;
        constant *= multiplier;
        value *= constant;
        return value ^ value >> 16;
    }

    private static uint Mix(uint x, uint y)
    {
        var mixed = 0xCA01F9DD * x - 0x4973F715 * y;
        return mixed ^ mixed >> 16;
    }
}
