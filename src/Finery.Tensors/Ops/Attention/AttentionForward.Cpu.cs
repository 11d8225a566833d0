using System.Runtime.CompilerServices;
using static Finery.Tensors.AttentionTiles;

namespace Finery.Tensors;

public sealed partial class CpuKernels
{
    // Queries to a task of the forward pass.
    private const int AttentionQueries = 96;

    private readonly Scratch _attentionScratch = new();

    private protected override void AttentionForwardCore(
        Tensor qkv, Tensor starts, AttentionShape shape, Tensor output, Tensor logSumExp, Tensor maxLogit)
    {
        if (qkv.Type == DType.F32) AttentionForward<FloatElement>(qkv, starts, shape, output, logSumExp, maxLogit);
        else AttentionForward<BFloat16Element>(qkv, starts, shape, output, logSumExp, maxLogit);
    }

    private unsafe void AttentionForward<E>(
        Tensor qkv, Tensor starts, AttentionShape shape, Tensor output, Tensor logSumExp, Tensor maxLogit) where E : unmanaged, IElement<E>
    {
        var row = (E*)qkv.Pointer;
        AttentionForward<E>(new()
        {
            Shape = shape, Queries = row, QueryRow = qkv.Columns, QueryCount = qkv.Rows,
            Keys = row + shape.KeyOffset, Values = row + shape.ValueOffset, KeyRow = qkv.Columns,
            Starts = starts.IntegerPointer, Output = (E*)output.Pointer, LogSumExp = logSumExp.FloatPointer,
        }, maxLogit);
    }

    private unsafe void AttentionForward<E>(AttentionForwardBody<E> body, Tensor? maxLogit) where E : unmanaged, IElement<E>
    {
        var shape = body.Shape;
        int items = (body.QueryCount + AttentionQueries - 1) / AttentionQueries;
        body.ScratchFloats = AttentionForwardBody<E>.ScratchSize(shape);
        float* scratch = _attentionScratch.Floats((long)Threads * body.ScratchFloats + (long)items * shape.HeadCount);
        body.MaxLogits = scratch;
        body.Scratch = scratch + (long)items * shape.HeadCount;
        _pool.For(items * shape.KvHeadCount, body, grain: 1);
        if (maxLogit is null) return;
        maxLogit.Floats.Fill(float.NegativeInfinity);
        for (int i = 0; i < items * shape.HeadCount; i++)
        {
            ref float max = ref maxLogit.Floats[i % shape.HeadCount];
            max = MathF.Max(max, scratch[i]);
        }
    }

    /// <summary>
    /// Flash attention (Dao 2022) for one kv head and a range of queries: keys in blocks, softmax corrected as larger scores turn up.
    /// The query heads of a kv head are stacked, <c>row = query G + head</c>, to fill register tiles in short documents too.
    /// </summary>
    private unsafe struct AttentionForwardBody<E> : IVectorBody where E : unmanaged, IElement<E>
    {
        public AttentionShape Shape;
        public E* Queries, Keys, Values, Output;
        public float* LogSumExp, MaxLogits, Scratch;
        public int* Starts;
        public long QueryRow, KeyRow, ScratchFloats;

        /// <summary>Queries, and tokens before the first of them.</summary>
        public int QueryCount, Offset;

        private readonly int Group => Shape.HeadCount / Shape.KvHeadCount;

        public static long ScratchSize(AttentionShape shape)
        {
            int rows = RoundUp(AttentionQueries * (shape.HeadCount / shape.KvHeadCount), Rows), width = RoundUp(shape.HeadSize, 16);
            return 2L * rows * width + 2 * rows + 2 * AttentionTiles.Keys * width + Rows * AttentionTiles.Keys + 64;
        }

        public readonly void Run<W, V>(int index, int worker) where W : struct, IWidth<V> where V : struct
        {
            int item = index / Shape.KvHeadCount, head = index % Shape.KvHeadCount * Group;
            float* maxLogits = MaxLogits + (long)item * Shape.HeadCount + head;
            new Span<float>(maxLogits, Group).Fill(float.NegativeInfinity);
            int end = Math.Min(QueryCount, (item + 1) * AttentionQueries);
            for (int from = item * AttentionQueries, to; from < end; from = to)
            {
                int start = Starts == null ? 0 : Starts[from];
                to = Starts == null ? end : from + 1;
                while (to < end && Starts[to] == start) to++;
                Document<W, V>(from, to, start, head, maxLogits, Scratch + worker * ScratchFloats);
            }
        }

