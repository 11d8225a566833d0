using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Finery.Tensors;

internal sealed unsafe partial class Gemm
{
    /// <summary>One row times a transposed matrix, bound by reading the matrix: its rows are transposed in registers, so that each
    /// element is the same chain of multiply-adds as in a tile.</summary>
    private readonly struct RowProduct(Product product) : IParallelBody
    {
        public const int TaskColumns = 64;

        public void Run(int task, int worker)
        {
            int end = Math.Min(product.N, (task + 1) * TaskColumns);
            for (int column = task * TaskColumns; column < end; column += 8) Eight(column, Math.Min(8, end - column));
        }

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private void Eight(int column, int columns)
        {
            float* sums = stackalloc float[8];
            // Columns that do not exist repeat the last one.
            float** rows = stackalloc float*[8];
            for (int j = 0; j < 8; j++) rows[j] = (float*)product.B.At(0, column + Math.Min(j, columns - 1));
            int block = product.Block;
            for (int step = 0; step < Math.Max(1, product.K); step += block)
            {
                int length = Math.Min(block, product.K - step);
                if (Vector256.IsHardwareAccelerated) Chain256((float*)product.A.At(0, 0), rows, step, step + length, sums);
                else
                {
                    Chain128((float*)product.A.At(0, 0), rows, step, step + length, sums);
                    Chain128((float*)product.A.At(0, 0), rows + 4, step, step + length, sums + 4);
                }
                float* c = (float*)product.C.At(0, column), addend = step > 0 ? c : product.Addend == null ? null : product.Addend + column;
                for (int j = 0; j < columns; j++) c[j] = addend != null ? sums[j] + addend[j] : sums[j];
            }
        }

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private static void Chain256(float* x, float** rows, int start, int end, float* sums)
        {
            float* w0 = rows[0], w1 = rows[1], w2 = rows[2], w3 = rows[3], w4 = rows[4], w5 = rows[5], w6 = rows[6], w7 = rows[7];
            var sum = Vector256<float>.Zero;
            int s = start;
            for (; s + 8 <= end; s += 8)
            {
                var (r0, r1, r2, r3) = (Vector256.Load(w0 + s), Vector256.Load(w1 + s), Vector256.Load(w2 + s), Vector256.Load(w3 + s));
                var (r4, r5, r6, r7) = (Vector256.Load(w4 + s), Vector256.Load(w5 + s), Vector256.Load(w6 + s), Vector256.Load(w7 + s));
                Panels.Transpose(ref r0, ref r1, ref r2, ref r3, ref r4, ref r5, ref r6, ref r7);
                sum = VectorMath.MultiplyAdd(Vector256.Create(x[s]), r0, sum);
                sum = VectorMath.MultiplyAdd(Vector256.Create(x[s + 1]), r1, sum);
                sum = VectorMath.MultiplyAdd(Vector256.Create(x[s + 2]), r2, sum);
                sum = VectorMath.MultiplyAdd(Vector256.Create(x[s + 3]), r3, sum);
                sum = VectorMath.MultiplyAdd(Vector256.Create(x[s + 4]), r4, sum);
                sum = VectorMath.MultiplyAdd(Vector256.Create(x[s + 5]), r5, sum);
                sum = VectorMath.MultiplyAdd(Vector256.Create(x[s + 6]), r6, sum);
                sum = VectorMath.MultiplyAdd(Vector256.Create(x[s + 7]), r7, sum);
            }
            for (; s < end; s++)
            {
                var w = Vector256.Create(w0[s], w1[s], w2[s], w3[s], w4[s], w5[s], w6[s], w7[s]);
                sum = VectorMath.MultiplyAdd(Vector256.Create(x[s]), w, sum);
            }
            sum.Store(sums);
        }

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private static void Chain128(float* x, float** rows, int start, int end, float* sums)
        {
            float* w0 = rows[0], w1 = rows[1], w2 = rows[2], w3 = rows[3];
            var sum = Vector128<float>.Zero;
            int s = start;
            for (; s + 4 <= end; s += 4)
            {
                var (r0, r1, r2, r3) = (Vector128.Load(w0 + s), Vector128.Load(w1 + s), Vector128.Load(w2 + s), Vector128.Load(w3 + s));
                Panels.Transpose(ref r0, ref r1, ref r2, ref r3);
                sum = VectorMath.MultiplyAdd(Vector128.Create(x[s]), r0, sum);
                sum = VectorMath.MultiplyAdd(Vector128.Create(x[s + 1]), r1, sum);
                sum = VectorMath.MultiplyAdd(Vector128.Create(x[s + 2]), r2, sum);
                sum = VectorMath.MultiplyAdd(Vector128.Create(x[s + 3]), r3, sum);
            }
            for (; s < end; s++)
            {
                var w = Vector128.Create(w0[s], w1[s], w2[s], w3[s]);
                sum = VectorMath.MultiplyAdd(Vector128.Create(x[s]), w, sum);
            }
            sum.Store(sums);
        }
    }
}
