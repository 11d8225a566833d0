using System.Runtime.CompilerServices;
using static Finery.Tensors.AttentionTiles;

namespace Finery.Tensors;

public sealed unsafe partial class CpuKernels
{
    private protected override void AttentionDivergenceForwardCore(
        Tensor qkv, AttentionShape shape, Tensor teacherQkv, AttentionShape teacherShape, Tensor starts, Tensor tokenWeights,
        Tensor losses, Tensor saved) => RunDivergence(new()
        {
            Model = new(qkv, shape), Teacher = new(teacherQkv, teacherShape), Starts = starts.IntegerPointer, Tokens = qkv.Rows,
            TokenWeights = tokenWeights.FloatPointer, Losses = losses.FloatPointer, Saved = saved.FloatPointer,
        });

    private protected override void AttentionDivergenceBackwardCore(
        Tensor qkv, AttentionShape shape, Tensor teacherQkv, AttentionShape teacherShape, Tensor starts, Tensor tokenWeights,
        Tensor saved, Tensor dQkv) => RunDivergence(new()
        {
            Model = new(qkv, shape), Teacher = new(teacherQkv, teacherShape), Starts = starts.IntegerPointer, Tokens = qkv.Rows,
            TokenWeights = tokenWeights.FloatPointer, Saved = saved.FloatPointer, Gradient = new(dQkv, shape),
        });

    private void RunDivergence(AttentionDivergenceBody body)
    {
        body.ScratchFloats = AttentionDivergenceBody.Space.Size(body.Model, body.Teacher);
        body.Scratch = _attentionScratch.Floats(Threads * body.ScratchFloats);
        // Gradients of queries and of keys are different columns: tasks of their own.
        _pool.For(body.Losses == null ? 2 * body.Windows : body.Windows, body, grain: 1);
    }

    /// <summary>
    /// Every document is cut into blocks of <see cref="AttentionTiles.Keys"/> tokens from its first one on, so that its bits do not
    /// depend on where it stands. A task owns the blocks that begin in its window: their queries' losses or gradients, or their keys'
    /// gradients. Probabilities are made again for each pair of blocks that needs them.
    /// </summary>
    private partial struct AttentionDivergenceBody : IVectorBody
    {
        private const int Block = AttentionTiles.Keys;

        public AttentionRows Model, Teacher, Gradient;
        public int* Starts;
        public float* TokenWeights, Losses, Saved, Scratch;
        public int Tokens;
        public long ScratchFloats;

        public readonly int Windows => (Tokens + Block - 1) / Block;

        private readonly int Heads => Model.Shape.HeadCount;

        private readonly int SavedColumns => 2 * Heads + Teacher.Shape.HeadCount;

        public readonly void Run<W, V>(int index, int worker) where W : struct, IWidth<V> where V : struct
        {
            var space = new Space(Scratch + worker * ScratchFloats, Model, Teacher);
            int window = index % Windows, end = Math.Min(Tokens, (window + 1) * Block);
            for (int from = window * Block; from < end; from++)
            {
                if ((from - Starts[from]) % Block != 0) continue;
                int count = Count(from);
                if (Losses != null) Compare<W, V>(from, count, space);
                else if (index < Windows) QueryGradients<W, V>(from, count, space);
                else KeyGradients<W, V>(from, count, space);
            }
        }

        /// <summary>Tokens of the block that begins at <paramref name="from"/>.</summary>
        private readonly int Count(int from)
        {
            int count = 1;
            while (count < Block && from + count < Tokens && Starts[from + count] == Starts[from]) count++;
            return count;
        }

        private readonly bool HasWeight(int from, int count) => new ReadOnlySpan<float>(TokenWeights + from, count).ContainsAnyExcept(0f);

        private readonly float* SavedOf(int row) => Saved + (long)row * SavedColumns;

        /// <summary>Losses and saved sums of a block of queries: log-sum-exps first, then what needs probabilities.</summary>
        private readonly void Compare<W, V>(int from, int count, in Space space) where W : struct, IWidth<V> where V : struct
        {
            new Span<float>(Losses + from, count).Clear();
            new Span<float>(SavedOf(from), count * SavedColumns).Clear();
            if (!HasWeight(from, count)) return;
            space.LoadQueries<W, V>(from, count);
            int bothHeads = SavedColumns - Heads;
            new Span<float>(space.Largest, bothHeads * Block).Fill(float.NegativeInfinity);
            for (int key = Starts[from]; key <= from; key += Block)
            {
                bool same = key == from;
                space.TransposeKeys(key, same ? count : Block);
                AddExponentials<W, V>(space.Model, from, count, same, space);
                AddExponentials<W, V>(space.Teacher, from, count, same, space);
            }
            for (int row = 0; row < count; row++)
            {
                float* sums = SavedOf(from + row);
                for (int head = 0; head < bothHeads; head++) sums[head] = space.Largest[head * Block + row] + MathF.Log(sums[head]);
            }
            for (int key = Starts[from]; key <= from; key += Block)
            {
                bool same = key == from;
                space.TransposeKeys(key, same ? count : Block);
                Means<W, V>(from, count, same, slopes: false, space);
                for (int row = 0; row < count; row++)
                {
                    float* mean = space.Model.Mean + row * Block, scores = space.Scores + row * Block;
                    Losses[from + row] += Divergence(mean, space.Teacher.Mean + row * Block, same ? row + 1 : Block);
                    Slopes<W, V>(mean, space.Teacher.Mean + row * Block, same ? row + 1 : Block);
                    for (int head = 0; head < Heads; head++)
                    {
                        SavedOf(from + row)[bothHeads + head] +=
                            Dot<W, V, FloatElement>((FloatElement*)(scores + head * Block * Block), (FloatElement*)mean, Block);
                    }
                }
            }
            for (int row = from; row < from + count; row++)
                if (TokenWeights[row] == 0) Losses[row] = 0;
        }

