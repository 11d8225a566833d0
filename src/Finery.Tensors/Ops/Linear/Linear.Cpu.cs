namespace Finery.Tensors;

public sealed partial class CpuKernels
{
    private protected override void LinearForwardCore(Tensor x, Tensor weight, Tensor y) =>
        throw new NotSupportedException();

    private protected override void LinearBackwardCore(Tensor dy, Tensor x, Tensor weight, Tensor? dx, Tensor? dWeight) =>
        throw new NotSupportedException();
}
