using System.Runtime.CompilerServices;
using static System.Runtime.CompilerServices.MethodImplOptions;

namespace Finery.Tensors;

/// <summary>Passes over one row of logits with a softcap.</summary>
internal static unsafe class SoftcapRow
{
    // Beyond this the inverse square root unit is flat, and squares overflow.
    private const float Flat = 1e9f;

    /// <summary>Bounds the row in place. NaN stays NaN.</summary>
    public static void Apply(float* row, int length, CrossEntropyOptions options)
    {
        if (options.Curve == SoftcapCurve.Tanh) Widths.Run(new Tanh(row, length, options.Softcap));
        else Widths.Run(new InverseSquareRoot(row, length, options.Softcap));
    }

    /// <summary>Replaces bounded logits by <c>factor exp(z - max)</c> times the slope of the bound.</summary>
    public static void Gradient(float* row, int length, float max, float factor, CrossEntropyOptions options) =>
        Widths.Run(new Slopes(row, length, max, factor, options.Softcap, options.Curve == SoftcapCurve.Tanh));

    private readonly struct Tanh(float* row, int length, float cap) : IVectorBody
    {
        public void Run<W, V>(int index, int worker) where W : struct, IWidth<V> where V : struct =>
            Rest<Scalar, float>(Rest<W, V>(0));

        [MethodImpl(AggressiveOptimization)]
        private int Rest<W, V>(int i) where W : struct, IWidth<V> where V : struct
        {
            // tanh(u) = 1 - 2 / (e^(2u) + 1): exact to one rounding of 1, that is of the cap.
            V scale = W.Broadcast(2 / cap), c = W.Broadcast(cap), twice = W.Broadcast(-2 * cap), one = W.Broadcast(1);
            for (; i <= length - W.Count; i += W.Count)
            {
                V e = W.Exp(W.Multiply(W.Load(row + i), scale));
                W.Store(W.Add(c, W.Divide(twice, W.Add(e, one))), row + i);
            }
            return i;
        }
    }

    private readonly struct InverseSquareRoot(float* row, int length, float cap) : IVectorBody
    {
        public void Run<W, V>(int index, int worker) where W : struct, IWidth<V> where V : struct =>
            Rest<Scalar, float>(Rest<W, V>(0));

        [MethodImpl(AggressiveOptimization)]
        private int Rest<W, V>(int i) where W : struct, IWidth<V> where V : struct
        {
            V scale = W.Broadcast(1 / cap), c = W.Broadcast(cap), one = W.Broadcast(1), least = W.Broadcast(-Flat), minus = W.Broadcast(-1);
            for (; i <= length - W.Count; i += W.Count)
            {
                V u = W.Max(least, W.Multiply(W.Load(row + i), scale));
                u = W.Multiply(minus, W.Max(least, W.Multiply(minus, u)));
                W.Store(W.Multiply(c, W.Divide(u, W.Sqrt(W.MultiplyAdd(u, u, one)))), row + i);
            }
            return i;
        }
    }

    private readonly struct Slopes(float* row, int length, float max, float factor, float cap, bool tanh) : IVectorBody
    {
        public void Run<W, V>(int index, int worker) where W : struct, IWidth<V> where V : struct =>
            Rest<Scalar, float>(Rest<W, V>(0));

        [MethodImpl(AggressiveOptimization)]
        private int Rest<W, V>(int i) where W : struct, IWidth<V> where V : struct
        {
            V scale = W.Broadcast(1 / cap), shift = W.Broadcast(max), f = W.Broadcast(factor), one = W.Broadcast(1), zero = W.Broadcast(0);
            for (; i <= length - W.Count; i += W.Count)
            {
                V z = W.Load(row + i), u = W.Multiply(z, scale);
                // Not below zero, whose root would be NaN; 1 - u^2 without cancellation.
                V slack = W.Max(zero, W.Multiply(W.Subtract(one, u), W.Add(one, u)));
                V slope = tanh ? slack : W.Multiply(slack, W.Sqrt(slack));
                W.Store(W.Multiply(W.Multiply(f, W.Exp(W.Subtract(z, shift))), slope), row + i);
            }
            return i;
        }
    }
}
