using Finery.Tensors;
using Xunit;

namespace Finery.Tests.Tensors.Ops;

public class RmsNormTests : OpTest
{
    private const float Epsilon = 1e-5f;

    [Theory, MemberData(nameof(AllKernels))]
    public void Golden_value_and_gradient(string name)
    {
        var kernels = Create(name);
        var (x, weight, scale, y, dx) = (Matrix([1, 2, 3, 4]), Matrix([1, 1, 1, 1]), Poisoned(1), Poisoned(1, 4), Poisoned(1, 4));
        kernels.RmsNormForward(x, null, weight, Epsilon, x, scale, y);
        AssertClose([.365148128f, .730296256f, 1.095444385f, 1.460592513f], y.Floats, 1e-7);
        kernels.RmsNormBackward(Matrix([1, 0, 0, 0]), x, scale, weight, dx, null, accumulate: false);
        AssertClose([.352976540f, -.024343176f, -.036514764f, -.048686352f], dx.Floats, 1e-7);
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(5, 24)]
    [InlineData(65, 33)]
    [InlineData(300, 192)]
    public void Cpu_matches_reference_on_any_threads(int N, int D)
    {
        var (h, x, weight, dy) = (Normal(1, N, D), Normal(2, N, D), Normal(3, 1, D), Normal(4, N, D));
        var (before, beforeWeight) = (Normal(5, N, D), Normal(6, 1, D));
        Tensor[] Run(string name)
        {
            var kernels = Create(name);
            var (residual, scale, y) = (Poisoned(N, D), Poisoned(N), Poisoned(N, D));
            var (overwritten, added, dWeight) = (Poisoned(N, D), Copy(before), Copy(beforeWeight));
            kernels.RmsNormForward(h, x, weight, Epsilon, residual, scale, y);
            kernels.RmsNormBackward(dy, residual, scale, weight, overwritten, dWeight, accumulate: false);
            kernels.RmsNormBackward(dy, residual, scale, weight, added, null, accumulate: true);
            return [residual, scale, y, overwritten, added, dWeight];
        }
        var expected = Run("reference");
        var first = Run("cpu1");
        for (int i = 0; i < expected.Length; i++) AssertClose(expected[i], first[i], 3e-6, $"result {i}");
        foreach (string name in (string[])["cpu2", "cpu3"])
        {
            var actual = Run(name);
            for (int i = 0; i < expected.Length; i++) AssertSameBits(first[i], actual[i], $"result {i} on {name}");
        }
    }

    [Theory, MemberData(nameof(AllKernels))]
    public void The_stream_may_be_updated_in_place(string name)
    {
        var kernels = Create(name);
        var (h, x, weight) = (Normal(1, 3, 20), Normal(2, 3, 20), Normal(3, 1, 20));
        var (residual, scale, y, inPlace) = (Zeros(3, 20), Zeros(3), Zeros(3, 20), Zeros(3, 20));
        kernels.RmsNormForward(h, x, weight, Epsilon, residual, scale, y);
        kernels.RmsNormForward(h, x, weight, Epsilon, h, scale, inPlace);
        AssertSameBits(residual, h);
        AssertSameBits(y, inPlace);
    }

    [Theory]
    [InlineData(1, 2)]
    [InlineData(1, 24)]
    [InlineData(4, 13)]
    [InlineData(66, 3)]
    public void Gradients_are_exact(int N, int D) => AssertGradients(kernels =>
    {
        var (h, x, weight, dy) = (Normal(7, N, D), Normal(6, N, D), Normal(8, 1, D), Normal(9, N, D));
        var (residual, scale, y) = (Poisoned(N, D), Poisoned(N), Poisoned(N, D));
        var (dResidual, dWeight) = (Poisoned(N, D), Zeros(1, D));
        void Forward() => kernels.RmsNormForward(h, x, weight, Epsilon, residual, scale, y);
        Forward();
        kernels.RmsNormBackward(dy, residual, scale, weight, dResidual, dWeight, accumulate: false);
        return new(Forward, y, dy, (h, dResidual), (x, dResidual), (weight, dWeight));
    });

    [Theory, MemberData(nameof(AllKernels))]
    public void A_row_of_zeros_stays_finite(string name)
    {
        var (kernels, h, weight, scale) = (Create(name), Zeros(1, 9), Normal(1, 1, 9), Zeros(1));
        var (y, dh) = (Poisoned(1, 9), Poisoned(1, 9));
        kernels.RmsNormForward(h, null, weight, Epsilon, h, scale, y);
        kernels.RmsNormBackward(Normal(2, 1, 9), h, scale, weight, dh, null, accumulate: false);
        Assert.All(y.Floats.ToArray(), value => Assert.Equal(0, value));
        Assert.All(dh.Floats.ToArray(), value => Assert.True(float.IsFinite(value)));
    }

    [Fact]
    public void Allocates_nothing()
    {
        var kernels = Create("cpu2");
        var (h, weight, scale, y, dWeight) = (Normal(1, 200, 40), Normal(2, 1, 40), Zeros(200), Zeros(200, 40), Zeros(1, 40));
        AssertAllocatesNothing(() =>
        {
            kernels.RmsNormForward(h, null, weight, Epsilon, h, scale, y);
            kernels.RmsNormBackward(y, h, scale, weight, y, dWeight, accumulate: true);
        });
    }

    [Fact]
    public void Wrong_shapes_are_named()
    {
        var kernels = Create("cpu1");
        var error = Assert.Throws<ArgumentException>(
            () => kernels.RmsNormForward(Zeros(2, 4), null, Zeros(1, 5), Epsilon, Zeros(2, 4), Zeros(2), Zeros(2, 4)));
        Assert.Contains("weight", error.Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(
            () => kernels.RmsNormBackward(Zeros(2, 4), Zeros(2, 4), Zeros(3), Zeros(1, 4), Zeros(2, 4), null, accumulate: false));
    }
}
