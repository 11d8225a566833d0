namespace Finery.Tensors;

public sealed partial class ReferenceKernels
{
    private protected override void QkClipCore(Tensor weight, Tensor maxLogits, AttentionShape shape, float threshold, bool group)
    {
        for (int row = 0; row < (shape.HeadCount + shape.KvHeadCount) * shape.HeadSize; row++)
        {
            double factor = QkClipFactor(maxLogits, row / shape.HeadSize, shape, threshold, group);
            for (long i = (long)row * weight.Columns; i < (row + 1L) * weight.Columns; i++) weight[i] *= factor;
        }
    }
}
