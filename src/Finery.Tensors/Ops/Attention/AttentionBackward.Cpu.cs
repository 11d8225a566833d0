using System.Runtime.CompilerServices;
using static Finery.Tensors.AttentionTiles;

namespace Finery.Tensors;

public sealed partial class CpuKernels
{
    // Queries whose probabilities are kept at a time in the backward pass.
    private const int AttentionBackwardQueries = 48;

    // Whole documents are put together to tasks of at least this many tokens.
    private const int AttentionBackwardTokens = 128;

    private int[] _attentionTasks = [];

    private protected override void AttentionBackwardCore(
        Tensor dOutput, Tensor qkv, Tensor output, Tensor logSumExp, Tensor starts, AttentionShape shape, Tensor dQkv)
    {
        if (qkv.Type == DType.F32) AttentionBackward<FloatElement>(dOutput, qkv, output, logSumExp, starts, shape, dQkv);
        else AttentionBackward<BFloat16Element>(dOutput, qkv, output, logSumExp, starts, shape, dQkv);
    }

    private unsafe void AttentionBackward<E>(
        Tensor dOutput, Tensor qkv, Tensor output, Tensor logSumExp, Tensor starts, AttentionShape shape, Tensor dQkv)
        where E : unmanaged, IElement<E>
    {
        int tasks = SplitBetweenDocuments(starts.Integers, out int longest);
        long scratchFloats = AttentionBackwardBody<E>.ScratchSize(shape, longest);
        float* scratch = _attentionScratch.Floats(Threads * scratchFloats);
        fixed (int* bounds = _attentionTasks)
        {
            _pool.For(tasks * shape.KvHeadCount, new AttentionBackwardBody<E>
            {
                Shape = shape, Qkv = (E*)qkv.Pointer, DQkv = (E*)dQkv.Pointer, Output = (E*)output.Pointer, DOutput = (E*)dOutput.Pointer,
                LogSumExp = logSumExp.FloatPointer, Starts = starts.IntegerPointer, Bounds = bounds, Scratch = scratch, ScratchFloats = scratchFloats,
            }, grain: 1);
        }
    }

    /// <summary>Cuts the sequence where documents begin; task t is tokens <c>_attentionTasks[t]</c> to <c>_attentionTasks[t + 1]</c>.</summary>
    private int SplitBetweenDocuments(ReadOnlySpan<int> starts, out int longest)
    {
        int most = starts.Length / AttentionBackwardTokens + 2, tasks = 0;
        longest = 0;
        if (_attentionTasks.Length < most) _attentionTasks = new int[most];
        for (int i = 1; i <= starts.Length; i++)
        {
            longest = Math.Max(longest, i - starts[i - 1]);
            bool boundary = i == starts.Length || (starts[i] == i && i - _attentionTasks[tasks] >= AttentionBackwardTokens);
            if (boundary) _attentionTasks[++tasks] = i;
        }
        return tasks;
    }

    /// <summary>
    /// Gradients of whole documents for one kv head and its query heads: a task is the only writer of its part of dQkv, and its sums
    /// run in an order that depends on the documents alone. Rows are stacked as in the forward pass.
    /// </summary>
    private unsafe struct AttentionBackwardBody<E> : IVectorBody where E : unmanaged, IElement<E>
    {
        public AttentionShape Shape;
        public E* Qkv, DQkv, Output, DOutput;
        public float* LogSumExp, Scratch;
        public int* Starts, Bounds;
        public long ScratchFloats;

        private readonly int Group => Shape.HeadCount / Shape.KvHeadCount;

        public static long ScratchSize(AttentionShape shape, int longest)
        {
            int rows = RoundUp(AttentionBackwardQueries * (shape.HeadCount / shape.KvHeadCount), Rows), width = RoundUp(shape.HeadSize, 16);
            return 2L * rows * (width + Keys + 1) + Keys * 5L * width + Rows * width + 64
                + (long)longest * (shape.HeadCount / shape.KvHeadCount) * width;
        }

        public readonly void Run<W, V>(int index, int worker) where W : struct, IWidth<V> where V : struct
        {
            int task = index / Shape.KvHeadCount, end = Bounds[task + 1];
            for (int from = Bounds[task], to; from < end; from = to)
            {
                to = from + 1;
                while (to < end && Starts[to] == from) to++;
                Document<W, V>(from, to, index % Shape.KvHeadCount, Scratch + worker * ScratchFloats);
            }
        }

        private readonly void Document<W, V>(int start, int end, int kvHead, float* scratch) where W : struct, IWidth<V> where V : struct
        {
            int HS = Shape.HeadSize, G = Group, width = RoundUp(HS, W.Count);
            long columns = Shape.QkvColumns;
            float* transposedKeys = scratch, transposedValues = transposedKeys + Keys * HS, keys = transposedValues + Keys * HS;
            float* dKeys = keys + Keys * width, dValues = dKeys + Keys * width, dQueries = dValues + Keys * width;
            float* queries = dQueries + ((long)(end - start) * G + Rows) * width;
            new Span<float>(dQueries, (end - start) * G * width).Clear();
            for (int key = start; key < end; key += Keys)
            {
                int count = Math.Min(Keys, end - key);
                E* key0 = Qkv + key * columns + Shape.KeyOffset + kvHead * HS, value0 = Qkv + key * columns + Shape.ValueOffset + kvHead * HS;
                Transpose(key0, columns, count, HS, transposedKeys);
                Transpose(value0, columns, count, HS, transposedValues);
                for (int j = 0; j < count; j++)
                    CopyScaled<W, V, E, FloatElement>(key0 + j * columns, 1, (FloatElement*)keys + j * width, HS, width);
                new Span<float>(dKeys, 2 * Keys * width).Clear();
                for (int from = key; from < end; from += AttentionBackwardQueries)
                {
                    int to = Math.Min(end, from + AttentionBackwardQueries);
                    float* dBlock = dQueries + (long)(from - start) * G * width;
                    Block<W, V>(from, to, key, count, kvHead, transposedKeys, transposedValues, keys, dKeys, dValues, dBlock, queries);
                }
                for (int j = 0; j < count; j++)
                {
                    E* row = DQkv + (key + j) * columns + kvHead * HS;
                    CopyScaled<W, V, FloatElement, E>((FloatElement*)dKeys + j * width, 1, row + Shape.KeyOffset, HS, HS);
                    CopyScaled<W, V, FloatElement, E>((FloatElement*)dValues + j * width, 1, row + Shape.ValueOffset, HS, HS);
                }
            }
            for (int row = 0; row < (end - start) * G; row++)
            {
                E* destination = DQkv + (start + row / G) * columns + (kvHead * G + row % G) * HS;
                CopyScaled<W, V, FloatElement, E>((FloatElement*)dQueries + (long)row * width, Shape.ScoreScale, destination, HS, HS);
            }
        }

