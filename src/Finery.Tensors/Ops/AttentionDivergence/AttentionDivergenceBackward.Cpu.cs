using System.Runtime.CompilerServices;
using static Finery.Tensors.AttentionTiles;

namespace Finery.Tensors;

public sealed unsafe partial class CpuKernels
{
    private partial struct AttentionDivergenceBody
    {
        /// <summary>Gradients of a block of queries, from all keys before and in it.</summary>
        private readonly void QueryGradients<W, V>(int from, int count, in Space space) where W : struct, IWidth<V> where V : struct
        {
            if (!HasWeight(from, count)) return;
            int width = Model.Width, group = Heads / Model.Shape.KvHeadCount;
            space.LoadQueries<W, V>(from, count);
            new Span<float>(space.Gradients, Heads * Model.BlockFloats).Clear();
            for (int key = Starts[from]; key <= from; key += Block)
            {
                bool same = key == from;
                int keys = same ? count : Block;
                space.TransposeKeys(key, keys);
                Model.LoadKeys<W, V>(key, keys, space.KeyRows);
                ScoreGradients<W, V>(from, count, same, space);
                for (int head = 0; head < Heads; head++)
                {
                    float* scores = space.Scores + head * Block * Block, gradients = space.Gradients + head * Model.BlockFloats;
                    float* rows = space.KeyRows + head / group * Model.BlockFloats;
                    for (int row = 0; row < count; row += Rows)
                    {
                        Multiply<W, V>(
                            scores + row * Block, Block, 1, rows, width, same ? Math.Min(row + Rows, count) : Block, gradients + row * width, width,
                            width, add: true);
                    }
                }
            }
            for (int head = 0; head < Heads; head++)
            {
                Gradient.Add<W, V>(
                    from, count, head * Model.Shape.HeadSize, Model.Shape.ScoreScale, space.Gradients + head * Model.BlockFloats);
            }
        }

        /// <summary>Gradients of a block of keys, from all queries in and behind it.</summary>
        private readonly void KeyGradients<W, V>(int key, int keys, in Space space) where W : struct, IWidth<V> where V : struct
        {
            int width = Model.Width, kvHeads = Model.Shape.KvHeadCount, group = Heads / kvHeads;
            space.TransposeKeys(key, keys);
            new Span<float>(space.Gradients, kvHeads * Model.BlockFloats).Clear();
            for (int from = key; from < Tokens && Starts[from] == Starts[key]; from += Block)
            {
                int count = Count(from);
                if (!HasWeight(from, count)) continue;
                space.LoadQueries<W, V>(from, count);
                ScoreGradients<W, V>(from, count, from == key, space);
                for (int head = 0; head < Heads; head++)
                {
                    float* scores = space.Scores + head * Block * Block, queries = space.Model.Queries + head * Model.BlockFloats;
                    float* gradients = space.Gradients + head / group * Model.BlockFloats;
                    for (int row = 0; row < keys; row += Rows)
                    {
                        // Queries before these keys do not see them.
                        int first = from == key ? row : 0;
                        Multiply<W, V>(
                            scores + first * Block + row, 1, Block, queries + first * width, width, count - first, gradients + row * width, width,
                            width, add: true);
                    }
                }
            }
            for (int head = 0; head < kvHeads; head++)
            {
                Gradient.Add<W, V>(
                    key, keys, Model.Shape.KeyOffset + head * Model.Shape.HeadSize, 1, space.Gradients + head * Model.BlockFloats);
            }
        }

        /// <summary>Gradients of the scores of every head for one pair of blocks.</summary>
        private readonly void ScoreGradients<W, V>(int from, int count, bool same, in Space space) where W : struct, IWidth<V> where V : struct
        {
            Means<W, V>(from, count, same, slopes: true, space);
            for (int row = 0; row < count; row++)
            {
                float* slopes = space.Model.Mean + row * Block, average = SavedOf(from + row) + SavedColumns - Heads;
                Slopes<W, V>(slopes, space.Teacher.Mean + row * Block, same ? row + 1 : Block);
                float factor = TokenWeights[from + row] / Heads;
                for (int head = 0; head < Heads; head++)
                    ScoreGradients<W, V>(space.Scores + (head * Block + row) * Block, slopes, average[head], factor);
            }
        }

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private static void ScoreGradients<W, V>(float* probabilities, float* slopes, float average, float factor)
            where W : struct, IWidth<V> where V : struct
        {
            V averages = W.Broadcast(average), factors = W.Broadcast(factor);
            for (int i = 0; i < Block; i += W.Count)
            {
                V gradient = W.Multiply(W.Load(probabilities + i), W.Subtract(W.Load(slopes + i), averages));
                W.Store(W.Multiply(gradient, factors), probabilities + i);
            }
        }

        /// <summary>Of one of the two models: a block of queries, one of transposed keys, and the mean over heads between them.</summary>
        public readonly struct Side(AttentionRows rows, int firstSum, float* scratch)
        {
            public readonly AttentionRows Rows = rows;

            /// <summary>Column of saved sums where its log-sum-exps begin.</summary>
            public readonly int FirstSum = firstSum;

            public readonly float* Queries = scratch, Keys = scratch + rows.Shape.HeadCount * rows.BlockFloats;

            public readonly float* Mean = scratch + Size(rows) - Block * Block;

            public static int Size(AttentionRows rows) =>
                (rows.Shape.HeadCount + rows.Shape.KvHeadCount) * rows.BlockFloats + Block * Block;
        }

        /// <summary>Scratch memory of one worker.</summary>
        public readonly struct Space
        {
            public readonly Side Model, Teacher;

            /// <summary>[H, Block, Block].</summary>
            public readonly float* Scores;

            /// <summary>Blocks of keys, and of gradients of queries or keys.</summary>
            public readonly float* KeyRows, Gradients;

            /// <summary>[H + H', Block].</summary>
            public readonly float* Largest;

            public Space(float* scratch, AttentionRows model, AttentionRows teacher)
            {
                Model = new(model, 0, scratch);
                Teacher = new(teacher, model.Shape.HeadCount, scratch += Side.Size(model));
                Scores = scratch += Side.Size(teacher);
                KeyRows = scratch += model.Shape.HeadCount * Block * Block;
                Gradients = scratch += model.Shape.KvHeadCount * model.BlockFloats;
                Largest = scratch + model.Shape.HeadCount * model.BlockFloats;
            }

            public static long Size(AttentionRows model, AttentionRows teacher)
            {
                var space = new Space(null, model, teacher);
                return space.Largest - (float*)null + (model.Shape.HeadCount + teacher.Shape.HeadCount) * Block;
            }

            public void LoadQueries<W, V>(int from, int count) where W : struct, IWidth<V> where V : struct
            {
                Model.Rows.LoadQueries<W, V>(from, count, Model.Queries);
                Teacher.Rows.LoadQueries<W, V>(from, count, Teacher.Queries);
            }

            public void TransposeKeys(int from, int count)
            {
                Model.Rows.TransposeKeys(from, count, Model.Keys);
                Teacher.Rows.TransposeKeys(from, count, Teacher.Keys);
            }
        }
    }
}
