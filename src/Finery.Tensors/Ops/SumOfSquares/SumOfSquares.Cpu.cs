using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Finery.Tensors;

public sealed unsafe partial class CpuKernels
{
    private readonly Scratch _squares = new();

    private protected override double SumOfSquaresCore(Tensor tensor)
    {
        int blocks = (int)((tensor.Length + BlockSquares.Block - 1) / BlockSquares.Block);
        double* sums = (double*)_squares.Floats(2L * blocks);
        _pool.For(blocks, new BlockSquares(tensor.FloatPointer, tensor.Length, sums));
        double total = 0;
        for (int i = 0; i < blocks; i++) total += sums[i];
        return total;
    }

    /// <summary>The sum of the squares of one block.</summary>
    private readonly struct BlockSquares(float* data, long length, double* sums) : IParallelBody
    {
        public const int Block = 1 << 12;

        public void Run(int task, int worker)
        {
            long start = (long)task * Block, end = Math.Min(length, start + Block);
            sums[task] = Vector256.IsHardwareAccelerated ? Sum256(start, end) : Sum128(start, end);
        }

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private double Sum256(long i, long end)
        {
            Vector256<double> low = default, high = default;
            for (; i + 8 <= end; i += 8)
            {
                var (a, b) = Vector256.Widen(Vector256.Load(data + i));
                low += a * a;
                high += b * b;
            }
            return Tail(Vector256.Sum(low + high), i, end);
        }

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private double Sum128(long i, long end)
        {
            Vector128<double> s0 = default, s1 = default, s2 = default, s3 = default;
            for (; i + 8 <= end; i += 8)
            {
                var (a, b) = Vector128.Widen(Vector128.Load(data + i));
                var (c, d) = Vector128.Widen(Vector128.Load(data + i + 4));
                s0 += a * a;
                s1 += b * b;
                s2 += c * c;
                s3 += d * d;
            }
            var (left, right) = (s0 + s2, s1 + s3);
            return Tail(left[0] + left[1] + (right[0] + right[1]), i, end);
        }

        private double Tail(double sum, long i, long end)
        {
            for (; i < end; i++) sum += (double)data[i] * data[i];
            return sum;
        }
    }
}
