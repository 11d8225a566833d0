namespace Finery.Tensors;

public sealed partial class CpuKernels
{
    private protected override void RopeCore(Tensor qkv, Tensor positions, Tensor cos, Tensor sin, AttentionShape shape, bool inverse) =>
        Plain.Rope(qkv, positions, cos, sin, shape, inverse);
}
