namespace Finery.Tensors;

public sealed unsafe partial class ReferenceKernels
{
    private protected override double SumOfSquaresCore(Tensor tensor)
    {
        double sum = 0;
        for (long i = 0; i < tensor.Length; i++) sum += (double)tensor.FloatPointer[i] * tensor.FloatPointer[i];
        return sum;
    }
}
