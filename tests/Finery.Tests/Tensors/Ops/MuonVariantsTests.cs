using Finery.Tensors;
using Xunit;

namespace Finery.Tests.Tensors.Ops;

/// <summary>NorMuon, cautious decay, BF16 weights.</summary>
public class MuonVariantsTests : OpTest
{
    private static readonly MuonSettings Settings = new(.02f, .95f, .1f);

    [Theory]
    [InlineData(1, 1)]
    [InlineData(1, 20)]
    [InlineData(33, 1)]
    [InlineData(17, 50)]
    [InlineData(131, 67)]
    [InlineData(48, 24)]
    [InlineData(141, 300)]
    [InlineData(300, 260)]
    public void Cpu_matches_reference_with_the_same_bits_on_any_threads(int rows, int columns)
    {
        Tensor[] Run(string name)
        {
            var second = Zeros(Math.Max(rows, columns), 1);
            second.Floats.Fill(.01f);
            Tensor[] tensors = [Normal(1, rows, columns), Normal(2, 1e-3f, rows, columns), Normal(3, 1e-3f, rows, columns), second];
            Create(name).Muon(tensors[0], null, tensors[1], tensors[2], second, Settings with { Cautious = true });
            return tensors;
        }
        var (expected, one) = (Run("reference"), Run("cpu1"));
        for (int i = 0; i < 4; i++) AssertClose(expected[i], one[i], 1e-5);
        foreach (var other in (Tensor[][])[Run("cpu2"), Run("cpu3")])
        {
            for (int i = 0; i < 4; i++) AssertSameBits(one[i], other[i]);
        }
    }

    [Theory]
    [InlineData(60, 12)]
    [InlineData(12, 60)]
    public void Normalisation_keeps_the_norm_and_evens_the_longer_side(int rows, int columns)
    {
        var kernels = Create("cpu2");
        Tensor Update(bool normalized)
        {
            var (weight, gradient) = (Zeros(rows, columns), Normal(2, rows, columns));
            // Some rows or columns matter more than others.
            for (int i = 0; i < gradient.Length; i++) gradient[i] *= 1 + (rows > columns ? i / columns : i % columns) % 5;
            kernels.Muon(
                weight, null, gradient, Zeros(rows, columns), normalized ? Zeros(60, 1) : null, new MuonSettings(-1, 0, 0, Scale: MuonScale.Keller));
            return weight;
        }
        double[] Squares(Tensor update)
        {
            var squares = new double[60];
            for (int i = 0; i < update.Length; i++) squares[rows > columns ? i / columns : i % columns] += update[i] * update[i];
            return squares;
        }
        double[] plain = Squares(Update(false)), even = Squares(Update(true));
        Assert.Equal(plain.Sum(), even.Sum(), 1e-4 * plain.Sum());
        Assert.True(plain.Max() > 2 * plain.Min());
        // The first update divides by its own means alone.
        Assert.Equal(even.Max(), even.Min(), 1e-4 * even.Max());
    }

    [Theory, MemberData(nameof(AllKernels))]
    public void Cautious_decay_spares_weights_that_the_update_makes_larger(string name)
    {
        var kernels = Create(name);
        var settings = new MuonSettings(.1f, 0, .5f);
        float[] start = [1, -2, 3, -4, 5, -6];
        Tensor Run(bool cautious, float decay)
        {
            var weight = Matrix(start[..3], start[3..]);
            kernels.Muon(weight, null, Normal(5, 2, 3), Zeros(2, 3), null, settings with { WeightDecay = decay, Cautious = cautious });
            return weight;
        }
        Tensor without = Run(false, 0), always = Run(false, .5f), cautious = Run(true, .5f);
        int spared = 0;
        for (int i = 0; i < 6; i++)
        {
            bool shrinks = (start[i] - without[i]) * start[i] >= 0;
            if (!shrinks) spared++;
            Assert.Equal(shrinks ? always[i] : without[i], cautious[i], 1e-6);
        }
        Assert.InRange(spared, 1, 5);
    }

