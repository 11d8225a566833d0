namespace Finery.Tensors;

public sealed partial class ReferenceKernels
{
    private protected override void ConcatForwardCore(Tensor a, Tensor b, Tensor y)
    {
        for (long i = 0; i < y.Length; i++)
        {
            var (row, column) = Math.DivRem(i, y.Columns);
            y[i] = column < a.Columns ? a[row * a.Columns + column] : b[row * b.Columns + column - a.Columns];
        }
    }

    private protected override void ConcatBackwardCore(Tensor dy, Tensor da, Tensor db)
    {
        for (long i = 0; i < dy.Length; i++)
        {
            var (row, column) = Math.DivRem(i, dy.Columns);
            if (column < da.Columns) da[row * da.Columns + column] = dy[i];
            else db[row * db.Columns + column - da.Columns] = dy[i];
        }
    }
}
