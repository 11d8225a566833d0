namespace Finery.Tensors;

public sealed partial class CpuKernels
{
    private static readonly ReferenceKernels Plain = new();

    private protected override void EmbeddingForwardCore(Tensor ids, Tensor table, Tensor output) =>
        Plain.EmbeddingForward(ids, table, output);

    private protected override void EmbeddingBackwardCore(Tensor ids, Tensor dOutput, Tensor dTable) =>
        Plain.EmbeddingBackward(ids, dOutput, dTable);
}
