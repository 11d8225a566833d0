namespace Finery.Tensors;

public sealed partial class CpuKernels
{
    private protected override void CachedAttentionCore(Tensor qkv, Tensor keys, Tensor values, int length, AttentionShape shape, Tensor output) =>
        Plain.CachedAttention(qkv, keys, values, length, shape, output);
}
