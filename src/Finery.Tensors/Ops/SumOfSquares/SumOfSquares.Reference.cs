namespace Finery.Tensors;

public sealed partial class ReferenceKernels
{
    private protected override double SumOfSquaresCore(Tensor tensor) =>
        throw new NotSupportedException();
}
