using System.Runtime.CompilerServices;
using static System.Runtime.CompilerServices.MethodImplOptions;

namespace Finery.Tensors;

public sealed unsafe partial class CpuKernels
{
    private readonly Scratch _divergence = new();

    private protected override void LinearDivergenceCore(
        Tensor x, Tensor weight, Tensor teacherX, Tensor teacherWeight, Tensor tokenWeights, DivergenceOptions options,
        Tensor losses, Tensor? dx, Tensor? dWeight)
    {
        int D = x.Columns, V = weight.Rows;
        losses.Floats.Clear();
        dx?.Bytes.Clear();
        int chunkRows = DivergenceChunk(x.Rows, V);
        float* student = _divergence.Floats(2L * chunkRows * V), teacher = student + (long)chunkRows * V;
        float* weights = tokenWeights.FloatPointer;
        for (int next = 0; next < x.Rows;)
        {
            // Runs of rows that count: others cost nothing.
            while (next < x.Rows && weights[next] == 0) next++;
            int first = next;
            while (next < x.Rows && next - first < chunkRows && weights[next] != 0) next++;
            int count = next - first;
            if (count == 0) break;
            var chunk = Matrix(x).From(first, 0);
            _gemm.Multiply(count, V, D, chunk, Matrix(weight).Transposed, student, V, add: false);
            _gemm.Multiply(
                count, V, teacherX.Columns, Matrix(teacherX).From(first, 0), Matrix(teacherWeight).Transposed, teacher, V, add: false);
            var rows = new DivergenceRows(student, teacher, V, weights + first, losses.FloatPointer + first, options, dx is not null);
            _pool.For(count, rows, grain: 1);
            if (dx is null) continue;
            var dz = StridedMatrix.RowMajor(student, V);
            _gemm.Multiply(count, D, V, dz, Matrix(weight), Matrix(dx).From(first, 0), add: false);
            if (dWeight is not null) _gemm.Multiply(V, D, count, dz.Transposed, chunk, dWeight.FloatPointer, D, add: true);
        }
    }

    /// <summary>Bytes of scratch memory that a divergence of two heads takes besides what other ops do.</summary>
    /// <param name="tokens">N.</param>
    /// <param name="vocabulary">V.</param>
    public static long EstimateDivergence(int tokens, int vocabulary) =>
        2L * DivergenceChunk(tokens, vocabulary) * vocabulary * sizeof(float);

    private static int DivergenceChunk(int rows, int vocabulary) =>
        Math.Min(rows, Math.Clamp(LogitBudget / 2 / Math.Max(1, vocabulary), MinChunkRows, MaxChunkRows));

