using Finery.Tensors;
using Xunit;

namespace Finery.Tests.Tensors.Ops;

public class LinearCrossEntropyTests : OpTest
{
    [Theory, MemberData(nameof(AllKernels))]
    public void Golden_loss_and_gradient(string name)
    {
        // An identity as head makes the input the logits and dx their gradient.
        var weight = Matrix([1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]);
        foreach (float shift in (float[])[0, 10])
        {
            var x = Matrix([2 + shift, 1 + shift, shift, -1 + shift]);
            var (losses, dx) = (Poisoned(1), Poisoned(1, 4));
            Create(name).LinearCrossEntropyForwardBackward(x, weight, Integers(0), Matrix([1]), losses, dx, null);
            AssertClose([.440189699f], losses.Floats, 1e-6);
            AssertClose([-.356085740f, .236882818f, .087144319f, .032058603f], dx.Floats, 1e-6);
        }
    }

    [Theory, MemberData(nameof(AllKernels))]
    public void Golden_z_loss_of_the_true_log_sum_exp(string name)
    {
        var (kernels, options) = (Create(name), new CrossEntropyOptions(ZLoss: 1e-4f));
        var weight = Matrix([1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]);
        foreach (var (shift, z) in ((float, double)[])[(0, .000595453), (10, .015475832)])
        {
            var x = Matrix([2 + shift, 1 + shift, shift, -1 + shift]);
            var (losses, plain, logSumExp, dx, plainDx) = (Poisoned(1), Poisoned(1), Poisoned(1), Poisoned(1, 4), Poisoned(1, 4));
            kernels.LinearCrossEntropyForwardBackward(x, weight, Integers(0), Matrix([1]), plain, plainDx, null);
            kernels.LinearCrossEntropyForwardBackward(x, weight, Integers(0), Matrix([1]), losses, dx, null, options, logSumExp);
            Assert.Equal(.440189699, plain[0], 1e-6);
            Assert.Equal(2.440189699 + shift, logSumExp[0], 1e-6 * logSumExp[0]);
            Assert.Equal(z, losses[0] - plain[0], 2e-7);
            Assert.Equal(z, 1e-4 * logSumExp[0] * logSumExp[0], 1e-8);
            if (shift == 0) Assert.Equal(.000314255, dx[0] - plainDx[0], 1e-7);
        }
    }

    [Theory, MemberData(nameof(AllKernels))]
    public void Golden_softcaps(string name)
    {
        // One logit of 50 beside one of 0: the loss of the second tells the first.
        double Capped(float cap, SoftcapCurve curve)
        {
            var losses = Poisoned(1);
            Create(name).LinearCrossEntropyForward(
                Matrix([50]), Matrix([1], [0]), Integers(1), losses, new CrossEntropyOptions(Softcap: cap, Curve: curve));
            return losses[0] + Math.Log(1 - Math.Exp(-losses[0]));
        }
        Assert.Equal(27.933288, Capped(30, SoftcapCurve.Tanh), 3e-6);
        Assert.Equal(14.367394, Capped(15, SoftcapCurve.InverseSquareRoot), 3e-6);
    }

    [Theory, MemberData(nameof(AllKernels))]
    public void Softcaps_bound_any_logit_and_hide_no_NaN(string name)
    {
        foreach (var curve in Enum.GetValues<SoftcapCurve>())
        {
            var (losses, dx) = (Poisoned(3), Poisoned(3, 1));
            var weight = Matrix([1], [-1], [0], [0], [0], [0], [0], [0], [0], [0], [0], [0], [0], [0], [0], [0], [0]);
            Create(name).LinearCrossEntropyForwardBackward(
                Matrix([1e30f], [1000], [float.NaN]), weight, Integers(1, 0, 0), Matrix([1, 1, 1]), losses, dx, null,
                new CrossEntropyOptions(1e-4f, 20, curve));
            Assert.InRange(losses[0], 40, 40.1);
            Assert.Equal(0, dx[0], 1e-6);
            Assert.True(double.IsNaN(losses[2]) && double.IsNaN(dx[2]));
        }
    }

