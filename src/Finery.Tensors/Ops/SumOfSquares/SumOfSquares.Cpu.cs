namespace Finery.Tensors;

public sealed partial class CpuKernels
{
    private protected override double SumOfSquaresCore(Tensor tensor) =>
        throw new NotSupportedException();
}
