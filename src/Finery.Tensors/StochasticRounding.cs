using System.Runtime.CompilerServices;

namespace Finery.Tensors;

/// <summary>
/// Unbiased rounding to bfloat16: 16 random bits are added below the mantissa and the sum truncated, so that the chance to round up is
/// the cut-off part over the distance of the neighbours. The bits are a pure function of a key and an element's index.
/// </summary>
/// <remarks>Two rounds of a 32-bit mixer with a key word before each. The factors are those of C. Wellons' search for low bias
/// (hash-prospector, 2018-2022); 32 bits, because processors multiply vectors of 32 bits faster than of 64.</remarks>
public readonly record struct StochasticRounding
{
    internal const uint Factor1 = 0x21F0AAAD, Factor2 = 0xD35A2D97;

    /// <summary>Rounding with the random bits of <paramref name="key"/>, from <see cref="CounterRandom"/>.</summary>
    public StochasticRounding(ulong key) => (First, Second) = ((uint)key, (uint)(key >> 32));

    internal uint First { get; private init; }

    internal uint Second { get; private init; }

    /// <summary>Elements that share key words: the counter of an element is its index within the block.</summary>
    internal const int Block = 1 << 14;

    /// <summary>Blocks of a tensor of <paramref name="length"/> elements.</summary>
    internal static int Blocks(long length) => (int)((length + Block - 1) / Block);

    /// <summary>The rounding of block <paramref name="block"/>, with key words of its own.</summary>
    internal StochasticRounding OfBlock(long block) => new(CounterRandom.Bits(((ulong)Second << 32) | First, (ulong)block));

    /// <summary>Rounds element <paramref name="counter"/>; infinity and NaN stay what they are.</summary>
    internal BFloat16 Round(float value, uint counter) => float.IsFinite(value)
        ? new((ushort)((BitConverter.SingleToUInt32Bits(value) + (Bits(counter) >> 16)) >> 16))
        : (BFloat16)value;

    /// <summary>32 random bits, of which the upper 16 are used.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal uint Bits(uint counter)
    {
        uint x = counter ^ First;
        x = (x ^ (x >> 16)) * Factor1;
        x = (x ^ (x >> 15)) * Factor2;
        x = (x ^ (x >> 15)) + Second;
        x = (x ^ (x >> 16)) * Factor1;
        return (x ^ (x >> 15)) * Factor2;
    }
}