    /// <summary>The loss of one row of logits of each model; its gradient replaces the student's.</summary>
    private readonly struct DivergenceRows(
        float* students, float* teachers, int vocabulary, float* tokenWeights, float* losses, DivergenceOptions options, bool gradient)
        : IVectorBody
    {
        // Partial sums in single precision are this long; their sum is in double.
        private const int Block = 1024;

        public void Run<W, V>(int index, int worker) where W : struct, IWidth<V> where V : struct
        {
            float* student = students + (long)index * vocabulary, teacher = teachers + (long)index * vocabulary;
            double tau = options.Temperature;
            float shift = Normalizer(student), teacherShift = Normalizer(teacher);
            bool symmetric = options.Kind == Tensors.Divergence.JensenShannon;
            double divergence = 0, mean = 0;
            if (symmetric) divergence = JensenShannon(student, teacher, shift, teacherShift, out mean);
            else
            {
                for (int start = 0; start < vocabulary; start += Block)
                {
                    int count = Math.Min(Block, vocabulary - start), done = 0;
                    divergence += Relative<W, V>(student + start, teacher + start, count, shift, teacherShift, ref done);
                    divergence += Relative<Scalar, float>(student + start, teacher + start, count, shift, teacherShift, ref done);
                }
                mean = divergence;
            }
            losses[index] = (float)(tau * tau * divergence);
            if (!gradient) return;
            float factor = (float)(tokenWeights[index] * tau);
            int from = 0;
            if (symmetric) Weigh<W, V>(student, teacher, shift, (float)mean, factor, ref from);
            else Slopes<W, V>(student, teacher, shift, teacherShift, (float)mean, factor, ref from);
            if (symmetric) Weigh<Scalar, float>(student, teacher, shift, (float)mean, factor, ref from);
            else Slopes<Scalar, float>(student, teacher, shift, teacherShift, (float)mean, factor, ref from);
        }

        /// <summary>Divides a row by tau and returns its log-sum-exp.</summary>
        private float Normalizer(float* row)
        {
            if (options.Temperature != 1) SoftmaxRow.Scale(row, vocabulary, 1 / options.Temperature);
            float max = SoftmaxRow.Max(row, vocabulary);
            return (float)(max + Math.Log(SoftmaxRow.ExpSum(row, vocabulary, max, store: false)));
        }

        /// <summary>Terms of the forward or reverse divergence.</summary>
        [MethodImpl(AggressiveOptimization)]
        private float Relative<W, V>(float* student, float* teacher, int count, float shift, float teacherShift, ref int i)
            where W : struct, IWidth<V> where V : struct
        {
            bool reverse = options.Kind == Tensors.Divergence.Reverse;
            V s = W.Broadcast(shift), t = W.Broadcast(teacherShift), sum = W.Broadcast(0);
            for (; i <= count - W.Count; i += W.Count)
            {
                V q = W.Subtract(W.Load(student + i), s), p = W.Subtract(W.Load(teacher + i), t);
                sum = reverse ? W.MultiplyAdd(W.Exp(q), W.Subtract(q, p), sum) : W.MultiplyAdd(W.Exp(p), W.Subtract(p, q), sum);
            }
            return W.Sum(sum);
        }

        /// <summary>Gradients: forward <c>q - p</c>, reverse <c>q (ln(q/p) - mean)</c>.</summary>
        [MethodImpl(AggressiveOptimization)]
        private void Slopes<W, V>(
            float* student, float* teacher, float shift, float teacherShift, float mean, float factor, ref int i)
            where W : struct, IWidth<V> where V : struct
        {
            bool reverse = options.Kind == Tensors.Divergence.Reverse;
            V s = W.Broadcast(shift), t = W.Broadcast(teacherShift), f = W.Broadcast(factor), m = W.Broadcast(mean);
            for (; i <= vocabulary - W.Count; i += W.Count)
            {
                V q = W.Subtract(W.Load(student + i), s), p = W.Subtract(W.Load(teacher + i), t), e = W.Exp(q);
                V slope = reverse ? W.Multiply(e, W.Subtract(W.Subtract(q, p), m)) : W.Subtract(e, W.Exp(p));
                W.Store(W.Multiply(f, slope), student + i);
            }
        }

        // Needs a logarithm for each element, which only the scalar library has; the products around it take far longer.
        private double JensenShannon(float* student, float* teacher, float shift, float teacherShift, out double mean)
        {
            double sum = 0;
            mean = 0;
            for (int i = 0; i < vocabulary; i++)
            {
                double lnQ = (double)student[i] - shift, lnP = (double)teacher[i] - teacherShift;
                double middle = Math.Max(lnP, lnQ) + Math.Log((1 + Math.Exp(-Math.Abs(lnP - lnQ))) / 2);
                double toMiddle = Math.Exp(lnQ) * (lnQ - middle);
                sum += (Math.Exp(lnP) * (lnP - middle) + toMiddle) / 2;
                mean += toMiddle / 2;
                teacher[i] = (float)((lnQ - middle) / 2);
            }
            return sum;
        }

        /// <summary>Gradients from the derivatives by probability that replaced the teacher's logits:
        /// <c>q (g - mean)</c>.</summary>
        [MethodImpl(AggressiveOptimization)]
        private void Weigh<W, V>(float* student, float* slopes, float shift, float mean, float factor, ref int i)
            where W : struct, IWidth<V> where V : struct
        {
            V s = W.Broadcast(shift), f = W.Broadcast(factor), m = W.Broadcast(mean);
            for (; i <= vocabulary - W.Count; i += W.Count)
            {
                V e = W.Exp(W.Subtract(W.Load(student + i), s));
                W.Store(W.Multiply(f, W.Multiply(e, W.Subtract(W.Load(slopes + i), m))), student + i);
            }
        }
    }
}
