using Finery.Tensors;
using Xunit;

namespace Finery.Tests.Tensors.Ops;

public class RowDistanceTests : OpTest
{
    [Theory, MemberData(nameof(AllKernels))]
    public void Known_values(string name)
    {
        var kernels = Create(name);
        var (y, target, weights) = (Matrix([1, 2], [3, 4], [0, 0]), Matrix([3, 2], [4, -3], [1, 1]), Matrix([1, 2, 1]));
        var (losses, dy) = (Poisoned(3), Poisoned(3, 2));
        kernels.RowDistance(y, target, weights, RowMeasure.Square, losses, dy);
        AssertClose([2, 25, 1], losses.Floats);
        AssertClose([-2, 0, -2, 14, -1, -1], dy.Floats);
        kernels.RowDistance(y, target, weights, RowMeasure.Cosine, losses, dy);
        AssertClose([1 - 7 / MathF.Sqrt(65), 1, 1], losses.Floats);
        AssertClose([0, 0], dy.Floats[4..]);
    }

    [Theory]
    [InlineData(RowMeasure.Square, 3, 5)]
    [InlineData(RowMeasure.Cosine, 3, 5)]
    [InlineData(RowMeasure.Square, 2, 37)]
    [InlineData(RowMeasure.Cosine, 2, 37)]
    public void Gradients_are_exact(RowMeasure measure, int N, int D) => AssertGradients(kernels =>
    {
        var (y, target, losses, dLosses, dy) = (Normal(1, N, D), Normal(2, N, D), Poisoned(N), Normal(3, 1, N), Poisoned(N, D));
        kernels.RowDistance(y, target, dLosses, measure, losses, dy);
        return new(() => kernels.RowDistance(y, target, dLosses, measure, losses, null), losses, dLosses, (y, dy));
    });

    [Theory]
    [InlineData(RowMeasure.Square)]
    [InlineData(RowMeasure.Cosine)]
    public void Cpu_matches_reference_with_the_same_bits_on_any_threads(RowMeasure measure)
    {
        foreach (var (N, D) in ((int, int)[])[(1, 1), (53, 19), (20, 700)])
        {
            var (y, target, weights) = (Normal(1, N, D), Normal(2, N, D), Normal(3, 1, N));
            if (N > 3) weights[2] = 0;
            (Tensor, Tensor) Run(string name)
            {
                var (losses, dy) = (Poisoned(N), Poisoned(N, D));
                Create(name).RowDistance(y, target, weights, measure, losses, dy);
                return (losses, dy);
            }
            var ((expected, expectedDy), (one, oneDy), (two, twoDy)) = (Run("reference"), Run("cpu1"), Run("cpu2"));
            AssertClose(expected, one, 1e-6);
            AssertClose(expectedDy, oneDy, 1e-6);
            AssertSameBits(one, two);
            AssertSameBits(oneDy, twoDy);
        }
    }

    [Fact]
    public void Equal_rows_have_no_distance_and_no_gradient()
    {
        var (y, losses, dy) = (Normal(1, 4, 21), Poisoned(4), Poisoned(4, 21));
        Create("cpu1").RowDistance(y, y, Matrix([1, 1, 1, 1]), RowMeasure.Square, losses, dy);
        Assert.All(losses.Floats.ToArray(), loss => Assert.Equal(0, loss));
        Assert.All(dy.Floats.ToArray(), gradient => Assert.Equal(0, gradient));
    }
}
