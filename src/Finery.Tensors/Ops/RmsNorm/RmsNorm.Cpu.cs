namespace Finery.Tensors;

public sealed partial class CpuKernels
{
    private protected override void RmsNormForwardCore(Tensor h, Tensor? x, Tensor weight, float epsilon, Tensor residual, Tensor scale, Tensor y) =>
        throw new NotSupportedException();

    private protected override void RmsNormBackwardCore(Tensor dy, Tensor residual, Tensor scale, Tensor weight, Tensor dResidual, Tensor? dWeight, bool accumulate) =>
        throw new NotSupportedException();
}