    [Theory]
    [InlineData(1e-4f, 0, SoftcapCurve.Tanh)]
    [InlineData(0, 3, SoftcapCurve.Tanh)]
    [InlineData(.01f, 2, SoftcapCurve.InverseSquareRoot)]
    public void Gradients_with_options_are_exact(float zLoss, float softcap, SoftcapCurve curve) => AssertGradients(kernels =>
    {
        var options = new CrossEntropyOptions(zLoss, softcap, curve);
        var (x, weight, losses, dLosses) = (Normal(1, 4, 5), Normal(2, 23, 5), Poisoned(4), Normal(3, 1, 4));
        var (targets, dx, dWeight) = (Integers(3, -1, 0, 22), Poisoned(4, 5), Zeros(23, 5));
        kernels.LinearCrossEntropyForwardBackward(x, weight, targets, dLosses, losses, dx, dWeight, options);
        return new(
            () => kernels.LinearCrossEntropyForward(x, weight, targets, losses, options), losses, dLosses, (x, dx), (weight, dWeight));
    });

    [Theory, MemberData(nameof(AllKernels))]
    public void A_zero_head_costs_the_logarithm_of_the_vocabulary(string name)
    {
        var losses = Poisoned(2);
        Create(name).LinearCrossEntropyForward(Normal(1, 2, 1), Zeros(128256, 1), Integers(5, 128255), losses);
        AssertClose([11.761784f, 11.761784f], losses.Floats, 1e-6);
    }

    [Theory]
    [InlineData(1, 1, 1)]
    [InlineData(1, 7, 13)]
    [InlineData(5, 3, 2)]
    [InlineData(37, 24, 131)]
    [InlineData(601, 9, 67)] // Two chunks.
    [InlineData(130, 5, 45007)] // Chunks cut short by the vocabulary.
    public void Cpu_matches_reference_with_the_same_bits_on_any_threads(int N, int D, int V) => CpuMatchesReference(N, D, V, default);

    [Theory]
    [InlineData(.001f, 0, SoftcapCurve.Tanh)]
    [InlineData(.001f, 30, SoftcapCurve.Tanh)]
    [InlineData(0, 15, SoftcapCurve.InverseSquareRoot)]
    public void Cpu_matches_reference_with_options(float zLoss, float softcap, SoftcapCurve curve)
    {
        CpuMatchesReference(37, 24, 131, new(zLoss, softcap, curve));
        CpuMatchesReference(601, 9, 67, new(zLoss, softcap, curve));
    }

    private void CpuMatchesReference(int N, int D, int V, CrossEntropyOptions options)
    {
        var (x, weight, tokenWeights) = (Normal(1, N, D), Normal(2, V, D), Normal(3, .1f, 1, N));
        var random = new Random(4);
        var targets = Integers([.. Enumerable.Range(0, N).Select(i => i % 3 == 2 ? -1 : random.Next(V))]);
        var start = Normal(5, .1f, V, D);
        (Tensor Losses, Tensor Dx, Tensor DWeight) Run(string name)
        {
            var (losses, forward, dx, dWeight) = (Poisoned(N), Poisoned(N), Poisoned(N, D), Copy(start));
            var (logSumExp, forwardLogSumExp) = (Poisoned(N), Poisoned(N));
            var kernels = Create(name);
            kernels.LinearCrossEntropyForward(x, weight, targets, forward, options, forwardLogSumExp);
            kernels.LinearCrossEntropyForwardBackward(x, weight, targets, tokenWeights, losses, dx, dWeight, options, logSumExp);
            AssertSameBits(forward, losses);
            AssertSameBits(forwardLogSumExp, logSumExp);
            return (losses, dx, dWeight);
        }
        var expected = Run("reference");
        var one = Run("cpu1");
        AssertClose(expected.Losses, one.Losses, 1e-6);
        AssertClose(expected.Dx, one.Dx, 1e-6);
        AssertClose(expected.DWeight, one.DWeight, 1e-6);
        foreach (var other in ((Tensor, Tensor, Tensor)[])[Run("cpu2"), Run("cpu3")])
        {
            AssertSameBits(one.Losses, other.Item1);
            AssertSameBits(one.Dx, other.Item2);
            AssertSameBits(one.DWeight, other.Item3);
        }
    }

