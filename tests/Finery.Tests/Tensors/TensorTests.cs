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

    [Theory]
    [InlineData(DType.F32, 1.001, 1.00100004673004150390625)]
    [InlineData(DType.BF16, 1.001, 1)]
    [InlineData(DType.BF16, -3.02, -3.015625)]
    [InlineData(DType.F64, 1.001, 1.001)]
    public void An_element_is_rounded_when_stored_and_widened_exactly(DType type, double value, double stored)
    {
        var tensor = Arena.Allocate("t", type, 2, 2);
        tensor[3] = value;
        Assert.Equal(stored, tensor[3]);
        Assert.Equal(0, tensor[2]);
        Assert.Throws<ArgumentOutOfRangeException>(() => tensor[4]);
        Assert.Throws<ArgumentOutOfRangeException>(() => tensor[-1] = 1);
        Assert.Throws<InvalidOperationException>(() => Arena.Integers("ids", 3)[0]);
    }

    [Fact]
    public void Element_types_keep_their_numbers_and_sizes()
    {
        Assert.Equal([0, 1, 2, 3, 4], [(int)DType.F32, (int)DType.BF16, (int)DType.I32, (int)DType.F64, (int)DType.U16]);
        Assert.Equal([4, 2, 4, 8], [DType.F32.ByteSize(), DType.BF16.ByteSize(), DType.I32.ByteSize(), DType.F64.ByteSize()]);
    }
}
