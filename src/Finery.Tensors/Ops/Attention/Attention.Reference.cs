namespace Finery.Tensors;

public sealed partial class ReferenceKernels
{
    private protected override void AttentionForwardCore(Tensor qkv, Tensor starts, AttentionShape shape, Tensor output, Tensor logSumExp, Tensor maxLogit) =>
        throw new NotSupportedException();

    private protected override void AttentionBackwardCore(Tensor dOutput, Tensor qkv, Tensor output, Tensor logSumExp, Tensor starts, AttentionShape shape, Tensor dQkv) =>
        throw new NotSupportedException();
}
