namespace Finery.Tensors;

public sealed partial class ReferenceKernels
{
    private protected override double SumOfSquaresCore(Tensor tensor)
    {
        double sum = 0;
        for (long i = 0; i < tensor.Length; i++) sum += tensor[i] * tensor[i];
        return sum;
    }
}