    [Theory]
    [InlineData("cpu1")]
    [InlineData("cpu2")]
    public void Losses_and_input_gradients_do_not_depend_on_other_rows(string name)
    {
        const int N = 530, D = 12, V = 50;
        var (x, weight, tokenWeights, targets) = (Normal(1, N, D), Normal(2, V, D), Normal(3, 1, N), Arena.Integers("targets", N));
        for (int i = 0; i < N; i++) targets.Integers[i] = i * 7 % V;
        var (losses, dx, dWeight) = (Poisoned(N), Poisoned(N, D), Zeros(V, D));
        var kernels = Create(name);
        kernels.LinearCrossEntropyForwardBackward(x, weight, targets, tokenWeights, losses, dx, dWeight);

        // The same rows one at a time, seven at a time, and with every other target taken away.
        foreach (int chunk in (int[])[1, 7])
        {
            var (chunkLosses, chunkDx, chunkDWeight) = (Poisoned(1, N), Poisoned(N, D), Zeros(V, D));
            for (int start = 0; start < N; start += chunk)
            {
                int count = Math.Min(chunk, N - start);
                var (part, partDx) = (Poisoned(count), chunkDx.Slice(start, count));
                var (ids, scales) = (Arena.Integers("part", count), Arena.Floats("part", count));
                targets.Integers.Slice(start, count).CopyTo(ids.Integers);
                tokenWeights.Floats.Slice(start, count).CopyTo(scales.Floats);
                kernels.LinearCrossEntropyForwardBackward(x.Slice(start, count), weight, ids, scales, part, partDx, chunkDWeight);
                part.Floats.CopyTo(chunkLosses.Floats[start..]);
            }
            AssertClose(losses.Floats, chunkLosses.Floats, 0);
            AssertSameBits(dx, chunkDx);
            AssertClose(dWeight, chunkDWeight, 1e-6);
        }
        var half = Copy(targets);
        for (int i = 0; i < N; i += 2) half.Integers[i] = -1;
        var (halfLosses, halfDx) = (Poisoned(N), Poisoned(N, D));
        kernels.LinearCrossEntropyForwardBackward(x, weight, half, tokenWeights, halfLosses, halfDx, null);
        for (int i = 0; i < N; i++)
        {
            Assert.Equal(i % 2 == 0 ? 0 : losses.Floats[i], halfLosses.Floats[i]);
            for (int j = 0; j < D; j++) Assert.Equal(i % 2 == 0 ? 0 : dx.Floats[i * D + j], halfDx.Floats[i * D + j]);
        }
    }

    [Theory]
    [InlineData(5, 6, 3, -1, 0, 5)]
    [InlineData(1, 1, 0)]
    [InlineData(3, 37, 36)]
    [InlineData(2, 9, -1, 8, 8, -1, 1)]
    public void Gradients_are_exact(int D, int V, params int[] ids) => AssertGradients(kernels =>
    {
        int N = ids.Length;
        var (x, weight, losses, dLosses) = (Normal(1, N, D), Normal(2, V, D), Poisoned(N), Normal(3, 1, N));
        var (targets, dx, dWeight) = (Integers(ids), Poisoned(N, D), Zeros(V, D));
        kernels.LinearCrossEntropyForwardBackward(x, weight, targets, dLosses, losses, dx, dWeight);
        return new(() => kernels.LinearCrossEntropyForward(x, weight, targets, losses), losses, dLosses, (x, dx), (weight, dWeight));
    });

