namespace Finery.Tensors;

public sealed partial class ReferenceKernels
{
    private protected override void EmbeddingForwardCore(Tensor ids, Tensor table, Tensor output) =>
        throw new NotSupportedException();

    private protected override void EmbeddingBackwardCore(Tensor ids, Tensor dOutput, Tensor dTable) =>
        throw new NotSupportedException();
}
