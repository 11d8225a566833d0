using Finery.Tensors;
using Xunit;

namespace Finery.Tests.Tensors.Ops;

/// <summary>BF16 weights: with fp32 masters, with split masters, and with stochastic rounding alone.</summary>
public class AdamWMastersTests : OpTest
{
    private static AdamWSettings Settings(long step, float rate = 1e-3f, ulong key = 1) =>
        new(rate, .9f, .95f, 1e-8f, .1f, step, 1, new StochasticRounding(CounterRandom.Bits(key, (ulong)step)));

    [Theory]
    [InlineData("reference", 7)]
    [InlineData("cpu1", 7)]
    [InlineData("cpu3", 40_003)]
    public void Split_masters_are_fp32_to_the_bit(string name, int length)
    {
        var kernels = Create(name);
        var (exact, weight, master) = (Normal(1, 1, length), Narrow(1, length), Arena.Allocate("low", DType.U16, 1, length));
        for (int i = 0; i < length; i++)
        {
            uint bits = BitConverter.SingleToUInt32Bits(exact.Floats[i]);
            (weight.BFloat16s[i], master.UInt16s[i]) = (new((ushort)(bits >> 16)), (ushort)bits);
        }
        var (m1, v1, m2, v2) = (Zeros(1, length), Zeros(1, length), Zeros(1, length), Zeros(1, length));
        for (int step = 1; step <= 5; step++)
        {
            kernels.AdamW(exact, Normal(step + 10, 1, length), m1, v1, Settings(step));
            kernels.AdamW(weight, master, Normal(step + 10, 1, length), m2, v2, Settings(step));
        }
        AssertSameBits(m1, m2);
        AssertSameBits(v1, v2);
        for (int i = 0; i < length; i++)
        {
            uint bits = ((uint)weight.BFloat16s[i].Bits << 16) | master.UInt16s[i];
            Assert.Equal(BitConverter.SingleToUInt32Bits(exact.Floats[i]), bits);
        }
    }

    [Theory]
    [InlineData("reference", 7)]
    [InlineData("cpu1", 33)]
    [InlineData("cpu3", 40_003)]
    public void Fp32_masters_are_fp32_and_the_weight_is_their_nearest(string name, int length)
    {
        var kernels = Create(name);
        var (exact, weight) = (Normal(1, 1, length), Narrow(1, length));
        var (master, m1, v1, m2, v2) = (Copy(exact), Zeros(1, length), Zeros(1, length), Zeros(1, length), Zeros(1, length));
        for (int step = 1; step <= 3; step++)
        {
            kernels.AdamW(exact, Normal(step + 10, 1, length), m1, v1, Settings(step));
            kernels.AdamW(weight, master, Normal(step + 10, 1, length), m2, v2, Settings(step));
        }
        AssertSameBits(exact, master);
        for (int i = 0; i < length; i++) Assert.Equal(((BFloat16)exact.Floats[i]).Bits, weight.BFloat16s[i].Bits);
    }

    [Fact]
    public void Stochastic_rounding_has_the_probability_of_the_cut_off_part()
    {
        // Pretraining reference, case 20: 1.001 lies .128006 of the way from 1 to 1.0078125.
        const int Draws = 1_000_000;
        var rounding = new StochasticRounding(CounterRandom.Key(1, "case 20"));
        double sum = 0;
        int up = 0;
        for (int i = 0; i < Draws; i++)
        {
            float rounded = (float)rounding.OfBlock(i / StochasticRounding.Block).Round(1.001f, (uint)(i % StochasticRounding.Block));
            Assert.True(rounded is 1 or 1.0078125f);
            if (rounded > 1) up++;
            sum += rounded;
        }
        Assert.Equal(.128006, up / (double)Draws, 4 * Math.Sqrt(.128 * .872 / Draws));
        Assert.Equal(1.001, sum / Draws, 1.1e-5);
        Assert.Equal(1f, (float)(BFloat16)1.001f);
    }

    [Fact]
    public void Random_bits_of_neighbours_blocks_and_keys_are_unrelated()
    {
        var rounding = new StochasticRounding(CounterRandom.Key(1, "bits"));
        var (sameBlock, nextBlock, otherKey) = (rounding.OfBlock(0), rounding.OfBlock(1), new StochasticRounding(CounterRandom.Key(2, "bits")).OfBlock(0));
        double[] correlations = new double[3];
        const int Count = 1 << 14;
        for (uint i = 0; i < Count; i++)
        {
            double Uniform(StochasticRounding source, uint counter) => (source.Bits(counter) >> 16) / 65536.0 - .5;
            double x = Uniform(sameBlock, i);
            correlations[0] += 12 * x * Uniform(sameBlock, i + 1) / Count;
            correlations[1] += 12 * x * Uniform(nextBlock, i) / Count;
            correlations[2] += 12 * x * Uniform(otherKey, i) / Count;
        }
        // Four standard deviations of a sample correlation.
        foreach (double correlation in correlations) Assert.InRange(correlation, -4 / Math.Sqrt(Count), 4 / Math.Sqrt(Count));
    }