    [Theory, MemberData(nameof(AllKernels))]
    public void Without_any_target_everything_is_zero_and_a_weight_of_NaN_is_ignored(string name)
    {
        var (losses, dx, dWeight) = (Poisoned(3), Poisoned(3, 4), Zeros(6, 4));
        Create(name).LinearCrossEntropyForwardBackward(
            Normal(1, 3, 4), Normal(2, 6, 4), Integers(-1, -1, -1), Poisoned(3), losses, dx, dWeight);
        AssertClose([0, 0, 0], losses.Floats, 0);
        foreach (float value in dx.Floats) Assert.Equal(0, value);
        foreach (float value in dWeight.Floats) Assert.Equal(0, value);
    }

    [Theory, MemberData(nameof(AllKernels))]
    public void Huge_logits_overflow_neither_loss_nor_gradient_and_NaN_is_not_hidden(string name)
    {
        var weight = Matrix([1], [-1], [0], [.5f], [.25f], [-.25f], [.1f], [.2f], [.3f]);
        var (losses, dx) = (Poisoned(3), Poisoned(3, 1));
        Create(name).LinearCrossEntropyForwardBackward(
            Matrix([1e4f], [1e30f], [float.NaN]), weight, Integers(1, 0, 2), Matrix([1, 1, 1]), losses, dx, null);
        AssertClose([2e4f, 0], losses.Floats[..2], 1e-6);
        AssertClose([2, 0], dx.Floats[..2], 1e-6);
        Assert.Equal(float.NaN, losses.Floats[2]);
        Assert.Equal(float.NaN, dx.Floats[2]);
    }

    [Fact]
    public void Allocates_nothing()
    {
        var (x, weight, targets) = (Normal(1, 70, 16), Normal(2, 90, 16), Arena.Integers("targets", 70));
        targets.Integers[30] = -1;
        var (tokenWeights, losses, dx, dWeight) = (Normal(3, 1, 70), Zeros(70), Zeros(70, 16), Zeros(90, 16));
        var kernels = Create("cpu2");
        AssertAllocatesNothing(() =>
        {
            kernels.LinearCrossEntropyForward(x, weight, targets, losses);
            kernels.LinearCrossEntropyForwardBackward(x, weight, targets, tokenWeights, losses, dx, dWeight);
        });
    }

    [Fact]
    public void Wrong_shapes_and_targets_are_named()
    {
        var kernels = Create("cpu1");
        var error = Assert.Throws<ArgumentOutOfRangeException>(
            () => kernels.LinearCrossEntropyForward(Zeros(3, 2), Zeros(5, 2), Integers(0, 5, 1), Zeros(3)));
        Assert.Contains("target 5 at 1", error.Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentOutOfRangeException>(
            () => kernels.LinearCrossEntropyForward(Zeros(1, 2), Zeros(5, 2), Integers(-2), Zeros(1)));
        Assert.Throws<ArgumentException>(() => kernels.LinearCrossEntropyForward(Zeros(3, 2), Zeros(5, 3), Integers(0, 0, 0), Zeros(3)));
        foreach (var options in (CrossEntropyOptions[])[new(-1), new(float.NaN), new(0, -1), new(0, float.PositiveInfinity)])
        {
            Assert.Throws<ArgumentOutOfRangeException>(
                () => kernels.LinearCrossEntropyForward(Zeros(1, 2), Zeros(5, 2), Integers(0), Zeros(1), options));
        }
        Assert.Throws<ArgumentException>(() => kernels.LinearCrossEntropyForward(Zeros(3, 2), Zeros(5, 2), Integers(0, 0), Zeros(3)));
        Assert.Throws<ArgumentException>(() => kernels.LinearCrossEntropyForwardBackward(
            Zeros(3, 2), Zeros(5, 2), Integers(0, 0, 0), Zeros(3), Zeros(3), Zeros(3, 3), null));
    }
}
