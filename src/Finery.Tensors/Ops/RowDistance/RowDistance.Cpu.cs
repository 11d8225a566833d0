using System.Runtime.CompilerServices;

namespace Finery.Tensors;

public sealed unsafe partial class CpuKernels
{
    private protected override void RowDistanceCore(
        Tensor y, Tensor target, Tensor tokenWeights, RowMeasure measure, Tensor losses, Tensor? dy) => _pool.For(
            y.Rows,
            new RowDistanceBody(
                y.FloatPointer, target.FloatPointer, tokenWeights.FloatPointer, measure, losses.FloatPointer,
                dy is null ? null : dy.FloatPointer, y.Columns),
            RowGrain);

    private readonly struct RowDistanceBody(
        float* ys, float* targets, float* tokenWeights, RowMeasure measure, float* losses, float* gradients, int D) : IVectorBody
    {
        // Partial sums in single precision are this long; their sum is in double.
        private const int Block = 256;

        public void Run<W, V>(int index, int worker) where W : struct, IWidth<V> where V : struct
        {
            float* y = ys + (long)index * D, t = targets + (long)index * D;
            float* dy = gradients == null ? null : gradients + (long)index * D;
            float weight = tokenWeights[index];
            if (weight == 0)
            {
                losses[index] = 0;
                if (dy != null) new Span<float>(dy, D).Clear();
                return;
            }
            double first = 0, second = 0, product = 0;
            for (int start = 0; start < D; start += Block)
            {
                int count = Math.Min(Block, D - start), done = 0;
                Add<W, V>(y + start, t + start, count, ref done, ref first, ref second, ref product);
                Add<Scalar, float>(y + start, t + start, count, ref done, ref first, ref second, ref product);
            }
            float along, across; // dy = along y + across t
            if (measure == RowMeasure.Square)
            {
                losses[index] = (float)(first / D);
                along = 2 * weight / D;
                across = -along;
            }
            else
            {
                double norms = Math.Sqrt(first) * Math.Sqrt(second);
                bool flat = norms == 0;
                losses[index] = flat ? 1 : (float)(1 - product / norms);
                along = flat ? 0 : (float)(weight * product / (first * norms));
                across = flat ? 0 : (float)(-weight / norms);
            }
            if (dy == null) return;
            int from = 0;
            Slope<W, V>(y, t, dy, along, across, ref from);
            Slope<Scalar, float>(y, t, dy, along, across, ref from);
        }

        /// <summary>Squares of the difference; or of both rows, and their product.</summary>
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private void Add<W, V>(float* y, float* t, int count, ref int i, ref double first, ref double second, ref double product)
            where W : struct, IWidth<V> where V : struct
        {
            V a = W.Broadcast(0), b = a, c = a;
            for (; i <= count - W.Count; i += W.Count)
            {
                V u = W.Load(y + i), v = W.Load(t + i);
                if (measure == RowMeasure.Square)
                {
                    u = W.Subtract(u, v);
                    a = W.MultiplyAdd(u, u, a);
                    continue;
                }
                a = W.MultiplyAdd(u, u, a);
                b = W.MultiplyAdd(v, v, b);
                c = W.MultiplyAdd(u, v, c);
            }
            first += W.Sum(a);
            second += W.Sum(b);
            product += W.Sum(c);
        }

        // Squares by way of the difference, which is exactly zero for equal rows.
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private void Slope<W, V>(float* y, float* t, float* dy, float along, float across, ref int i)
            where W : struct, IWidth<V> where V : struct
        {
            V f = W.Broadcast(along), g = W.Broadcast(across);
            for (; i <= D - W.Count; i += W.Count)
            {
                V u = W.Load(y + i), v = W.Load(t + i);
                V slope = measure == RowMeasure.Square ? W.Multiply(f, W.Subtract(u, v)) : W.Add(W.Multiply(f, u), W.Multiply(g, v));
                W.Store(slope, dy + i);
            }
        }
    }
}
