namespace Finery.Tensors;

public sealed partial class CpuKernels
{
    private protected override void SwiGluForwardCore(Tensor gateUp, Tensor y) =>
        Plain.SwiGluForward(gateUp, y);

    private protected override void SwiGluBackwardCore(Tensor dy, Tensor gateUp, Tensor dGateUp) =>
        Plain.SwiGluBackward(dy, gateUp, dGateUp);
}
