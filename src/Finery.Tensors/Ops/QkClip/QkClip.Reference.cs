namespace Finery.Tensors;

public sealed partial class ReferenceKernels
{
    private protected override void QkClipCore(
        Tensor weight, Tensor? master, Tensor maxLogits, AttentionShape shape, in QkClipRun run)
    {
        for (int row = 0; row < (shape.HeadCount + shape.KvHeadCount) * shape.HeadSize; row++)
        {
            double factor = QkClipFactor(maxLogits, row / shape.HeadSize, shape, run);
            if (factor == 1) continue;
            for (long i = (long)row * weight.Columns; i < (row + 1L) * weight.Columns; i++)
                SetParameter(weight, master, i, Parameter(weight, master, i) * factor, run.Rounding);
        }
    }
}
