namespace Finery.Tensors;

public sealed partial class ReferenceKernels
{
    private protected override void LinearCrossEntropyForwardCore(Tensor x, Tensor weight, Tensor targets, Tensor losses) =>
        throw new NotSupportedException();

    private protected override void LinearCrossEntropyForwardBackwardCore(Tensor x, Tensor weight, Tensor targets, Tensor tokenWeights, Tensor losses, Tensor dx, Tensor? dWeight) =>
        throw new NotSupportedException();
}
