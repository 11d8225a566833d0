using System.Runtime.CompilerServices;

namespace Finery.Tensors;

public sealed partial class CpuKernels
{
    // Rows that a thread takes at a time in ops that go row by row.
    private const int RowGrain = 16;

    // Columns of the table that one thread sums at a time: two cache lines.
    private const int EmbeddingColumns = 32;

    private protected override unsafe void EmbeddingForwardCore(Tensor ids, Tensor table, Tensor output) => _pool.For(
        output.Rows, new EmbeddingForwardBody(ids.IntegerPointer, table.FloatPointer, output.FloatPointer, table.Columns), RowGrain);

    private protected override unsafe void EmbeddingBackwardCore(Tensor ids, Tensor dOutput, Tensor dTable)
    {
        int D = dTable.Columns;
        _pool.For((D + EmbeddingColumns - 1) / EmbeddingColumns, new EmbeddingBackwardBody(
            ids.IntegerPointer, dOutput.FloatPointer, dTable.FloatPointer, dOutput.Rows, D), grain: 1);
    }

    private readonly unsafe struct EmbeddingForwardBody(int* ids, float* table, float* output, int D) : IVectorBody
    {
        public void Run<W, V>(int index, int worker) where W : struct, IWidth<V> where V : struct =>
            new ReadOnlySpan<float>(table + (long)ids[index] * D, D).CopyTo(new(output + (long)index * D, D));
    }

    // A thread owns columns, not rows: each element is summed in token order whatever the threads, and no ids need sorting.
    private readonly unsafe struct EmbeddingBackwardBody(int* ids, float* dOutput, float* dTable, int N, int D) : IVectorBody
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Run<W, V>(int index, int worker) where W : struct, IWidth<V> where V : struct
        {
            int from = index * EmbeddingColumns, to = Math.Min(D, from + EmbeddingColumns);
            for (int i = 0; i < N; i++)
            {
                float* source = dOutput + (long)i * D, destination = dTable + (long)ids[i] * D;
                int d = from;
                for (; d <= to - W.Count; d += W.Count) W.Store(W.Add(W.Load(destination + d), W.Load(source + d)), destination + d);
                for (; d < to; d++) destination[d] += source[d];
            }
        }
    }
}
