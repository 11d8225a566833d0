using System.Runtime.CompilerServices;
using static System.Runtime.CompilerServices.MethodImplOptions;

namespace Finery.Tensors;

public sealed unsafe partial class CpuKernels
{
    // Elements of one task of an elementwise pass.
    private const int MuonBlock = 1 << 14;

    // Rows of a symmetric product at once: fewer waste less above the diagonal, more make better products.
    private const int SymmetricRows = 128;

    // Rows of one task of mirroring.
    private const int MirroredRows = 16;

    private readonly Scratch _muon = new();

    /// <summary>Bytes of scratch memory that an update of a matrix of this shape asks for.</summary>
    public static long MuonScratch(long rows, long columns) =>
        sizeof(float) * (2 * Math.Min(rows, columns) * Math.Min(rows, columns) + rows * columns + Math.Max(rows, columns));

    private protected override void MuonCore(
        Tensor weight, Tensor? master, Tensor gradient, Tensor momentum, Tensor? second, in MuonSettings settings)
    {
        int rows = weight.Rows, columns = weight.Columns, small = Math.Min(rows, columns);
        long length = weight.Length, square = (long)small * small;
        int blocks = (int)((length + MuonBlock - 1) / MuonBlock);
        float* gram = _muon.Floats(MuonScratch(rows, columns) / sizeof(float)), factor = gram + square;
        // The iteration goes back and forth between the gradient, which is no longer needed, and scratch.
        float* x = gradient.FloatPointer, next = factor + square;
        _pool.For(blocks, new MuonMomentum(x, momentum.FloatPointer, length, settings), grain: 1);
        float prescale = (float)settings.Iteration.Prescale(Math.Sqrt(SumOfSquaresCore(gradient)));
        _pool.For(blocks, new MuonCombine(x, x, length, 0, prescale), grain: 1);

        int squareBlocks = (int)((square + MuonBlock - 1) / MuonBlock);
        foreach (var (a, b, c) in settings.Iteration.Steps())
        {
            // X X^T, or for a tall matrix X^T X: the iteration of the transpose, without transposing.
            var matrix = StridedMatrix.RowMajor(x, columns);
            var symmetric = StridedMatrix.RowMajor(gram, small);
            SymmetricProduct(small, Math.Max(rows, columns), rows <= columns ? matrix : matrix.Transposed, gram);
            SymmetricProduct(small, small, symmetric, factor);
            _pool.For(squareBlocks, new MuonCombine(factor, gram, square, (float)c, (float)b), grain: 1);
            for (long i = 0; i < small; i++) factor[i * small + i] += (float)a;
            var polynomial = StridedMatrix.RowMajor(factor, small);
            if (rows <= columns) _gemm.Multiply(rows, columns, small, polynomial, matrix, next, columns, add: false);
            else _gemm.Multiply(rows, columns, small, matrix, polynomial, next, columns, add: false);
            float* done = x;
            x = next;
            next = done;
        }
        if (second is not null)
            NormalizeUpdate(x, rows, columns, second.FloatPointer, gram + 2 * square + length, settings.SecondDecay);
        float keep = (float)(1 - (double)settings.LearningRate * settings.WeightDecay);
        float step = (float)(settings.LearningRate * settings.Factor(rows, columns));
        Update(weight, master, settings.Rounding, 0, length, new MuonStep(x, keep, -step, settings.Cautious));
        gradient.Floats.Clear();
    }

    /// <summary><c>C = A A^T</c> of [<paramref name="n"/>, <paramref name="k"/>]: panels of rows up to the diagonal, the rest mirrored.</summary>
    private void SymmetricProduct(int n, int k, StridedMatrix a, float* c)
    {
        for (int row = 0; row < n; row += SymmetricRows)
        {
            int rows = Math.Min(SymmetricRows, n - row);
            _gemm.Multiply(rows, row + rows, k, a.From(row, 0), a.Transposed, c + (long)row * n, n, add: false);
        }
        if (n > SymmetricRows) _pool.For((n + MirroredRows - 1) / MirroredRows, new Mirror(c, n));
    }

    /// <summary>A few rows right of the diagonal from the columns below it.</summary>
    private readonly struct Mirror(float* c, int n) : IParallelBody
    {
        public void Run(int task, int worker)
        {
            int start = task * MirroredRows, end = Math.Min(n, start + MirroredRows);
            for (int j = start + 1; j < n; j++)
            {
                float* from = c + (long)j * n;
                for (int i = start; i < Math.Min(end, j); i++) c[(long)i * n + j] = from[i];
            }
        }
    }

    /// <summary>Advances one block of the momentum; the update to be made orthogonal replaces the gradient.</summary>
    private readonly struct MuonMomentum(float* gradient, float* momentum, long length, MuonSettings settings) : IVectorBody
    {
        public void Run<W, V>(int index, int worker) where W : struct, IWidth<V> where V : struct
        {
            long start = (long)index * MuonBlock, end = Math.Min(length, start + MuonBlock);
            Rest<Scalar, float>(Rest<W, V>(start, end), end);
        }

        [MethodImpl(AggressiveOptimization)]
        private long Rest<W, V>(long i, long end) where W : struct, IWidth<V> where V : struct
        {
            V mu = W.Broadcast(settings.Momentum);
            V take = W.Broadcast((float)((1 - (double)settings.Momentum) * settings.GradientScale));
            for (; i <= end - W.Count; i += W.Count)
            {
                V g = W.Multiply(W.Load(gradient + i), take);
                V m = W.MultiplyAdd(W.Load(momentum + i), mu, g);
                W.Store(m, momentum + i);
                W.Store(settings.Nesterov ? W.MultiplyAdd(m, mu, g) : m, gradient + i);
            }
            return i;
        }
    }

    /// <summary>One block of <c>y = a y + b x</c>; y is not read where a is 0.</summary>
    private readonly struct MuonCombine(float* y, float* x, long length, float a, float b) : IVectorBody
    {
        public void Run<W, V>(int index, int worker) where W : struct, IWidth<V> where V : struct
        {
            long start = (long)index * MuonBlock, end = Math.Min(length, start + MuonBlock);
            Rest<Scalar, float>(Rest<W, V>(start, end), end);
        }

        [MethodImpl(AggressiveOptimization)]
        private long Rest<W, V>(long i, long end) where W : struct, IWidth<V> where V : struct
        {
            V keep = W.Broadcast(a), take = W.Broadcast(b);
            bool reads = a != 0;
            for (; i <= end - W.Count; i += W.Count)
            {
                V scaled = W.Multiply(W.Load(x + i), take);
                W.Store(reads ? W.MultiplyAdd(W.Load(y + i), keep, scaled) : scaled, y + i);
            }
            return i;
        }
    }

    /// <summary><c>p = keep p + take x</c>; under cautious decay p itself is kept where x and p differ in sign.</summary>
    private readonly struct MuonStep(float* x, float keep, float take, bool cautious) : IParameterMap
    {
        [MethodImpl(AggressiveInlining)]
        public V Next<W, V>(V p, long i) where W : struct, IWidth<V> where V : struct
        {
            V update = W.Load(x + i), decay = W.Broadcast(keep);
            if (cautious) decay = W.WhereNotNegative(W.Multiply(update, p), decay, W.Broadcast(1));
            return W.MultiplyAdd(p, decay, W.Multiply(update, W.Broadcast(take)));
        }
    }
}
