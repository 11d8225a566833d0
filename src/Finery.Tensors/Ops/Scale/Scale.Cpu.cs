using System.Runtime.CompilerServices;

namespace Finery.Tensors;

public sealed partial class CpuKernels
{
    private protected override void ScaleCore(Tensor x, float factor, Tensor y, Tensor? addend)
    {
        if (x.Type == DType.BF16) ScaleFrom<BFloat16Element>(x, factor, y, addend);
        else ScaleFrom<FloatElement>(x, factor, y, addend);
    }

    private void ScaleFrom<S>(Tensor x, float factor, Tensor y, Tensor? addend) where S : unmanaged, IElement<S>
    {
        if (y.Type == DType.BF16) Scale<S, BFloat16Element>(x, factor, y, addend);
        else Scale<S, FloatElement>(x, factor, y, addend);
    }

    private unsafe void Scale<S, D>(Tensor x, float factor, Tensor y, Tensor? addend)
        where S : unmanaged, IElement<S> where D : unmanaged, IElement<D> => _pool.For(x.Rows, new ScaleBody<S, D>(
            x.Elements<S>(), factor, addend is null ? null : addend.FloatPointer, y.Elements<D>(), x.Columns), RowGrain);

    private readonly unsafe struct ScaleBody<S, D>(S* x, float factor, float* addend, D* y, int columns) : IVectorBody
        where S : unmanaged, IElement<S> where D : unmanaged, IElement<D>
    {
        public void Run<W, V>(int index, int worker) where W : struct, IWidth<V> where V : struct
        {
            long start = (long)index * columns;
            int done = Row<W, V>(start, 0);
            Row<Scalar, float>(start, done);
        }

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private int Row<W, V>(long start, int from) where W : struct, IWidth<V> where V : struct
        {
            V factors = W.Broadcast(factor);
            for (; from <= columns - W.Count; from += W.Count)
            {
                V value = S.Load<W, V>(x + start + from);
                value = addend == null
                    ? W.Multiply(value, factors)
                    : W.MultiplyAdd(value, factors, W.Load(addend + start + from));
                D.Store<W, V>(value, y + start + from);
            }
            return from;
        }
    }
}
