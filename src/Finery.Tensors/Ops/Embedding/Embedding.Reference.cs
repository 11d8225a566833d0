namespace Finery.Tensors;

public sealed partial class ReferenceKernels
{
    private protected override void EmbeddingForwardCore(Tensor ids, Tensor table, Tensor output)
    {
        long D = table.Columns;
        for (int i = 0; i < output.Rows; i++)
        {
            for (long d = 0; d < D; d++) output[i * D + d] = table[ids.Integers[i] * D + d];
        }
    }

    private protected override void EmbeddingBackwardCore(Tensor ids, Tensor dOutput, Tensor dTable)
    {
        long D = dTable.Columns;
        var sums = new double[dTable.Length];
        for (int i = 0; i < dOutput.Rows; i++)
        {
            for (long d = 0; d < D; d++) sums[ids.Integers[i] * D + d] += dOutput[i * D + d];
        }
        for (long i = 0; i < sums.Length; i++) dTable[i] += sums[i];
    }
}
