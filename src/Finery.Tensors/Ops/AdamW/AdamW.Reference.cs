namespace Finery.Tensors;

public sealed partial class ReferenceKernels
{
    private protected override void AdamWCore(Tensor weight, Tensor gradient, Tensor firstMoment, Tensor secondMoment, in AdamWSettings settings) =>
        throw new NotSupportedException();
}
