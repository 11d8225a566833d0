using Finery.Tensors;
using Xunit;

namespace Finery.Tests.Tensors;

public class TensorTests : OpTest
{
    [Fact]
    public void Shapes_fold_into_rows_and_columns()
    {
        var tensor = Arena.Allocate("t", DType.BF16, 2, 3, 4);
        Assert.Equal((6, 4, 24L, 48L), (tensor.Rows, tensor.Columns, tensor.Length, tensor.ByteLength));
        Assert.Equal("t BF16 [2, 3, 4]", tensor.ToString());
        var scalar = Arena.Floats("s");
        Assert.Equal((1, 1, 1L), (scalar.Rows, scalar.Columns, scalar.Length));
        Assert.Equal(0, Arena.Floats("empty", 0, 5).Floats.Length);
    }

    [Fact]
    public void A_slice_shares_memory_and_gradient()
    {
        var tensor = Arena.Floats("t", 4, 3);
        tensor.Gradient = Arena.Floats("dt", 4, 3);
        var slice = tensor.Slice(1, 2, "part");
        slice.Floats[0] = 7;
        slice.Gradient!.Floats[5] = 8;
        Assert.Equal(7, tensor.Floats[3]);
        Assert.Equal(8, tensor.Gradient.Floats[8]);
        Assert.Equal("part F32 [2, 3]", slice.ToString());
        Assert.Equal(0, tensor.Slice(4, 0).Floats.Length);
    }

    [Theory]
    [InlineData(-1, 1)]
    [InlineData(0, -1)]
    [InlineData(3, 2)]
    [InlineData(int.MaxValue, int.MaxValue)]
    public void A_slice_outside_is_an_error(int start, int count) =>
        Assert.Throws<ArgumentOutOfRangeException>(() => Arena.Floats("t", 4, 3).Slice(start, count));

    [Fact]
    public void Reading_as_another_type_is_an_error_that_names_the_tensor()
    {
        var error = Assert.Throws<InvalidOperationException>(() => Arena.Integers("ids", 3).Floats.Length);
        Assert.Contains("ids I32 [3]", error.Message, StringComparison.Ordinal);
        Assert.Throws<InvalidOperationException>(() => Arena.Floats("x", 3).Integers.Length);
    }
}
