using System.Runtime.CompilerServices;

namespace Finery.Tensors;

public sealed partial class CpuKernels
{
    private protected override void RopeCore(
        Tensor qkv, Tensor positions, Tensor cos, Tensor sin, AttentionShape shape, bool inverse)
    {
        if (qkv.Type == DType.BF16) Rope<BFloat16Element>(qkv, positions, cos, sin, shape, inverse);
        else Rope<FloatElement>(qkv, positions, cos, sin, shape, inverse);
    }

    private unsafe void Rope<E>(Tensor qkv, Tensor positions, Tensor cos, Tensor sin, AttentionShape shape, bool inverse)
        where E : unmanaged, IElement<E> => _pool.For(qkv.Rows, new RopeBody<E>(
            qkv.Elements<E>(), positions.IntegerPointer, cos.FloatPointer, sin.FloatPointer, shape, inverse ? -1 : 1), RowGrain);

    private readonly unsafe struct RopeBody<E>(
        E* qkv, int* positions, float* cos, float* sin, AttentionShape shape, float direction) : IVectorBody
        where E : unmanaged, IElement<E>
    {
        public void Run<W, V>(int index, int worker) where W : struct, IWidth<V> where V : struct
        {
            int half = shape.HeadSize / 2, heads = shape.HeadCount + shape.KvHeadCount;
            E* row = qkv + (long)index * shape.QkvColumns;
            long table = (long)positions[index] * half;
            int done = Rotate<W, V>(row, heads, half, 0, cos + table, sin + table, direction);
            Rotate<Scalar, float>(row, heads, half, done, cos + table, sin + table, direction);
        }

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private static int Rotate<W, V>(E* row, int heads, int half, int from, float* cos, float* sin, float direction)
            where W : struct, IWidth<V> where V : struct
        {
            for (; from <= half - W.Count; from += W.Count)
            {
                V c = W.Load(cos + from), s = W.Multiply(W.Broadcast(direction), W.Load(sin + from));
                E* x = row + from;
                for (int head = 0; head < heads; head++, x += 2 * half)
                {
                    V first = E.Load<W, V>(x), second = E.Load<W, V>(x + half);
                    E.Store<W, V>(W.Subtract(W.Multiply(first, c), W.Multiply(second, s)), x);
                    E.Store<W, V>(W.MultiplyAdd(second, c, W.Multiply(first, s)), x + half);
                }
            }
            return from;
        }
    }
}
