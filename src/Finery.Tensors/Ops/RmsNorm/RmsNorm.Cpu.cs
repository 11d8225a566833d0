using System.Runtime.CompilerServices;

namespace Finery.Tensors;

public sealed partial class CpuKernels
{
    // Rows whose weight gradients are summed together before the blocks' sums are, in order: fixed, so that threads change nothing.
    private const int NormBlock = 64;

    private readonly Scratch _normScratch = new();

    private protected override void RmsNormForwardCore(
        Tensor h, Tensor? x, Tensor weight, float epsilon, Tensor residual, Tensor scale, Tensor y)
    {
        if (y.Type == DType.BF16) RmsNormForward<BFloat16Element>(h, x, weight, epsilon, residual, scale, y);
        else RmsNormForward<FloatElement>(h, x, weight, epsilon, residual, scale, y);
    }

    private protected override void RmsNormBackwardCore(
        Tensor dy, Tensor residual, Tensor scale, Tensor weight, Tensor dResidual, Tensor? dWeight, bool accumulate)
    {
        if (dy.Type == DType.BF16) RmsNormBackward<BFloat16Element>(dy, residual, scale, weight, dResidual, dWeight, accumulate);
        else RmsNormBackward<FloatElement>(dy, residual, scale, weight, dResidual, dWeight, accumulate);
    }

    private unsafe void RmsNormForward<E>(
        Tensor h, Tensor? x, Tensor weight, float epsilon, Tensor residual, Tensor scale, Tensor y) where E : unmanaged, IElement<E> =>
        _pool.For(h.Rows, new RmsNormForwardBody<E>(h.FloatPointer, x is null ? null : x.Elements<E>(), weight.FloatPointer, epsilon,
            residual.FloatPointer, scale.FloatPointer, y.Elements<E>(), h.Columns), RowGrain);

    private unsafe void RmsNormBackward<E>(
        Tensor dy, Tensor residual, Tensor scale, Tensor weight, Tensor dResidual, Tensor? dWeight, bool accumulate)
        where E : unmanaged, IElement<E>
    {
        int N = dy.Rows, D = dy.Columns, blocks = (N + NormBlock - 1) / NormBlock;
        float* partials = _normScratch.Floats((long)blocks * D);
        _pool.For(blocks, new RmsNormBackwardBody<E>(dy.Elements<E>(), residual.FloatPointer, scale.FloatPointer, weight.FloatPointer,
            dResidual.FloatPointer, partials, accumulate, N, D), grain: 1);
        if (dWeight is null) return;
        var sums = dWeight.Floats;
        for (int block = 0; block < blocks; block++)
        {
            for (int d = 0; d < D; d++) sums[d] += partials[(long)block * D + d];
        }
    }

    private readonly unsafe struct RmsNormForwardBody<E>(
        float* h, E* x, float* weight, float epsilon, float* residual, float* scale, E* y, int D) : IVectorBody
        where E : unmanaged, IElement<E>
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Run<W, V>(int index, int worker) where W : struct, IWidth<V> where V : struct
        {
            long start = (long)index * D;
            float* stream = residual + start;
            V even = W.Broadcast(0), odd = even;
            float squares = 0;
            int d = 0;
            for (; d <= D - 2 * W.Count; d += 2 * W.Count)
            {
                V a = W.Load(h + start + d), b = W.Load(h + start + d + W.Count);
                if (x != null)
                {
                    a = W.Add(a, E.Load<W, V>(x + start + d));
                    b = W.Add(b, E.Load<W, V>(x + start + d + W.Count));
                }
                W.Store(a, stream + d);
                W.Store(b, stream + d + W.Count);
                even = W.MultiplyAdd(a, a, even);
                odd = W.MultiplyAdd(b, b, odd);
            }
            for (; d < D; d++)
            {
                stream[d] = x == null ? h[start + d] : h[start + d] + E.Load<Scalar, float>(x + start + d);
                squares += stream[d] * stream[d];
            }
            squares += W.Sum(W.Add(even, odd));
            float r = 1 / MathF.Sqrt(squares / D + epsilon);
            scale[index] = r;
            V factor = W.Broadcast(r);
            for (d = 0; d <= D - W.Count; d += W.Count)
            {
                V normalized = E.Round<W, V>(W.Multiply(W.Load(stream + d), factor));
                E.Store<W, V>(W.Multiply(normalized, W.Load(weight + d)), y + start + d);
            }
            for (; d < D; d++) E.Store<Scalar, float>(E.Round<Scalar, float>(stream[d] * r) * weight[d], y + start + d);
        }
    }

    private readonly unsafe struct RmsNormBackwardBody<E>(
        E* dy, float* residual, float* scale, float* weight, float* dResidual, float* partials, bool accumulate, int N, int D) : IVectorBody
        where E : unmanaged, IElement<E>
    {
        public void Run<W, V>(int index, int worker) where W : struct, IWidth<V> where V : struct
        {
            float* sums = partials + (long)index * D;
            new Span<float>(sums, D).Clear();
            int end = Math.Min(N, (index + 1) * NormBlock);
            for (int row = index * NormBlock; row < end; row++)
            {
                long start = (long)row * D;
                Row<W, V>(dy + start, residual + start, scale[row], dResidual + start, sums);
            }
        }

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private void Row<W, V>(E* gradient, float* stream, float r, float* destination, float* sums)
            where W : struct, IWidth<V> where V : struct
        {
            V factor = W.Broadcast(r), projections = W.Broadcast(0);
            float projection = 0;
            int d = 0;
            for (; d <= D - W.Count; d += W.Count)
            {
                V product = W.Multiply(E.Load<W, V>(gradient + d), W.Load(stream + d));
                projections = W.MultiplyAdd(product, W.Load(weight + d), projections);
                W.Store(W.MultiplyAdd(product, factor, W.Load(sums + d)), sums + d);
            }
            for (; d < D; d++)
            {
                float product = E.Load<Scalar, float>(gradient + d) * stream[d];
                projection += product * weight[d];
                sums[d] += product * r;
            }
            float pull = (projection + W.Sum(projections)) / D * r * r * r;
            V pulls = W.Broadcast(-pull);
            for (d = 0; d <= D - W.Count; d += W.Count)
            {
                V scaled = W.Multiply(E.Load<W, V>(gradient + d), W.Load(weight + d));
                V value = W.MultiplyAdd(scaled, factor, W.Multiply(W.Load(stream + d), pulls));
                W.Store(accumulate ? W.Add(W.Load(destination + d), value) : value, destination + d);
            }
            for (; d < D; d++)
            {
                float value = E.Load<Scalar, float>(gradient + d) * weight[d] * r - stream[d] * pull;
                destination[d] = accumulate ? destination[d] + value : value;
            }
        }
    }
}
