namespace Finery.Tensors;

public sealed partial class CpuKernels
{
    private protected override unsafe void SoftcapCore(Tensor logits, CrossEntropyOptions options) =>
        _pool.For(logits.Rows, new SoftcapBody(logits.FloatPointer, logits.Columns, options));

    private readonly unsafe struct SoftcapBody(float* logits, int columns, CrossEntropyOptions options) : IParallelBody
    {
        public void Run(int task, int worker) => SoftcapRow.Apply(logits + (long)task * columns, columns, options);
    }
}
