namespace Finery.Tensors;

public sealed partial class CpuKernels
{
    private protected override void AttentionForwardCore(Tensor qkv, Tensor starts, AttentionShape shape, Tensor output, Tensor logSumExp, Tensor maxLogit) =>
        Plain.AttentionForward(qkv, starts, shape, output, logSumExp, maxLogit);

    private protected override void AttentionBackwardCore(Tensor dOutput, Tensor qkv, Tensor output, Tensor logSumExp, Tensor starts, AttentionShape shape, Tensor dQkv) =>
        Plain.AttentionBackward(dOutput, qkv, output, logSumExp, starts, shape, dQkv);
}
