using System.Runtime.CompilerServices;
using static System.Runtime.CompilerServices.MethodImplOptions;

namespace Finery.Tensors;

public sealed partial class CpuKernels
{
    private protected override unsafe void SwiGluForwardCore(Tensor gateUp, Tensor y) =>
        _pool.For(y.Rows, new SwiGluForwardBody(gateUp.FloatPointer, y.FloatPointer, y.Columns), RowGrain);

    private protected override unsafe void SwiGluBackwardCore(Tensor dy, Tensor gateUp, Tensor dGateUp) => _pool.For(
        dy.Rows, new SwiGluBackwardBody(dy.FloatPointer, gateUp.FloatPointer, dGateUp.FloatPointer, dy.Columns), RowGrain);

    private readonly unsafe struct SwiGluForwardBody(float* gateUp, float* y, int F) : IVectorBody
    {
        public void Run<W, V>(int index, int worker) where W : struct, IWidth<V> where V : struct
        {
            long row = index;
            int done = Columns<W, V>(gateUp + 2 * row * F, y + row * F, 0, F);
            Columns<Scalar, float>(gateUp + 2 * row * F, y + row * F, done, F);
        }

        [MethodImpl(AggressiveOptimization)]
        private static int Columns<W, V>(float* gate, float* y, int from, int F) where W : struct, IWidth<V> where V : struct
        {
            float* up = gate + F;
            for (; from <= F - W.Count; from += W.Count)
            {
                V g = W.Load(gate + from);
                W.Store(W.Multiply(W.Multiply(g, Sigmoid<W, V>(g)), W.Load(up + from)), y + from);
            }
            return from;
        }
    }

    private readonly unsafe struct SwiGluBackwardBody(float* dy, float* gateUp, float* dGateUp, int F) : IVectorBody
    {
        public void Run<W, V>(int index, int worker) where W : struct, IWidth<V> where V : struct
        {
            long row = index;
            int done = Columns<W, V>(dy + row * F, gateUp + 2 * row * F, dGateUp + 2 * row * F, 0, F);
            Columns<Scalar, float>(dy + row * F, gateUp + 2 * row * F, dGateUp + 2 * row * F, done, F);
        }

        [MethodImpl(AggressiveOptimization)]
        private static int Columns<W, V>(float* dy, float* gate, float* dGate, int from, int F)
            where W : struct, IWidth<V> where V : struct
        {
            V one = W.Broadcast(1);
            for (; from <= F - W.Count; from += W.Count)
            {
                V gradient = W.Load(dy + from), g = W.Load(gate + from), u = W.Load(gate + F + from);
                V s = Sigmoid<W, V>(g), silu = W.Multiply(g, s);
                // s (1 + g (1 - s)) = s + silu (1 - s)
                V slope = W.MultiplyAdd(silu, W.Subtract(one, s), s);
                W.Store(W.Multiply(W.Multiply(gradient, u), slope), dGate + from);
                W.Store(W.Multiply(gradient, silu), dGate + F + from);
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
