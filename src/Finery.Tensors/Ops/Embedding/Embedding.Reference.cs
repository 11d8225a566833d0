namespace Finery.Tensors;

public sealed partial class ReferenceKernels
{
    private protected override void EmbeddingForwardCore(Tensor ids, Tensor table, Tensor output)
    {
        for (int i = 0; i < output.Rows; i++)
            table.Slice(ids.Integers[i], 1).Floats.CopyTo(output.Slice(i, 1).Floats);
    }

    private protected override void EmbeddingBackwardCore(Tensor ids, Tensor dOutput, Tensor dTable)
    {
        int D = dTable.Columns;
        var sums = new double[dTable.Length];
        for (int i = 0; i < dOutput.Rows; i++)
        {
            long row = (long)ids.Integers[i] * D;
            for (int d = 0; d < D; d++) sums[row + d] += dOutput.Floats[i * D + d];
        }
        for (int i = 0; i < sums.Length; i++) dTable.Floats[i] = (float)(dTable.Floats[i] + sums[i]);
    }
}
