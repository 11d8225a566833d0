using System.Runtime.CompilerServices;
using static System.Runtime.CompilerServices.MethodImplOptions;

namespace Finery.Tensors;

public sealed partial class CpuKernels
{
    private protected override void SwiGluForwardCore(Tensor gateUp, Tensor y)
    {
        if (y.Type == DType.BF16) SwiGluForward<BFloat16Element>(gateUp, y);
        else SwiGluForward<FloatElement>(gateUp, y);
    }

    private protected override void SwiGluBackwardCore(Tensor dy, Tensor gateUp, Tensor dGateUp)
    {
        if (dy.Type == DType.BF16) SwiGluBackward<BFloat16Element>(dy, gateUp, dGateUp);
        else SwiGluBackward<FloatElement>(dy, gateUp, dGateUp);
    }

    private unsafe void SwiGluForward<E>(Tensor gateUp, Tensor y) where E : unmanaged, IElement<E> =>
        _pool.For(y.Rows, new SwiGluForwardBody<E>(gateUp.Elements<E>(), y.Elements<E>(), y.Columns), RowGrain);

    private unsafe void SwiGluBackward<E>(Tensor dy, Tensor gateUp, Tensor dGateUp) where E : unmanaged, IElement<E> => _pool.For(
        dy.Rows, new SwiGluBackwardBody<E>(dy.Elements<E>(), gateUp.Elements<E>(), dGateUp.Elements<E>(), dy.Columns), RowGrain);

    private readonly unsafe struct SwiGluForwardBody<E>(E* gateUp, E* y, int F) : IVectorBody where E : unmanaged, IElement<E>
    {
        public void Run<W, V>(int index, int worker) where W : struct, IWidth<V> where V : struct
        {
            long row = index;
            int done = Columns<W, V>(gateUp + 2 * row * F, y + row * F, 0, F);
            Columns<Scalar, float>(gateUp + 2 * row * F, y + row * F, done, F);
        }

        [MethodImpl(AggressiveOptimization)]
        private static int Columns<W, V>(E* gate, E* y, int from, int F) where W : struct, IWidth<V> where V : struct
        {
            E* up = gate + F;
            for (; from <= F - W.Count; from += W.Count)
            {
                V g = E.Load<W, V>(gate + from);
                E.Store<W, V>(W.Multiply(W.Multiply(g, Sigmoid<W, V>(g)), E.Load<W, V>(up + from)), y + from);
            }
            return from;
        }
    }

    private readonly unsafe struct SwiGluBackwardBody<E>(E* dy, E* gateUp, E* dGateUp, int F) : IVectorBody
        where E : unmanaged, IElement<E>
    {
        public void Run<W, V>(int index, int worker) where W : struct, IWidth<V> where V : struct
        {
            long row = index;
            int done = Columns<W, V>(dy + row * F, gateUp + 2 * row * F, dGateUp + 2 * row * F, 0, F);
            Columns<Scalar, float>(dy + row * F, gateUp + 2 * row * F, dGateUp + 2 * row * F, done, F);
        }

        [MethodImpl(AggressiveOptimization)]
        private static int Columns<W, V>(E* dy, E* gate, E* dGate, int from, int F)
            where W : struct, IWidth<V> where V : struct
        {
            V one = W.Broadcast(1);
            for (; from <= F - W.Count; from += W.Count)
            {
                V gradient = E.Load<W, V>(dy + from), g = E.Load<W, V>(gate + from), u = E.Load<W, V>(gate + F + from);
                V s = Sigmoid<W, V>(g), silu = W.Multiply(g, s);
                // s (1 + g (1 - s)) = s + silu (1 - s)
                V slope = W.MultiplyAdd(silu, W.Subtract(one, s), s);
                E.Store<W, V>(W.Multiply(W.Multiply(gradient, u), slope), dGate + from);
                E.Store<W, V>(W.Multiply(gradient, silu), dGate + F + from);
            }
            return from;
        }
    }

    [MethodImpl(AggressiveInlining)]
    private static V Sigmoid<W, V>(V x) where W : struct, IWidth<V> where V : struct
    {
        V one = W.Broadcast(1);
        return W.Divide(one, W.Add(one, W.Exp(W.Subtract(W.Broadcast(0), x))));
    }
}
