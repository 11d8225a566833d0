namespace Finery.Tensors;

public sealed partial class ReferenceKernels
{
    private protected override void ScaleCore(Tensor x, float factor, Tensor y, Tensor? addend)
    {
        for (long i = 0; i < x.Length; i++) y[i] = (addend is null ? 0 : addend[i]) + factor * x[i];
    }
}
