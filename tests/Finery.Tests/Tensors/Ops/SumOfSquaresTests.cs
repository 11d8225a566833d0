using Xunit;

namespace Finery.Tests.Tensors.Ops;

public class SumOfSquaresTests : OpTest
{
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(13)]
    [InlineData(4096)]
    [InlineData(100_003)]
    public void Cpu_matches_reference_with_the_same_bits_on_any_threads(int length)
    {
        var tensor = Normal(1, 3f, 1, length);
        double expected = Create("reference").SumOfSquares(tensor), one = Create("cpu1").SumOfSquares(tensor);
        Assert.Equal(expected, one, 1e-12 * Math.Max(1, expected));
        Assert.Equal(one, Create("cpu2").SumOfSquares(tensor));
        Assert.Equal(one, Create("cpu3").SumOfSquares(tensor));
    }

    [Theory, MemberData(nameof(AllKernels))]
    public void Squares_beyond_the_range_of_single_precision_are_exact(string name) =>
        Assert.Equal(25e60, Create(name).SumOfSquares(Matrix([3e30f, 4e30f])), 1e55);

    [Theory, MemberData(nameof(AllKernels))]
    public void NaN_and_infinity_propagate(string name)
    {
        var (broken, infinite) = (Normal(1, 3, 5000), Normal(1, 3, 5000));
        broken.Floats[12_345] = float.NaN;
        infinite.Floats[4_321] = float.NegativeInfinity;
        Assert.Equal(double.NaN, Create(name).SumOfSquares(broken));
        Assert.Equal(double.PositiveInfinity, Create(name).SumOfSquares(infinite));
    }

    [Fact]
    public void Allocates_nothing()
    {
        var (kernels, tensor) = (Create("cpu2"), Normal(1, 7, 5000));
        AssertAllocatesNothing(() => kernels.SumOfSquares(tensor));
    }

    [Fact]
    public void Integers_are_refused() =>
        Assert.Throws<ArgumentException>(() => Create("cpu1").SumOfSquares(Integers(1, 2)));
}