    [Theory]
    [InlineData("reference")]
    [InlineData("cpu1")]
    [InlineData("cpu3")]
    public void Small_updates_stall_when_rounded_to_nearest_but_not_stochastically(string name)
    {
        const int Length = 20_000, Steps = 50;
        var (kernels, weight) = (Create(name), Narrow(1, Length));
        var (gradient, first, second) = (Zeros(1, Length), Zeros(1, Length), Zeros(1, Length));
        weight.BFloat16s.Fill((BFloat16)1f);
        var nearest = (BFloat16)1f;
        for (int step = 1; step <= Steps; step++)
        {
            gradient.Floats.Fill(1);
            kernels.AdamW(weight, null, gradient, first, second, Settings(step) with { WeightDecay = 0 });
            nearest = (BFloat16)((float)nearest - 1e-3f);
        }
        Assert.Equal(1f, (float)nearest);
        double mean = 0;
        foreach (var value in weight.BFloat16s) mean += (float)value / Length;
        // A constant gradient moves every weight by the learning rate a step. A step's rounding error is at most a unit, 2^-8.
        Assert.Equal(1 - Steps * 1e-3, mean, 4 * Math.Sqrt(Steps) / 256 / Math.Sqrt(Length));
    }

    [Fact]
    public void Stochastic_updates_are_the_same_on_any_threads_and_near_the_reference()
    {
        const int Length = 40_003;
        Tensor Run(string name, ulong key)
        {
            var (kernels, weight, first, second) = (Create(name), Narrow(1, Length), Zeros(1, Length), Zeros(1, Length));
            for (int step = 1; step <= 3; step++) kernels.AdamW(weight, null, Normal(step + 10, 1, Length), first, second, Settings(step, key: key));
            return weight;
        }
        var (reference, one) = (Run("reference", 1), Run("cpu1", 1));
        AssertSameBits(one, Run("cpu2", 1));
        AssertSameBits(one, Run("cpu3", 1));
        int different = 0, otherKey = 0;
        var other = Run("cpu1", 2);
        for (int i = 0; i < Length; i++)
        {
            if (reference[i] != one[i]) different++;
            if (other[i] != one[i]) otherKey++;
        }
        Assert.InRange(different, 0, Length / 1000);
        Assert.InRange(otherKey, Length / 10, Length);
    }

    [Fact]
    public void Infinite_and_undefined_weights_stay_so()
    {
        var rounding = new StochasticRounding(1);
        for (uint i = 0; i < 1000; i++)
        {
            Assert.Equal(float.PositiveInfinity, (float)rounding.Round(float.PositiveInfinity, i));
            Assert.True(float.IsNaN((float)rounding.Round(float.NaN, i)));
        }
    }

    [Fact]
    public void Masters_that_do_not_fit_are_named()
    {
        var kernels = Create("cpu1");
        var (wide, narrow) = (Zeros(2, 3), Narrow(2, 3));
        Assert.Contains("only BF16 takes one", Assert.Throws<ArgumentException>(
            () => kernels.AdamW(wide, wide, wide, wide, wide, Settings(1))).Message, StringComparison.Ordinal);
        Assert.Contains("master", Assert.Throws<ArgumentException>(
            () => kernels.AdamW(narrow, narrow, wide, wide, wide, Settings(1))).Message, StringComparison.Ordinal);
        Assert.Contains("gradient", Assert.Throws<ArgumentException>(
            () => kernels.AdamW(narrow, wide, narrow, wide, wide, Settings(1))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Allocates_nothing()
    {
        var (kernels, weight, low) = (Create("cpu2"), Narrow(50, 999), Arena.Allocate("low", DType.U16, 50, 999));
        var (gradient, first, second) = (Zeros(50, 999), Zeros(50, 999), Zeros(50, 999));
        AssertAllocatesNothing(() =>
        {
            kernels.AdamW(weight, low, gradient, first, second, Settings(1));
            kernels.AdamW(weight, null, gradient, first, second, Settings(1));
        });
    }

    private Tensor Narrow(params ReadOnlySpan<int> shape)
    {
        var values = Normal(1, shape);
        var tensor = Arena.Allocate("narrow", DType.BF16, shape);
        for (int i = 0; i < tensor.Length; i++) tensor.BFloat16s[i] = (BFloat16)values.Floats[i];
        return tensor;
    }
}
