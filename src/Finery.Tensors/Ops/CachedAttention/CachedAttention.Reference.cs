namespace Finery.Tensors;

public sealed partial class ReferenceKernels
{
    private protected override void CachedAttentionCore(Tensor qkv, Tensor keys, Tensor values, int length, AttentionShape shape, Tensor output) =>
        throw new NotSupportedException();
}
