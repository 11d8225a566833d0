using Finery.Tensors;
using Xunit;

namespace Finery.Tests.Tensors.Ops;

public class MuonTests : OpTest
{
    // The update itself: learning rate 1, no decay, no momentum, weights of zero; minus because the update is subtracted.
    private Tensor Orthogonal(
        Kernels kernels, Tensor gradient, Orthogonalization iteration = Orthogonalization.Quintic, MuonScale scale = MuonScale.Keller)
    {
        var weight = Zeros(gradient.Rows, gradient.Columns);
        kernels.Muon(weight, Copy(gradient), Zeros(gradient.Rows, gradient.Columns), new MuonSettings(-1, 0, 0, Scale: scale, Iteration: iteration));
        return weight;
    }

    [Theory, MemberData(nameof(AllKernels))]
    public void Golden_square_and_wide_matrices(string name)
    {
        var kernels = Create(name);
        AssertClose(
            [-.68066099f, .82553961f, .74129542f, .25944003f], Orthogonal(kernels, Matrix([1, 2], [3, 4])).Floats, 2e-6);
        AssertClose(
            [-.56829011f, .05774194f, .683774f, .5633547f, .40561283f, .24787096f],
            Orthogonal(kernels, Matrix([1, 2, 3], [4, 5, 6])).Floats, 2e-6);
    }

    [Theory, MemberData(nameof(AllKernels))]
    public void A_tall_matrix_gives_the_transpose_and_scaling_the_gradient_gives_the_same(string name)
    {
        var kernels = Create(name);
        var (wide, scaled) = (Normal(1, 9, 30), Normal(1, 64f, 9, 30));
        var tall = Zeros(30, 9);
        for (int i = 0; i < 270; i++) tall[i % 30 * 9 + i / 30] = wide[i];
        var (fromWide, fromTall, transposed) = (Orthogonal(kernels, wide), Orthogonal(kernels, tall), Zeros(9, 30));
        // Keller's scale of the tall one is sqrt(30 / 9).
        for (int i = 0; i < 270; i++) transposed[i] = fromTall[i % 30 * 9 + i / 30] / Math.Sqrt(30 / 9.0);
        AssertClose(fromWide, transposed, 2e-6);
        AssertClose(fromWide, Orthogonal(kernels, scaled), 2e-6);
    }

    [Theory]
    [InlineData(Orthogonalization.Quintic, .6, .722876169)]
    [InlineData(Orthogonalization.Quintic, .8, 1.119203930)]
    [InlineData(Orthogonalization.Quintic, 1, .696436409)]
    [InlineData(Orthogonalization.PolarExpress, .6, .871286303)]
    public void Golden_scalar_maps(Orthogonalization iteration, double x, double expected) =>
        Assert.Equal(expected, Map(iteration, x), 1e-9);

    [Theory]
    [InlineData(Orthogonalization.Quintic, .0075, 1, .68183, 1.13436)]
    [InlineData(Orthogonalization.PolarExpress, .001, .98, .85887, 1.14113)]
    [InlineData(Orthogonalization.Exact, .001, 1, 1 - 1e-5, 1 + 1e-5)]
    public void Golden_ranges(Orthogonalization iteration, double from, double to, double least, double most)
    {
        const int Points = 200_000;
        double lowest = double.MaxValue, highest = 0;
        for (int i = 0; i <= Points; i++)
        {
            double y = Map(iteration, from + (to - from) * i / Points);
            (lowest, highest) = (Math.Min(lowest, y), Math.Max(highest, y));
        }
        Assert.InRange(lowest, least - 6e-6, 1);
        Assert.InRange(highest, .99, most + 6e-6);
        if (iteration == Orthogonalization.Exact) return;
        Assert.Equal(least, lowest, 6e-6);
        Assert.Equal(most, highest, 6e-6);
    }

    private static double Map(Orthogonalization iteration, double x)
    {
        foreach (var (a, b, c) in iteration.Steps()) x *= a + b * x * x + c * x * x * x * x;
        return x;
    }

    [Theory, MemberData(nameof(AllKernels))]
    public void The_size_of_an_update_is_that_of_AdamW(string name)
    {
        var kernels = Create(name);
        double Rms(Orthogonalization iteration, int rows, int columns)
        {
            var update = Orthogonal(kernels, Normal(3, rows, columns), iteration, MuonScale.Moonlight);
            return Math.Sqrt(kernels.SumOfSquares(update) / update.Length);
        }
        Assert.InRange(Rms(Orthogonalization.Quintic, 24, 96), .15, .2);
        Assert.InRange(Rms(Orthogonalization.Quintic, 48, 48), .15, .2);
        Assert.Equal(.2, Rms(Orthogonalization.Exact, 24, 96), 1e-4);
    }

    [Theory, MemberData(nameof(AllKernels))]
    public void A_wide_Gaussian_becomes_nearly_orthogonal(string name)
    {
        var update = Orthogonal(Create(name), Normal(4, 12, 48));
        // All singular values within [.65, 1.17] keep the length of any combination of rows there.
        for (int trial = 0; trial < 50; trial++)
        {
            var direction = Normal(100 + trial, 1, 12);
            double squares = 0, length = 0;
            for (int j = 0; j < 48; j++)
            {
                double sum = 0;
                for (int i = 0; i < 12; i++) sum += direction[i] * update[i * 48 + j];
                squares += sum * sum;
            }
            for (int i = 0; i < 12; i++) length += direction[i] * direction[i];
            Assert.InRange(Math.Sqrt(squares / length), .65, 1.17);
        }
    }

