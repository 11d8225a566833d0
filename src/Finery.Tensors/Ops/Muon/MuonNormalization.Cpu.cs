using System.Runtime.CompilerServices;
using static System.Runtime.CompilerServices.MethodImplOptions;

namespace Finery.Tensors;

// NorMuon (arXiv 2510.05491).
public sealed unsafe partial class CpuKernels
{
    // Columns of one task.
    private const int NormalizedColumns = 64;

    /// <summary>Divides the rows of a tall update, or the columns of a wide one, by the root of the running mean of their squares, and
    /// keeps the norm of the whole.</summary>
    /// <param name="x">[rows, columns], scaled in place.</param>
    /// <param name="rows">Of the matrix.</param>
    /// <param name="columns">Of the matrix.</param>
    /// <param name="second">[max(rows, columns)], updated.</param>
    /// <param name="means">[max(rows, columns)], overwritten.</param>
    /// <param name="decay">Of the running mean.</param>
    private void NormalizeUpdate(float* x, int rows, int columns, float* second, float* means, double decay)
    {
        bool tall = rows >= columns;
        int tasks = (columns + NormalizedColumns - 1) / NormalizedColumns;
        if (tall) _pool.For(rows, new RowPass(x, columns, means, scale: false), grain: 8);
        else _pool.For(tasks, new ColumnPass(x, rows, columns, means, scale: false), grain: 1);
        double before = 0, after = 0;
        for (int i = 0; i < Math.Max(rows, columns); i++)
        {
            double mean = means[i], running = decay * second[i] + (1 - decay) * mean;
            double factor = 1 / Math.Sqrt(Math.Max(running, MuonSettings.LeastSquare));
            second[i] = (float)running;
            before += mean;
            after += mean * factor * factor;
            means[i] = (float)factor;
        }
        float restore = after > 0 ? (float)Math.Sqrt(before / after) : 1;
        for (int i = 0; i < Math.Max(rows, columns); i++) means[i] *= restore;
        if (tall) _pool.For(rows, new RowPass(x, columns, means, scale: true), grain: 8);
        else _pool.For(tasks, new ColumnPass(x, rows, columns, means, scale: true), grain: 1);
    }

    /// <summary>One row: the mean of its squares, or its product with its factor.</summary>
    private readonly struct RowPass(float* x, int columns, float* numbers, bool scale) : IVectorBody
    {
        public void Run<W, V>(int index, int worker) where W : struct, IWidth<V> where V : struct
        {
            float* row = x + (long)index * columns;
            if (scale) Scale<Scalar, float>(row, numbers[index], Scale<W, V>(row, numbers[index], 0));
            else numbers[index] = Mean<W, V>(row);
        }

        [MethodImpl(AggressiveOptimization)]
        private float Mean<W, V>(float* row) where W : struct, IWidth<V> where V : struct
        {
            V squares = W.Broadcast(0);
            int i = 0;
            for (; i <= columns - W.Count; i += W.Count) squares = W.MultiplyAdd(W.Load(row + i), W.Load(row + i), squares);
            double sum = W.Sum(squares);
            for (; i < columns; i++) sum += row[i] * row[i];
            return (float)(sum / columns);
        }

        [MethodImpl(AggressiveOptimization)]
        private int Scale<W, V>(float* row, float factor, int i) where W : struct, IWidth<V> where V : struct
        {
            for (; i <= columns - W.Count; i += W.Count) W.Store(W.Multiply(W.Load(row + i), W.Broadcast(factor)), row + i);
            return i;
        }
    }

    /// <summary>A few columns: the means of their squares, or their products with their factors.</summary>
    private readonly struct ColumnPass(float* x, int rows, int columns, float* numbers, bool scale) : IVectorBody
    {
        public void Run<W, V>(int index, int worker) where W : struct, IWidth<V> where V : struct
        {
            int start = index * NormalizedColumns, end = Math.Min(columns, start + NormalizedColumns);
            Pass<Scalar, float>(Pass<W, V>(start, end), end);
        }

        [MethodImpl(AggressiveOptimization)]
        private int Pass<W, V>(int column, int end) where W : struct, IWidth<V> where V : struct
        {
            for (; column <= end - W.Count; column += W.Count)
            {
                float* element = x + column;
                V squares = W.Broadcast(0), factors = W.Load(numbers + column);
                for (int row = 0; row < rows; row++, element += columns)
                {
                    if (scale) W.Store(W.Multiply(W.Load(element), factors), element);
                    else squares = W.MultiplyAdd(W.Load(element), W.Load(element), squares);
                }
                if (!scale) W.Store(W.Divide(squares, W.Broadcast(rows)), numbers + column);
            }
            return column;
        }
    }
}
