using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;

namespace Finery.Tensors;

/// <summary>Packs blocks of a matrix into panels: the <c>width</c> numbers a micro-kernel takes per step lie together, step after step,
/// and what the matrix lacks is zero.</summary>
internal static unsafe class Panels
{
    /// <summary>From a matrix whose steps are contiguous: <c>panel[s width + r] = source[r stride + s]</c>.</summary>
    public static void PackTransposed(float* source, long stride, int rows, int steps, float* panel, int width)
    {
        int row = 0;
        if (Avx.IsSupported)
        {
            for (; row + 8 <= rows; row += 8) Transpose8(source + row * stride, stride, steps, panel + row, width);
        }
        for (; row + 4 <= rows; row += 4) Transpose4(source + row * stride, stride, steps, panel + row, width);
        for (; row < rows; row++)
        {
            float* from = source + row * stride, to = panel + row;
            for (int s = 0; s < steps; s++, to += width) *to = from[s];
        }
        for (; row < width; row++)
        {
            float* to = panel + row;
            for (int s = 0; s < steps; s++, to += width) *to = 0;
        }
    }

    /// <summary>From a matrix whose steps are <paramref name="stride"/> apart: <c>panel[s width + r] = source[s stride + r]</c>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] // A constant width unrolls the copy.
    public static void PackRows(float* source, long stride, int rows, int steps, float* panel, int width)
    {
        if (rows == width)
        {
            for (int s = 0; s < steps; s++, source += stride, panel += width)
                Unsafe.CopyBlockUnaligned(panel, source, (uint)width * sizeof(float));
            return;
        }
        for (int s = 0; s < steps; s++, source += stride, panel += width)
        {
            for (int r = 0; r < rows; r++) panel[r] = source[r];
            for (int r = rows; r < width; r++) panel[r] = 0;
        }
    }

    /// <summary>Transposes four rows in registers.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Transpose(
        ref Vector128<float> r0, ref Vector128<float> r1, ref Vector128<float> r2, ref Vector128<float> r3)
    {
        // Interleaving rows 0 with 2 and 1 with 3, twice, transposes.
        var (a, b) = (InterleaveLow(r0, r2), InterleaveHigh(r0, r2));
        var (c, d) = (InterleaveLow(r1, r3), InterleaveHigh(r1, r3));
        (r0, r1) = (InterleaveLow(a, c), InterleaveHigh(a, c));
        (r2, r3) = (InterleaveLow(b, d), InterleaveHigh(b, d));
    }

    /// <summary>Transposes eight rows in registers, in the way of Intel's optimization manual: within halves, then across.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Transpose(
        ref Vector256<float> r0, ref Vector256<float> r1, ref Vector256<float> r2, ref Vector256<float> r3,
        ref Vector256<float> r4, ref Vector256<float> r5, ref Vector256<float> r6, ref Vector256<float> r7)
    {
        var (a0, a1) = (Avx.UnpackLow(r0, r1), Avx.UnpackHigh(r0, r1));
        var (a2, a3) = (Avx.UnpackLow(r2, r3), Avx.UnpackHigh(r2, r3));
        var (a4, a5) = (Avx.UnpackLow(r4, r5), Avx.UnpackHigh(r4, r5));
        var (a6, a7) = (Avx.UnpackLow(r6, r7), Avx.UnpackHigh(r6, r7));
        var (b0, b1) = (Avx.Shuffle(a0, a2, 0x44), Avx.Shuffle(a0, a2, 0xEE));
        var (b2, b3) = (Avx.Shuffle(a1, a3, 0x44), Avx.Shuffle(a1, a3, 0xEE));
        var (b4, b5) = (Avx.Shuffle(a4, a6, 0x44), Avx.Shuffle(a4, a6, 0xEE));
        var (b6, b7) = (Avx.Shuffle(a5, a7, 0x44), Avx.Shuffle(a5, a7, 0xEE));
        (r0, r4) = (Avx.Permute2x128(b0, b4, 0x20), Avx.Permute2x128(b0, b4, 0x31));
        (r1, r5) = (Avx.Permute2x128(b1, b5, 0x20), Avx.Permute2x128(b1, b5, 0x31));
        (r2, r6) = (Avx.Permute2x128(b2, b6, 0x20), Avx.Permute2x128(b2, b6, 0x31));
        (r3, r7) = (Avx.Permute2x128(b3, b7, 0x20), Avx.Permute2x128(b3, b7, 0x31));
    }

    private static void Transpose4(float* source, long stride, int steps, float* panel, int width)
    {
        float* s0 = source, s1 = source + stride, s2 = source + 2 * stride, s3 = source + 3 * stride;
        int s = 0;
        for (; s + 4 <= steps; s += 4, panel += 4 * width)
        {
            var (r0, r1) = (Vector128.Load(s0 + s), Vector128.Load(s1 + s));
            var (r2, r3) = (Vector128.Load(s2 + s), Vector128.Load(s3 + s));
            Transpose(ref r0, ref r1, ref r2, ref r3);
            r0.Store(panel);
            r1.Store(panel + width);
            r2.Store(panel + 2 * width);
            r3.Store(panel + 3 * width);
        }
        for (; s < steps; s++, panel += width) (panel[0], panel[1], panel[2], panel[3]) = (s0[s], s1[s], s2[s], s3[s]);
    }

    private static void Transpose8(float* source, long stride, int steps, float* panel, int width)
    {
        float* next = source;
        int s = 0;
        for (; s + 8 <= steps; s += 8, next += 8, panel += 8 * width)
        {
            var (r0, r1) = (Vector256.Load(next), Vector256.Load(next + stride));
            var (r2, r3) = (Vector256.Load(next + 2 * stride), Vector256.Load(next + 3 * stride));
            var (r4, r5) = (Vector256.Load(next + 4 * stride), Vector256.Load(next + 5 * stride));
            var (r6, r7) = (Vector256.Load(next + 6 * stride), Vector256.Load(next + 7 * stride));
            Transpose(ref r0, ref r1, ref r2, ref r3, ref r4, ref r5, ref r6, ref r7);
            r0.Store(panel);
            r1.Store(panel + width);
            r2.Store(panel + 2 * width);
            r3.Store(panel + 3 * width);
            r4.Store(panel + 4 * width);
            r5.Store(panel + 5 * width);
            r6.Store(panel + 6 * width);
            r7.Store(panel + 7 * width);
        }
        for (; s < steps; s++, next++, panel += width)
        {
            for (int r = 0; r < 8; r++) panel[r] = next[r * stride];
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<float> InterleaveLow(Vector128<float> a, Vector128<float> b) =>
        Sse.IsSupported ? Sse.UnpackLow(a, b)
        : AdvSimd.Arm64.IsSupported ? AdvSimd.Arm64.ZipLow(a, b)
        : Vector128.Create(a[0], b[0], a[1], b[1]);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<float> InterleaveHigh(Vector128<float> a, Vector128<float> b) =>
        Sse.IsSupported ? Sse.UnpackHigh(a, b)
        : AdvSimd.Arm64.IsSupported ? AdvSimd.Arm64.ZipHigh(a, b)
        : Vector128.Create(a[2], b[2], a[3], b[3]);
}
