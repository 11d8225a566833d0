using Finery.Tensors;
using Xunit;

namespace Finery.Tests.Tensors;

public class KernelsTests : OpTest
{
    [Theory]
    [InlineData(DType.F32, 6e-8)]
    [InlineData(DType.F64, 0)]
    [InlineData(DType.BF16, 1 / 256.0)]
    public void The_reference_rounds_once_to_any_element_type(DType type, double tolerance)
    {
        var (x, weight, y) = (Arena.Allocate("x", type, 2, 3), Arena.Allocate("w", type, 2, 3), Arena.Allocate("y", type, 2, 2));
        for (int i = 0; i < 6; i++) (x[i], weight[i]) = (1 + i / 64.0, .5 - i / 32.0);
        Create("reference").LinearForward(x, weight, y);
        for (int i = 0; i < 4; i++)
        {
            double expected = 0;
            for (int j = 0; j < 3; j++) expected += (1 + (i / 2 * 3 + j) / 64.0) * (.5 - (i % 2 * 3 + j) / 32.0);
            Assert.Equal(expected, y[i], tolerance * Math.Abs(expected));
        }
    }

    [Fact]
    public void Types_that_a_backend_does_not_take_are_named_with_those_that_it_takes()
    {
        var x = Arena.Allocate("x", DType.F64, 1, 2);
        var error = Assert.Throws<ArgumentException>(() => Create("cpu1").LinearForward(x, x, x));
        Assert.Contains("LinearForward: weight is x F64 [1, 2]; expected F32", error.Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => Create("reference").LinearForward(x, Integers(1, 2), x));
    }
}