    [Theory, MemberData(nameof(AllKernels))]
    public void A_running_mean_of_gradients_updates_as_heavy_ball_momentum_does(string name)
    {
        var kernels = Create(name);
        foreach (bool nesterov in (bool[])[true, false])
        {
            var settings = new MuonSettings(.02f, .95f, .1f, 1, nesterov);
            var (weight, momentum, heavyWeight) = (Normal(1, 6, 10), Zeros(6, 10), Normal(1, 6, 10));
            var heavy = new double[60];
            for (int step = 0; step < 4; step++)
            {
                var (gradient, direction) = (Normal(10 + step, 6, 10), Zeros(6, 10));
                for (int i = 0; i < 60; i++)
                {
                    heavy[i] = .95f * heavy[i] + gradient[i];
                    direction[i] = nesterov ? gradient[i] + .95f * heavy[i] : heavy[i];
                }
                kernels.Muon(weight, gradient, momentum, settings);
                kernels.Muon(heavyWeight, direction, Zeros(6, 10), settings with { Momentum = 0, Nesterov = false });
                AssertClose(heavyWeight, weight, 1e-5);
                Assert.All(gradient.Floats.ToArray(), value => Assert.Equal(0, value));
            }
        }
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(1, 20)]
    [InlineData(33, 1)]
    [InlineData(17, 50)]
    [InlineData(131, 67)]
    public void Cpu_matches_reference_with_the_same_bits_on_any_threads(int rows, int columns)
    {
        foreach (var iteration in Enum.GetValues<Orthogonalization>())
        {
            Tensor[] Run(string name)
            {
                Tensor[] tensors = [Normal(1, rows, columns), Normal(2, 1e-3f, rows, columns), Normal(3, 1e-3f, rows, columns)];
                Create(name).Muon(tensors[0], tensors[1], tensors[2], new MuonSettings(.1f, .95f, .1f, .5f, Iteration: iteration));
                return tensors;
            }
            var expected = Run("reference");
            var one = Run("cpu1");
            for (int i = 0; i < 3; i++) AssertClose(expected[i], one[i], 1e-5);
            foreach (var other in (Tensor[][])[Run("cpu2"), Run("cpu3")])
            {
                for (int i = 0; i < 3; i++) AssertSameBits(one[i], other[i]);
            }
        }
    }

    [Theory, MemberData(nameof(AllKernels))]
    public void A_zero_gradient_only_decays_and_NaN_is_not_hidden(string name)
    {
        var kernels = Create(name);
        var weight = Matrix([1, 2], [3, 4]);
        kernels.Muon(weight, Zeros(2, 2), Zeros(2, 2), new MuonSettings(.1f, .95f, .5f));
        AssertClose([.95f, 1.9f, 2.85f, 3.8f], weight.Floats, 1e-6);
        var gradient = Normal(1, 2, 2);
        gradient[3] = double.NaN;
        kernels.Muon(weight, gradient, Zeros(2, 2), new MuonSettings(.1f, .95f, .5f));
        Assert.All(weight.Floats.ToArray(), value => Assert.True(float.IsNaN(value)));
    }

    [Fact]
    public void A_slice_of_a_fused_matrix_is_updated_alone()
    {
        var kernels = Create("cpu2");
        var (weight, gradient, momentum) = (Normal(1, 20, 16), Normal(2, 20, 16), Zeros(20, 16));
        var (before, alone, aloneGradient) = (Copy(weight), Copy(weight.Slice(5, 9)), Copy(gradient.Slice(5, 9)));
        var settings = new MuonSettings(.02f, .95f, .1f);
        kernels.Muon(weight.Slice(5, 9), gradient.Slice(5, 9), momentum.Slice(5, 9), settings);
        kernels.Muon(alone, aloneGradient, Zeros(9, 16), settings);
        AssertSameBits(alone, weight.Slice(5, 9));
        AssertSameBits(before.Slice(0, 5), weight.Slice(0, 5));
        AssertSameBits(before.Slice(14, 6), weight.Slice(14, 6));
    }

    [Fact]
    public void Allocates_nothing()
    {
        var kernels = Create("cpu2");
        var (weight, gradient, momentum) = (Normal(1, 40, 70), Normal(2, 40, 70), Zeros(40, 70));
        AssertAllocatesNothing(() => kernels.Muon(weight, gradient, momentum, new MuonSettings(.02f, .95f, .1f)));
    }

    [Fact]
    public void Wrong_shapes_are_named()
    {
        var error = Assert.Throws<ArgumentException>(
            () => Create("cpu1").Muon(Zeros(2, 3), Zeros(3, 2), Zeros(2, 3), new MuonSettings(.02f, .95f, .1f)));
        Assert.Contains("Muon: gradient", error.Message, StringComparison.Ordinal);
    }
}
