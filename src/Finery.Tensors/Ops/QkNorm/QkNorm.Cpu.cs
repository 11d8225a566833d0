using System.Runtime.CompilerServices;

namespace Finery.Tensors;

public sealed partial class CpuKernels
{
    private protected override void QkNormForwardCore(
        Tensor qkv, Tensor queryGain, Tensor keyGain, float epsilon, AttentionShape shape, Tensor? before, Tensor? scale)
    {
        if (qkv.Type == DType.BF16) QkNormForward<BFloat16Element>(qkv, queryGain, keyGain, epsilon, shape, before, scale);
        else QkNormForward<FloatElement>(qkv, queryGain, keyGain, epsilon, shape, before, scale);
    }

    private protected override void QkNormBackwardCore(
        Tensor dQkv, Tensor before, Tensor scale, Tensor queryGain, Tensor keyGain, AttentionShape shape,
        Tensor? dQueryGain, Tensor? dKeyGain)
    {
        if (dQkv.Type == DType.BF16)
            QkNormBackward<BFloat16Element>(dQkv, before, scale, queryGain, keyGain, shape, dQueryGain, dKeyGain);
        else QkNormBackward<FloatElement>(dQkv, before, scale, queryGain, keyGain, shape, dQueryGain, dKeyGain);
    }

    private unsafe void QkNormForward<E>(
        Tensor qkv, Tensor queryGain, Tensor keyGain, float epsilon, AttentionShape shape, Tensor? before, Tensor? scale)
        where E : unmanaged, IElement<E> => _pool.For(qkv.Rows, new QkNormForwardBody<E>(
            qkv.Elements<E>(), queryGain.FloatPointer, keyGain.FloatPointer, epsilon, shape,
            before is null ? null : before.Elements<E>(), scale is null ? null : scale.FloatPointer), RowGrain);

    private unsafe void QkNormBackward<E>(
        Tensor dQkv, Tensor before, Tensor scale, Tensor queryGain, Tensor keyGain, AttentionShape shape,
        Tensor? dQueryGain, Tensor? dKeyGain) where E : unmanaged, IElement<E>
    {
        int N = dQkv.Rows, HS = shape.HeadSize, blocks = (N + NormBlock - 1) / NormBlock;
        float* partials = _normScratch.Floats(2L * blocks * HS);
        _pool.For(blocks, new QkNormBackwardBody<E>(
            dQkv.Elements<E>(), before.Elements<E>(), scale.FloatPointer, queryGain.FloatPointer, keyGain.FloatPointer, shape,
            partials, N), grain: 1);
        for (int block = 0; block < blocks; block++)
        {
            float* sums = partials + 2L * block * HS;
            for (int d = 0; d < HS && dQueryGain is not null; d++) dQueryGain.FloatPointer[d] += sums[d];
            for (int d = 0; d < HS && dKeyGain is not null; d++) dKeyGain.FloatPointer[d] += sums[HS + d];
        }
    }

    private readonly unsafe struct QkNormForwardBody<E>(
        E* qkv, float* queryGain, float* keyGain, float epsilon, AttentionShape shape, E* before, float* scale) : IVectorBody
        where E : unmanaged, IElement<E>
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Run<W, V>(int index, int worker) where W : struct, IWidth<V> where V : struct
        {
            int HS = shape.HeadSize, heads = shape.HeadCount + shape.KvHeadCount;
            E* x = qkv + (long)index * shape.QkvColumns;
            if (before != null)
                new ReadOnlySpan<E>(x, shape.ValueOffset).CopyTo(new(before + (long)index * shape.ValueOffset, shape.ValueOffset));
            for (int head = 0; head < heads; head++, x += HS)
            {
                float* gain = head < shape.HeadCount ? queryGain : keyGain;
                float r = 1 / MathF.Sqrt(AttentionTiles.Dot<W, V, E>(x, x, HS) / HS + epsilon);
                if (scale != null) scale[(long)index * heads + head] = r;
                V factor = W.Broadcast(r);
                int d = 0;
                for (; d <= HS - W.Count; d += W.Count)
                {
                    V normalized = E.Round<W, V>(W.Multiply(E.Load<W, V>(x + d), factor));
                    E.Store<W, V>(W.Multiply(normalized, W.Load(gain + d)), x + d);
                }
                for (; d < HS; d++)
                    E.Store<Scalar, float>(E.Round<Scalar, float>(E.Load<Scalar, float>(x + d) * r) * gain[d], x + d);
            }
        }
    }

    private readonly unsafe struct QkNormBackwardBody<E>(
        E* dQkv, E* before, float* scale, float* queryGain, float* keyGain, AttentionShape shape, float* partials, int N) : IVectorBody
        where E : unmanaged, IElement<E>
    {
        public void Run<W, V>(int index, int worker) where W : struct, IWidth<V> where V : struct
        {
            int HS = shape.HeadSize, heads = shape.HeadCount + shape.KvHeadCount;
            float* sums = partials + 2L * index * HS;
            new Span<float>(sums, 2 * HS).Clear();
            int end = Math.Min(N, (index + 1) * NormBlock);
            for (int row = index * NormBlock; row < end; row++)
            {
                E* dy = dQkv + (long)row * shape.QkvColumns, x = before + (long)row * shape.ValueOffset;
                for (int head = 0; head < heads; head++, dy += HS, x += HS)
                {
                    bool isQuery = head < shape.HeadCount;
                    Head<W, V>(dy, x, scale[(long)row * heads + head], isQuery ? queryGain : keyGain, isQuery ? sums : sums + HS, HS);
                }
            }
        }

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private static void Head<W, V>(E* dy, E* x, float r, float* gain, float* sums, int HS) where W : struct, IWidth<V> where V : struct
        {
            V factor = W.Broadcast(r), projections = W.Broadcast(0);
            float projection = 0;
            int d = 0;
            for (; d <= HS - W.Count; d += W.Count)
            {
                V product = W.Multiply(E.Load<W, V>(dy + d), E.Load<W, V>(x + d));
                projections = W.MultiplyAdd(product, W.Load(gain + d), projections);
                W.Store(W.MultiplyAdd(product, factor, W.Load(sums + d)), sums + d);
            }
            for (; d < HS; d++)
            {
                float product = E.Load<Scalar, float>(dy + d) * E.Load<Scalar, float>(x + d);
                projection += product * gain[d];
                sums[d] += product * r;
            }
            float pull = (projection + W.Sum(projections)) / HS * r * r * r;
            V pulls = W.Broadcast(-pull);
            for (d = 0; d <= HS - W.Count; d += W.Count)
            {
                V scaled = W.Multiply(W.Multiply(E.Load<W, V>(dy + d), W.Load(gain + d)), factor);
                E.Store<W, V>(W.MultiplyAdd(E.Load<W, V>(x + d), pulls, scaled), dy + d);
            }
            for (; d < HS; d++)
            {
                float value = E.Load<Scalar, float>(dy + d) * gain[d] * r - E.Load<Scalar, float>(x + d) * pull;
                E.Store<Scalar, float>(value, dy + d);
            }
        }
    }
}
