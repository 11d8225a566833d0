namespace Finery.Tensors;

public abstract partial class Kernels
{
    /// <summary>Sum of the squares of all elements, in double precision over a fixed tree of blocks: the same bits for any number of
    /// threads. NaN and infinity propagate.</summary>
    public double SumOfSquares(Tensor tensor)
    {
        Check(tensor, tensor.Rows, tensor.Columns, DType.F32);
        using var scope = Measure(tensor, 2.0 * tensor.Length, tensor.ByteLength);
        return SumOfSquaresCore(tensor);
    }

    private protected abstract double SumOfSquaresCore(Tensor tensor);
}
