namespace Finery.Tensors;

public sealed partial class CpuKernels
{
    private protected override void SwiGluForwardCore(Tensor gateUp, Tensor y) =>
        throw new NotSupportedException();

    private protected override void SwiGluBackwardCore(Tensor dy, Tensor gateUp, Tensor dGateUp) =>
        throw new NotSupportedException();
}
