using System.Runtime.CompilerServices;

namespace Finery.Tensors;

public abstract partial class Kernels
{
    /// <summary>Gathers rows: <c>output[i] = table[ids[i]]</c>.</summary>
    /// <param name="ids">I32 [N], each in [0, V).</param>
    /// <param name="table">[V, D].</param>
    /// <param name="output">F32 [N, D], overwritten.</param>
    /// <exception cref="ArgumentOutOfRangeException">An id is outside the table.</exception>
    public void EmbeddingForward(Tensor ids, Tensor table, Tensor output)
    {
        Check(table, table.Rows, table.Columns);
        Check(output, (int)ids.Length, table.Columns, DType.F32);
        CheckIds(ids, table.Rows);
        using var scope = Measure(table, 0, (double)output.Length * table.Type.ByteSize() + output.ByteLength);
        EmbeddingForwardCore(ids, table, output);
    }

    /// <summary>Scatters: <c>dTable[ids[i]] += dOutput[i]</c>, each row summed in the order of i whatever the threads.</summary>
    /// <param name="ids">I32 [N].</param>
    /// <param name="dOutput">F32 [N, D].</param>
    /// <param name="dTable">F32 [V, D], accumulated into.</param>
    public void EmbeddingBackward(Tensor ids, Tensor dOutput, Tensor dTable)
    {
        Check(dTable, dTable.Rows, dTable.Columns, DType.F32);
        Check(dOutput, (int)ids.Length, dTable.Columns, DType.F32);
        CheckIds(ids, dTable.Rows);
        using var scope = Measure(dTable, dOutput.Length, 3.0 * dOutput.ByteLength);
        EmbeddingBackwardCore(ids, dOutput, dTable);
    }

    private protected abstract void EmbeddingForwardCore(Tensor ids, Tensor table, Tensor output);

    private protected abstract void EmbeddingBackwardCore(Tensor ids, Tensor dOutput, Tensor dTable);

    private void CheckIds(Tensor ids, int vocabulary, [CallerMemberName] string op = "")
    {
        CheckLength(ids, (int)ids.Length, DType.I32, op);
        var values = ids.Integers;
        for (int i = 0; i < values.Length; i++)
        {
            if ((uint)values[i] >= (uint)vocabulary)
                throw new ArgumentOutOfRangeException(nameof(ids), $"{op}: id {values[i]} at {i}; expected [0, {vocabulary}).");
        }
    }
}

public sealed partial class Tape
{
    /// <summary>Looks up token embeddings; the result starts the residual stream.</summary>
    /// <param name="ids">I32 [N].</param>
    /// <param name="table">[V, D].</param>
    /// <returns>[N, D].</returns>
    public Tensor Embedding(Tensor ids, Tensor table)
    {
        var output = WideActivation("embedding", (int)ids.Length, table.Columns);
        Record(new EmbeddingOperation(ids, table, output));
        return output;
    }

    private sealed class EmbeddingOperation(Tensor ids, Tensor table, Tensor output) : Operation
    {
        public override Uses UsesOf(Pass pass) => pass == Pass.Backward
            ? new([ids, output.Gradient], [table.Gradient])
            : new([ids, table], [output]);

        public override void Forward(Kernels kernels) => kernels.EmbeddingForward(ids, table, output);

        public override void Backward(Kernels kernels)
        {
            if (table.Gradient is { } dTable) kernels.EmbeddingBackward(ids, output.Gradient!, dTable);
        }
    }
}
