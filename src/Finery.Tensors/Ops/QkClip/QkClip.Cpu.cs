namespace Finery.Tensors;

public sealed unsafe partial class CpuKernels
{
    private protected override void QkClipCore(Tensor weight, Tensor maxLogits, AttentionShape shape, float threshold, bool group)
    {
        int heads = shape.HeadCount + (group ? shape.KvHeadCount : 0);
        long length = (long)shape.HeadSize * weight.Columns;
        for (int head = 0; head < heads; head++)
        {
            float factor = (float)QkClipFactor(maxLogits, head, shape, threshold, group);
            if (factor < 1) _pool.For(shape.HeadSize, new ScaleRows(weight.FloatPointer + head * length, weight.Columns, factor));
        }
    }

    private readonly struct ScaleRows(float* rows, int columns, float factor) : IParallelBody
    {
        public void Run(int task, int worker) => SoftmaxRow.Scale(rows + (long)task * columns, columns, factor);
    }
}
