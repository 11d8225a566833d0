using System.Runtime.CompilerServices;
using static System.Runtime.CompilerServices.MethodImplOptions;

namespace Finery.Tensors;

/// <summary>Passes over one row of logits that is seen at two temperatures.</summary>
internal static unsafe class TemperedRow
{
    // Partial sums in single precision are this long; their sum is in double.
    private const int Block = 1024;

    /// <summary>Sum of <c>exp((row[i] - max) / temperature)</c>.</summary>
    public static double ExpSum(float* row, int length, float max, float temperature)
    {
        double total = 0;
        for (int start = 0; start < length; start += Block)
        {
            float partial = 0;
            Widths.Run(new Sums(row + start, Math.Min(Block, length - start), max, 1 / temperature, &partial));
            total += partial;
        }
        return total;
    }

    /// <summary>Replaces the row by <c>hard exp(z - max) + soft exp((z - max) / temperature)</c>, times the slope of a softcap.</summary>
    public static void Gradient(float* row, int length, float max, float hard, float soft, SparseTargetOptions options) =>
        Widths.Run(new Slopes(row, length, max, hard, soft, options));

    private readonly struct Sums(float* row, int length, float max, float inverse, float* total) : IVectorBody
    {
        public void Run<W, V>(int index, int worker) where W : struct, IWidth<V> where V : struct
        {
            int i = 0;
            *total = Rest<W, V>(ref i);
            *total += Rest<Scalar, float>(ref i);
        }

        [MethodImpl(AggressiveOptimization)]
        private float Rest<W, V>(ref int i) where W : struct, IWidth<V> where V : struct
        {
            V shift = W.Broadcast(max), scale = W.Broadcast(inverse), sum = W.Broadcast(0);
            for (; i <= length - W.Count; i += W.Count)
                sum = W.Add(sum, W.Exp(W.Multiply(scale, W.Subtract(W.Load(row + i), shift))));
            return W.Sum(sum);
        }
    }

    private readonly struct Slopes(float* row, int length, float max, float hard, float soft, SparseTargetOptions options) : IVectorBody
    {
        public void Run<W, V>(int index, int worker) where W : struct, IWidth<V> where V : struct
        {
            int i = 0;
            Rest<W, V>(ref i);
            Rest<Scalar, float>(ref i);
        }

        [MethodImpl(AggressiveOptimization)]
        private void Rest<W, V>(ref int i) where W : struct, IWidth<V> where V : struct
        {
            V shift = W.Broadcast(max), scale = W.Broadcast(1 / options.Temperature), a = W.Broadcast(hard), b = W.Broadcast(soft);
            float cap = options.Head.Softcap;
            bool tanh = options.Head.Curve == SoftcapCurve.Tanh;
            V one = W.Broadcast(1), zero = W.Broadcast(0), inverse = W.Broadcast(cap > 0 ? 1 / cap : 0);
            for (; i <= length - W.Count; i += W.Count)
            {
                V z = W.Load(row + i), below = W.Subtract(z, shift);
                V slope = W.Multiply(a, W.Exp(below));
                slope = W.MultiplyAdd(b, W.Exp(W.Multiply(scale, below)), slope);
                if (cap > 0)
                {
                    V u = W.Multiply(z, inverse);
                    V slack = W.Max(zero, W.Multiply(W.Subtract(one, u), W.Add(one, u)));
                    slope = W.Multiply(slope, tanh ? slack : W.Multiply(slack, W.Sqrt(slack)));
                }
                W.Store(slope, row + i);
            }
        }
    }
}