        /// <summary>Adds one more block of keys to the sums of <c>exp(S - largest)</c> of each head and query.</summary>
        private readonly void AddExponentials<W, V>(in Side side, int from, int count, bool same, in Space space)
            where W : struct, IWidth<V> where V : struct
        {
            for (int head = 0; head < side.Rows.Shape.HeadCount; head++)
            {
                side.Rows.Score<W, V>(head, side.Queries, side.Keys, count, same, space.Scores);
                for (int row = 0; row < count; row++)
                {
                    int sum = side.FirstSum + head;
                    AddExponentials<W, V>(
                        space.Scores + row * Block, same ? row + 1 : Block, ref space.Largest[sum * Block + row], ref SavedOf(from + row)[sum]);
                }
            }
        }

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private static void AddExponentials<W, V>(float* scores, int seen, ref float largest, ref float sum)
            where W : struct, IWidth<V> where V : struct
        {
            int columns = RoundUp(seen, W.Count);
            for (int i = seen; i < columns; i++) scores[i] = float.NegativeInfinity;
            V most = W.Load(scores);
            for (int i = W.Count; i < columns; i += W.Count) most = W.Max(most, W.Load(scores + i));
            float max = W.Largest(most);
            if (max > largest) (largest, sum) = (max, sum * MathF.Exp(largest - max));
            V shift = W.Broadcast(largest), sums = W.Broadcast(0);
            for (int i = 0; i < columns; i += W.Count) sums = W.Add(sums, W.ExpNonPositive(W.Subtract(W.Load(scores + i), shift)));
            sum += W.Sum(sums);
        }

        /// <summary>Probabilities of every head of the model for one pair of blocks, and the means over heads of both models.</summary>
        /// <param name="from">First query.</param>
        /// <param name="count">Queries.</param>
        /// <param name="same">Whether the keys are those of the queries' own block: none sees those behind itself.</param>
        /// <param name="slopes">Whether probabilities come times the slope of the softcap.</param>
        /// <param name="space">Has queries and keys, and takes the results.</param>
        private readonly void Means<W, V>(int from, int count, bool same, bool slopes, in Space space)
            where W : struct, IWidth<V> where V : struct
        {
            // Of the teacher's heads one after another takes the place of the model's first.
            Means<W, V>(space.Teacher, from, count, same, 0, space.Scores, 0);
            Means<W, V>(space.Model, from, count, same, slopes ? Model.Shape.Softcap : 0, space.Scores, Block * Block);
        }

        private readonly void Means<W, V>(in Side side, int from, int count, bool same, float softcap, float* scores, int stride)
            where W : struct, IWidth<V> where V : struct
        {
            new Span<float>(side.Mean, count * Block).Clear();
            int heads = side.Rows.Shape.HeadCount;
            for (int head = 0; head < heads; head++, scores += stride)
            {
                side.Rows.Score<W, V>(head, side.Queries, side.Keys, count, same, scores);
                for (int row = 0; row < count; row++)
                {
                    int seen = same ? row + 1 : Block;
                    float logSumExp = SavedOf(from + row)[side.FirstSum + head];
                    Softmax<W, V>(scores + row * Block, side.Mean + row * Block, RoundUp(seen, W.Count), logSumExp, 1f / heads, softcap);
                    new Span<float>(scores + row * Block + seen, Block - seen).Clear();
                }
            }
        }

        /// <summary>Scores to probabilities (times the slope of a softcap, where given) in place, and a share of them to their mean.</summary>
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private static void Softmax<W, V>(float* scores, float* mean, int columns, float logSumExp, float share, float softcap)
            where W : struct, IWidth<V> where V : struct
        {
            V shift = W.Broadcast(logSumExp), shares = W.Broadcast(share), one = W.Broadcast(1), scale = W.Broadcast(softcap > 0 ? 1 / softcap : 0);
            for (int i = 0; i < columns; i += W.Count)
            {
                V score = W.Load(scores + i), u = W.Multiply(score, scale), probability = W.ExpNonPositive(W.Subtract(score, shift));
                W.Store(W.MultiplyAdd(probability, shares, W.Load(mean + i)), mean + i);
                W.Store(W.Multiply(probability, W.Multiply(W.Subtract(one, u), W.Add(one, u))), scores + i);
            }
        }

        /// <summary><c>sum m' ln(m' / m) + m - m'</c>: no term is negative, and all are zero where the means are equal.</summary>
        private static float Divergence(float* mean, float* teacher, int seen)
        {
            double sum = 0;
            for (int i = 0; i < seen; i++)
            {
                float m = MathF.Max(mean[i], LeastAttention), t = MathF.Max(teacher[i], LeastAttention);
                sum += t * MathF.Log(t / m) + (m - t);
            }
            return (float)sum;
        }

        /// <summary><c>(m - m') / m</c> in place of m, zero for keys not seen.</summary>
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private static void Slopes<W, V>(float* mean, float* teacher, int seen) where W : struct, IWidth<V> where V : struct
        {
            V least = W.Broadcast(LeastAttention);
            for (int i = 0; i < RoundUp(seen, W.Count); i += W.Count)
            {
                V m = W.Max(least, W.Load(mean + i));
                W.Store(W.Divide(W.Subtract(m, W.Max(least, W.Load(teacher + i))), m), mean + i);
            }
            new Span<float>(mean + seen, Block - seen).Clear();
        }
    }
}
