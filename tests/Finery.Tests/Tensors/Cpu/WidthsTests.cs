using System.Runtime.Intrinsics;
using Finery.Tensors;
using Xunit;

namespace Finery.Tests.Tensors.Cpu;

/// <summary>bfloat16 conversions of every width against those of a single number. All widths run everywhere, in software if need be.</summary>
public unsafe class WidthsTests
{
    [Fact]
    public void Every_width_converts_as_a_single_number_does()
    {
        Check<Width128, Vector128<float>>();
        Check<Width256, Vector256<float>>();
        Check<Width512, Vector512<float>>();
        Check<Scalar, float>();
    }

    [Fact]
    public void Rounding_is_to_nearest_even_and_keeps_what_is_not_finite()
    {
        Assert.Equal(0x3F80, ((BFloat16)1.001f).Bits);
        Assert.Equal(0x3F80, ((BFloat16)BitConverter.UInt32BitsToSingle(0x3F808000)).Bits);
        Assert.Equal(0x3F82, ((BFloat16)BitConverter.UInt32BitsToSingle(0x3F818000)).Bits);
        Assert.Equal(0x3F81, ((BFloat16)BitConverter.UInt32BitsToSingle(0x3F808001)).Bits);
        Assert.Equal(0x7F80, ((BFloat16)float.PositiveInfinity).Bits);
        Assert.Equal(0x7F80, ((BFloat16)float.MaxValue).Bits);
        // Rounding the payload away must not make it infinite.
        Assert.True(float.IsNaN((float)(BFloat16)BitConverter.UInt32BitsToSingle(0x7F800001)));
        Assert.True(float.IsNaN((float)(BFloat16)BitConverter.UInt32BitsToSingle(0xFFFFFFFF)));
    }

    [Fact]
    public void Every_width_selects_by_sign_as_a_single_number_does()
    {
        Select<Width128, Vector128<float>>();
        Select<Width256, Vector256<float>>();
        Select<Width512, Vector512<float>>();
        Select<Scalar, float>();
    }

    private static void Select<W, V>() where W : struct, IWidth<V> where V : struct
    {
        float[] tests = [1, -1, 0, -0f, float.NaN, float.Epsilon, -float.Epsilon, float.NegativeInfinity];
        float* test = stackalloc float[16], selected = stackalloc float[16];
        for (int i = 0; i < 16; i++) test[i] = tests[i % tests.Length];
        W.Store(W.WhereNotNegative(W.Load(test), W.Broadcast(2), W.Broadcast(3)), selected);
        for (int i = 0; i < W.Count; i++) Assert.Equal(test[i] >= 0 ? 2 : 3, selected[i]);
    }

    private static void Check<W, V>() where W : struct, IWidth<V> where V : struct
    {
        const int Longest = 16;
        uint[] lows = [0, 1, 0x7FFF, 0x8000, 0x8001, 0xFFFF];
        float* source = stackalloc float[Longest], wide = stackalloc float[Longest];
        BFloat16* narrow = stackalloc BFloat16[Longest], high = stackalloc BFloat16[Longest];
        ushort* low = stackalloc ushort[Longest];
        var rounding = new StochasticRounding(0x1234_5678_9ABC_DEF0);
        for (uint first = 0; first < 1 << 16; first += (uint)W.Count)
        {
            foreach (uint bits in lows)
            {
                for (int i = 0; i < W.Count; i++) source[i] = BitConverter.UInt32BitsToSingle(((first + (uint)i) << 16) | bits);
                V value = W.Load(source);
                W.StoreNarrow(value, narrow);
                W.Store(W.RoundNarrow(value), wide);
                for (int i = 0; i < W.Count; i++)
                {
                    Same((float)(BFloat16)source[i], (float)narrow[i]);
                    Same((float)narrow[i], wide[i]);
                }
                W.Store(W.LoadWide(narrow), wide);
                for (int i = 0; i < W.Count; i++) Same((float)narrow[i], wide[i]);
                W.StoreSplit(value, high, low);
                W.Store(W.LoadSplit(high, low), wide);
                for (int i = 0; i < W.Count; i++)
                {
                    Same(source[i], wide[i]);
                    Assert.Equal(bits, low[i]);
                    Assert.Equal(first + (uint)i, high[i].Bits);
                }
                W.StoreStochastic(value, narrow, rounding, first);
                for (int i = 0; i < W.Count; i++)
                    Same((float)rounding.Round(source[i], first + (uint)i), (float)narrow[i]);
            }
        }
    }

    private static void Same(float expected, float actual)
    {
        if (BitConverter.SingleToUInt32Bits(expected) != BitConverter.SingleToUInt32Bits(actual))
            Assert.Fail($"{BitConverter.SingleToUInt32Bits(actual):X8}, expected {BitConverter.SingleToUInt32Bits(expected):X8}");
    }
}