    [Theory]
    [InlineData("reference", DType.U16)]
    [InlineData("cpu1", DType.U16)]
    [InlineData("cpu3", DType.U16)]
    [InlineData("reference", DType.F32)]
    [InlineData("cpu3", DType.F32)]
    public void Masters_are_fp32_to_the_bit(string name, DType masters)
    {
        const int Rows = 150, Columns = 130;
        var kernels = Create(name);
        var exact = Normal(1, Rows, Columns);
        var (weight, master) = (Arena.Allocate("w", DType.BF16, Rows, Columns), Arena.Allocate("m", masters, Rows, Columns));
        for (int i = 0; i < exact.Length; i++)
        {
            weight.BFloat16s[i] = (BFloat16)exact.Floats[i];
            exact.Floats[i] = (float)weight.BFloat16s[i];
            if (masters == DType.F32) master.Floats[i] = exact.Floats[i];
        }
        var (a, b, c, d) = (Zeros(Rows, Columns), Zeros(Rows, Columns), Zeros(Rows, 1), Zeros(Rows, 1));
        for (int step = 0; step < 2; step++)
        {
            kernels.Muon(exact, null, Normal(step + 10, Rows, Columns), a, c, Settings);
            kernels.Muon(weight, master, Normal(step + 10, Rows, Columns), b, d, Settings);
        }
        AssertSameBits(a, b);
        AssertSameBits(c, d);
        for (int i = 0; i < exact.Length; i++)
        {
            uint bits = BitConverter.SingleToUInt32Bits(exact.Floats[i]);
            if (masters == DType.U16) Assert.Equal(bits, ((uint)weight.BFloat16s[i].Bits << 16) | master.UInt16s[i]);
            else Assert.Equal((bits, (BFloat16)exact.Floats[i]), (BitConverter.SingleToUInt32Bits(master.Floats[i]), weight.BFloat16s[i]));
        }
    }

    [Fact]
    public void Without_masters_small_updates_arrive_on_average_where_rounding_to_nearest_stalls()
    {
        const int Rows = 64, Columns = 256;
        Tensor Run(string name, ulong key)
        {
            var (kernels, weight, momentum) = (Create(name), Arena.Allocate("w", DType.BF16, Rows, Columns), Zeros(Rows, Columns));
            for (int i = 0; i < weight.Length; i++) weight.BFloat16s[i] = (BFloat16)1f;
            for (int step = 0; step < 10; step++)
            {
                var rounding = new StochasticRounding(CounterRandom.Bits(key, (ulong)step));
                kernels.Muon(weight, null, Normal(3, Rows, Columns), momentum, null, new MuonSettings(1e-3f, .95f, .1f, Rounding: rounding));
            }
            return weight;
        }
        var one = Run("cpu1", 1);
        AssertSameBits(one, Run("cpu3", 1));
        var wide = Zeros(Rows, Columns);
        wide.Floats.Fill(1);
        var running = Zeros(Rows, Columns);
        for (int step = 0; step < 10; step++)
            Create("cpu1").Muon(wide, null, Normal(3, Rows, Columns), running, null, new MuonSettings(1e-3f, .95f, .1f));
        double mean = 0, expected = 0;
        for (int i = 0; i < one.Length; i++) (mean, expected) = (mean + one[i] / one.Length, expected + wide[i] / one.Length);
        // An update is a thousandth, of which nearest rounding near 1 (steps of 1/256 below) sees at most a few.
        Assert.Equal(expected, mean, 4 * Math.Sqrt(10) * .5 / 128 / Math.Sqrt(one.Length));
        Assert.False(one.Bytes.SequenceEqual(Run("cpu1", 2).Bytes));
    }

    [Fact]
    public void Allocates_nothing_and_wrong_state_is_named()
    {
        var (kernels, weight, low) = (Create("cpu2"), Arena.Allocate("w", DType.BF16, 40, 70), Arena.Allocate("low", DType.U16, 40, 70));
        var (gradient, momentum, second) = (Normal(2, 40, 70), Zeros(40, 70), Zeros(70, 1));
        AssertAllocatesNothing(() => kernels.Muon(weight, low, gradient, momentum, second, Settings with { Cautious = true }));
        Assert.Contains("Muon: second", Assert.Throws<ArgumentException>(
            () => kernels.Muon(weight, low, gradient, momentum, Zeros(40, 1), Settings)).Message, StringComparison.Ordinal);
        Assert.Contains("only BF16 takes one", Assert.Throws<ArgumentException>(
            () => kernels.Muon(gradient, low, gradient, momentum, null, Settings)).Message, StringComparison.Ordinal);
    }
}
