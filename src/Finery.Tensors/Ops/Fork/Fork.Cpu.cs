using System.Runtime.CompilerServices;

namespace Finery.Tensors;

public sealed unsafe partial class CpuKernels
{
    private protected override void ForkForwardCore(Tensor h, Tensor? keep, Tensor y) => _pool.For(
        h.Rows, new ForkBody(h.FloatPointer, keep is null ? null : keep.IntegerPointer, y.FloatPointer, h.Columns, add: false), RowGrain);

    private protected override void ForkBackwardCore(Tensor dy, Tensor? keep, Tensor dh) => _pool.For(
        dy.Rows, new ForkBody(dy.FloatPointer, keep is null ? null : keep.IntegerPointer, dh.FloatPointer, dy.Columns, add: true), RowGrain);

    private readonly struct ForkBody(float* source, int* keep, float* destination, int columns, bool add) : IVectorBody
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Run<W, V>(int index, int worker) where W : struct, IWidth<V> where V : struct
        {
            float* from = source + (long)index * columns, to = destination + (long)index * columns;
            if (keep != null && keep[index] == 0)
            {
                if (!add) new Span<float>(to, columns).Clear();
                return;
            }
            if (!add)
            {
                new ReadOnlySpan<float>(from, columns).CopyTo(new(to, columns));
                return;
            }
            int i = 0;
            for (; i <= columns - W.Count; i += W.Count) W.Store(W.Add(W.Load(to + i), W.Load(from + i)), to + i);
            for (; i < columns; i++) to[i] += from[i];
        }
    }
}
