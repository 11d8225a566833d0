namespace Finery.Tensors;

public sealed partial class CpuKernels
{
    private protected override void RmsNormForwardCore(Tensor h, Tensor? x, Tensor weight, float epsilon, Tensor residual, Tensor scale, Tensor y) =>
        Plain.RmsNormForward(h, x, weight, epsilon, residual, scale, y);

    private protected override void RmsNormBackwardCore(Tensor dy, Tensor residual, Tensor scale, Tensor weight, Tensor dResidual, Tensor? dWeight, bool accumulate) =>
        Plain.RmsNormBackward(dy, residual, scale, weight, dResidual, dWeight, accumulate);
}
