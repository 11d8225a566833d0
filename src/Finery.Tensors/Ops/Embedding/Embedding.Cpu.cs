using System.Runtime.CompilerServices;

namespace Finery.Tensors;

public sealed partial class CpuKernels
{
    // Rows that a thread takes at a time in ops that go row by row.
    private const int RowGrain = 16;

    // Columns of the table that one thread sums at a time: two cache lines.
    private const int EmbeddingColumns = 32;

    private protected override void EmbeddingForwardCore(Tensor ids, Tensor table, Tensor output)
    {
        if (table.Type == DType.BF16) EmbeddingForward<BFloat16Element>(ids, table, output);
        else EmbeddingForward<FloatElement>(ids, table, output);
    }

    private unsafe void EmbeddingForward<E>(Tensor ids, Tensor table, Tensor output) where E : unmanaged, IElement<E> => _pool.For(
        output.Rows, new EmbeddingForwardBody<E>(ids.IntegerPointer, table.Elements<E>(), output.FloatPointer, table.Columns), RowGrain);

    private protected override unsafe void EmbeddingBackwardCore(Tensor ids, Tensor dOutput, Tensor dTable)
    {
        int D = dTable.Columns;
        _pool.For((D + EmbeddingColumns - 1) / EmbeddingColumns, new EmbeddingBackwardBody(
            ids.IntegerPointer, dOutput.FloatPointer, dTable.FloatPointer, dOutput.Rows, D), grain: 1);
    }

    private readonly unsafe struct EmbeddingForwardBody<E>(int* ids, E* table, float* output, int D) : IVectorBody
        where E : unmanaged, IElement<E>
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Run<W, V>(int index, int worker) where W : struct, IWidth<V> where V : struct
        {
            E* source = table + (long)ids[index] * D;
            float* destination = output + (long)index * D;
            if (E.Type == DType.F32)
            {
                new ReadOnlySpan<float>(source, D).CopyTo(new(destination, D));
                return;
            }
            int d = 0;
            for (; d <= D - W.Count; d += W.Count) W.Store(E.Load<W, V>(source + d), destination + d);
            for (; d < D; d++) destination[d] = E.Load<Scalar, float>(source + d);
        }
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