        /// <summary>Queries <paramref name="from"/>..<paramref name="to"/> against <paramref name="keyCount"/> keys from <paramref name="key"/>.</summary>
        private readonly void Block<W, V>(
            int from, int to, int key, int keyCount, int kvHead, float* transposedKeys, float* transposedValues, float* keys,
            float* dKeys, float* dValues, float* dQueries, float* scratch) where W : struct, IWidth<V> where V : struct
        {
            int HS = Shape.HeadSize, G = Group, H = Shape.HeadCount, width = RoundUp(HS, W.Count);
            int count = (to - from) * G, padded = RoundUp(count, Rows), filled = RoundUp(keyCount, Math.Max(Rows, W.Count));
            float scale = Shape.ScoreScale;
            float* queries = scratch, dOutputs = queries + padded * width, probabilities = dOutputs + padded * width;
            float* dScores = probabilities + padded * Keys, deltas = dScores + padded * Keys;
            for (int row = 0; row < count; row++)
            {
                long head = (long)(from + row / G) * H + kvHead * G + row % G;
                E* query = Qkv + (long)(from + row / G) * Shape.QkvColumns + (kvHead * G + row % G) * HS;
                CopyScaled<W, V, E, FloatElement>(query, scale, (FloatElement*)queries + row * width, HS, width);
                CopyScaled<W, V, E, FloatElement>(DOutput + head * HS, 1, (FloatElement*)dOutputs + row * width, HS, width);
                deltas[row] = Dot<W, V, E>(DOutput + head * HS, Output + head * HS, HS);
            }
            new Span<float>(queries + count * width, (padded - count) * width).Clear();
            new Span<float>(dOutputs + count * width, (padded - count) * width).Clear();

            for (int tile = 0; tile < count; tile += Rows)
            {
                int last = Math.Min(tile + Rows, count) - 1, visible = Math.Min(keyCount, from + last / G + 1 - key);
                int columns = RoundUp(visible, W.Count);
                float* p = probabilities + tile * Keys, ds = dScores + tile * Keys;
                Multiply<W, V>(queries + tile * width, width, 1, transposedKeys, Keys, HS, p, Keys, columns, add: false);
                Multiply<W, V>(dOutputs + tile * width, width, 1, transposedValues, Keys, HS, ds, Keys, columns, add: false);
                for (int row = 0; row < Rows; row++)
                {
                    int query = from + (tile + row) / G, seen = tile + row > last ? 0 : Math.Min(visible, query + 1 - key);
                    if (seen > 0)
                    {
                        float logSumExp = LogSumExp[(long)query * H + kvHead * G + (tile + row) % G];
                        float* scores = p + row * Keys, gradients = ds + row * Keys;
                        int length = RoundUp(seen, W.Count);
                        if (Shape.Softcap > 0)
                            AttentionSoftcap.Backward<W, V>(scores, gradients, length, logSumExp, deltas[tile + row], Shape.Softcap);
                        else SoftmaxBackward<W, V>(scores, gradients, length, logSumExp, deltas[tile + row]);
                    }
                    new Span<float>(p + row * Keys + seen, filled - seen).Clear();
                    new Span<float>(ds + row * Keys + seen, filled - seen).Clear();
                }
                // Rows behind the last have no scores and add nothing.
                Multiply<W, V>(ds, Keys, 1, keys, width, visible, dQueries + (long)tile * width, width, width, add: true);
            }

            for (int j = 0; j < keyCount; j += Rows)
            {
                int row = Math.Max(0, (key + j - from) * G);
                if (row >= count) break;
                Multiply<W, V>(probabilities + row * Keys + j, 1, Keys, dOutputs + row * width, width, count - row, dValues + j * width, width, width, add: true);
                Multiply<W, V>(dScores + row * Keys + j, 1, Keys, queries + row * width, width, count - row, dKeys + j * width, width, width, add: true);
            }
        }

        /// <summary>Scores to probabilities and dP to dS, in place.</summary>
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private static void SoftmaxBackward<W, V>(float* scores, float* dScores, int columns, float logSumExp, float delta)
            where W : struct, IWidth<V> where V : struct
        {
            V shift = W.Broadcast(logSumExp), deltas = W.Broadcast(delta);
            for (int i = 0; i < columns; i += W.Count)
            {
                V probability = W.ExpNonPositive(W.Subtract(W.Load(scores + i), shift));
                W.Store(probability, scores + i);
                W.Store(W.Multiply(probability, W.Subtract(W.Load(dScores + i), deltas)), dScores + i);
            }
        }
    }
}