        /// <summary>Queries <paramref name="from"/>..<paramref name="to"/>, all of one document that starts at key <paramref name="start"/>.</summary>
        private readonly void Document<W, V>(int from, int to, int start, int head, float* maxLogits, float* scratch)
            where W : struct, IWidth<V> where V : struct
        {
            int HS = Shape.HeadSize, G = Group, width = RoundUp(HS, W.Count), count = (to - from) * G, padded = RoundUp(count, Rows);
            float* query = scratch, sum = query + padded * width, max = sum + padded * width, total = max + padded;
            float* transposedKeys = scratch + RoundUp((int)(total + padded - scratch), 16);
            float* values = transposedKeys + HS * AttentionTiles.Keys, scores = values + AttentionTiles.Keys * width;
            for (int row = 0; row < count; row++)
                CopyScaled<W, V, E, FloatElement>(
                    Queries + (from + row / G) * QueryRow + (head + row % G) * HS, Shape.ScoreScale, (FloatElement*)query + row * width, HS, width);
            new Span<float>(query + count * width, (padded - count) * width).Clear();
            new Span<float>(sum, padded * width).Clear();
            new Span<float>(max, padded).Fill(float.NegativeInfinity);
            new Span<float>(total, padded).Clear();

            for (int key = start; key < to + Offset; key += AttentionTiles.Keys)
            {
                int keys = Math.Min(AttentionTiles.Keys, to + Offset - key);
                long source = key * KeyRow + head / G * HS;
                Transpose(Keys + source, KeyRow, keys, HS, transposedKeys);
                for (int j = 0; j < keys; j++)
                    CopyScaled<W, V, E, FloatElement>(Values + source + j * KeyRow, 1, (FloatElement*)values + j * width, HS, width);
                for (int tile = 0; tile < count; tile += Rows)
                {
                    int last = Math.Min(tile + Rows, count) - 1;
                    int visible = Math.Min(keys, from + last / G + Offset + 1 - key);
                    if (visible <= 0) continue;
                    int columns = RoundUp(visible, W.Count);
                    Multiply<W, V>(query + tile * width, width, 1, transposedKeys, AttentionTiles.Keys, HS, scores, AttentionTiles.Keys, columns, add: false);
                    for (int row = tile; row <= last; row++)
                    {
                        int seen = Math.Min(visible, from + row / G + Offset + 1 - key);
                        float* rowScores = scores + (row - tile) * AttentionTiles.Keys;
                        if (Shape.Softcap > 0 && seen > 0) AttentionSoftcap.Bound<W, V>(rowScores, columns, Shape.Softcap);
                        if (seen <= 0) new Span<float>(rowScores, columns).Clear();
                        else Softmax<W, V>(rowScores, seen, columns, ref max[row], ref total[row], sum + row * width, width, ref maxLogits[row % G]);
                    }
                    Multiply<W, V>(scores, AttentionTiles.Keys, 1, values, width, visible, sum + tile * width, width, width, add: true);
                }
            }

            for (int row = 0; row < count; row++)
            {
                long position = from + row / G, column = head + row % G;
                CopyScaled<W, V, FloatElement, E>(
                    (FloatElement*)sum + row * width, 1 / total[row], Output + (position * Shape.HeadCount + column) * HS, HS, HS);
                if (LogSumExp != null) LogSumExp[position * Shape.HeadCount + column] = max[row] + MathF.Log(total[row]);
            }
        }

        /// <summary>Turns a row of scores into <c>exp(score - max)</c>, zero behind the <paramref name="seen"/> visible ones.</summary>
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private static void Softmax<W, V>(
            float* scores, int seen, int columns, ref float max, ref float total, float* sum, int width, ref float maxLogit)
            where W : struct, IWidth<V> where V : struct
        {
            for (int i = seen; i < columns; i++) scores[i] = float.NegativeInfinity;
            V most = W.Load(scores);
            for (int i = W.Count; i < columns; i += W.Count) most = W.Max(most, W.Load(scores + i));
            float largest = W.Largest(most);
            maxLogit = MathF.Max(maxLogit, largest);
            if (largest > max)
            {
                float correction = MathF.Exp(max - largest);
                max = largest;
                total *= correction;
                CopyScaled<W, V, FloatElement, FloatElement>((FloatElement*)sum, correction, (FloatElement*)sum, width, width);
            }
            V shift = W.Broadcast(max), totals = W.Broadcast(0);
            for (int i = 0; i < columns; i += W.Count)
            {
                V probability = W.ExpNonPositive(W.Subtract(W.Load(scores + i), shift));
                W.Store(probability, scores + i);
                totals = W.Add(totals, probability);
            }
            total += W.Sum(totals);
            // Vector maxima may drop a NaN, sums never do.
            if (float.IsNaN(total)) maxLogit = float.NaN;
        }
    }
}
