using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;

namespace Finery.Tensors;

/// <summary>Packs blocks of a matrix into panels of floats: the <c>width</c> numbers (rows of A, columns of B) that a micro-kernel takes
/// per step lie together, step after step. Lanes that the matrix lacks hold anything: nothing is read from their results.</summary>
/// <remarks>Loops here and in other kernels are compiled with full optimisation at once: a profile taken while the first layers of a run
/// pass through them can leave the loads of a loop as calls, which makes a product five times slower for good.</remarks>
internal static unsafe class Panels
{
    /// <summary>Floats that packing may write behind the end of a panel.</summary>
    public const int Overrun = 16;

    // Steps copied from one panel's columns before the next panel's: their rows' pages stay in the first-level TLB.
    private const int StepsTogether = 16;

    /// <summary>Packs all lanes of a block; panel p starts at <c>p panelStride</c>.</summary>
    /// <param name="source">[lanes, steps].</param>
    /// <param name="lanes">Lanes that exist.</param>
    /// <param name="steps">Length of the block's inner dimension.</param>
    /// <param name="panels">Room for the panels and <see cref="Overrun"/>.</param>
    /// <param name="width">Lanes of a panel.</param>
    /// <param name="panelStride">At least <c>steps width</c>; more by <see cref="Overrun"/> where the width is not a multiple of 8.</param>
    public static void Pack(StridedMatrix source, int lanes, int steps, float* panels, int width, long panelStride)
    {
        if (source.Type == DType.F32) Pack((FloatElement*)source.At(0, 0), source, lanes, steps, panels, width, panelStride);
        else Pack((BFloat16Element*)source.At(0, 0), source, lanes, steps, panels, width, panelStride);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Pack<E>(E* data, StridedMatrix source, int lanes, int steps, float* panels, int width, long panelStride)
        where E : unmanaged, IElement<E>
    {
        if (source.ColumnStride != 1)
        {
            PackSteps(data, source.ColumnStride, lanes, steps, panels, width, panelStride);
            return;
        }
        for (int lane = 0; lane < lanes; lane += width, panels += panelStride)
            PackLanes(data + lane * source.RowStride, source.RowStride, Math.Min(width, lanes - lane), steps, panels, width, width);
    }

    /// <summary>One panel from lanes whose steps are contiguous: <c>panel[s width + l] = source[l stride + s]</c>.</summary>
    /// <param name="source">[lanes, steps].</param>
    /// <param name="stride">Distance of lanes.</param>
    /// <param name="lanes">Lanes that exist; those behind them repeat the last.</param>
    /// <param name="steps">Length of a lane.</param>
    /// <param name="panel">Room for the panel.</param>
    /// <param name="width">Distance of steps in the panel.</param>
    /// <param name="filled">Lanes of the panel to fill.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void PackLanes<E>(E* source, long stride, int lanes, int steps, float* panel, int width, int filled)
        where E : unmanaged, IElement<E>
    {
        // Groups of less than eight lanes are transposed as eight, or as four, whose surplus falls into the next step's first lanes: the
        // last group goes first.
        int group = Avx.IsSupported ? 8 : 4;
        for (int lane = (filled - 1) / group * group; lane >= 0; lane -= group)
        {
            int used = Math.Min(group, filled - lane);
            if (used > 4) Transpose8(source, stride, lane, lanes, steps, panel + lane, width, used);
            else Transpose4(source, stride, lane, lanes, steps, panel + lane, width);
        }
    }

    /// <summary>Panels from lanes that are contiguous: <c>panel[s width + l] = source[s stride + l]</c>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void PackSteps<E>(E* source, long stride, int lanes, int steps, float* panels, int width, long panelStride)
        where E : unmanaged, IElement<E>
    {
        int registers = (width + 7) / 8;
        for (int first = 0; first < steps; first += StepsTogether)
        {
            int count = Math.Min(StepsTogether, steps - first);
            float* to = panels + (long)first * width;
            E* from = source + first * stride;
            for (int lane = 0; lane < lanes; lane += width, from += width, to += panelStride)
            {
                // Whole registers are copied where the row has as much, the surplus being overwritten by the next step.
                if (lane + registers * 8 > lanes || !Vector256.IsHardwareAccelerated)
                    CopyLanes(from, stride, Math.Min(width, lanes - lane), count, to, width);
                else if (registers == 1) CopyRegister(from, stride, count, to, width);
                else if (registers == 2) CopyTwoRegisters(from, stride, count, to, width);
                else
                {
                    for (int l = 0; l < width; l += 16) CopyTwoRegisters(from + l, stride, count, to + l, width);
                }
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void CopyRegister<E>(E* from, long stride, int steps, float* to, int width) where E : unmanaged, IElement<E>
    {
        for (; steps >= 2; steps -= 2, from += 2 * stride, to += 2 * width)
        {
            var (a, b) = (E.Load<Width256, Vector256<float>>(from), E.Load<Width256, Vector256<float>>(from + stride));
            a.Store(to);
            b.Store(to + width);
        }
        if (steps > 0) E.Load<Width256, Vector256<float>>(from).Store(to);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void CopyTwoRegisters<E>(E* from, long stride, int steps, float* to, int width) where E : unmanaged, IElement<E>
    {
        for (; steps > 0; steps--, from += stride, to += width)
        {
            var (a, b) = (E.Load<Width256, Vector256<float>>(from), E.Load<Width256, Vector256<float>>(from + 8));
            a.Store(to);
            b.Store(to + 8);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void CopyLanes<E>(E* from, long stride, int lanes, int steps, float* to, int width) where E : unmanaged, IElement<E>
    {
        for (; steps > 0; steps--, from += stride, to += width)
        {
            for (int l = 0; l < lanes; l++) to[l] = E.Load<Scalar, float>(from + l);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Transpose4<E>(E* source, long stride, int lane, int lanes, int steps, float* panel, int width)
        where E : unmanaged, IElement<E>
    {
        // Lanes that do not exist repeat the last one.
        E* s0 = source + Math.Min(lane, lanes - 1) * stride, s1 = source + Math.Min(lane + 1, lanes - 1) * stride;
        E* s2 = source + Math.Min(lane + 2, lanes - 1) * stride, s3 = source + Math.Min(lane + 3, lanes - 1) * stride;
        int s = 0;
        for (; s + 4 <= steps; s += 4, panel += 4 * width)
        {
            var (r0, r1) = (E.Load<Width128, Vector128<float>>(s0 + s), E.Load<Width128, Vector128<float>>(s1 + s));
            var (r2, r3) = (E.Load<Width128, Vector128<float>>(s2 + s), E.Load<Width128, Vector128<float>>(s3 + s));
            Transpose(ref r0, ref r1, ref r2, ref r3);
            r0.Store(panel);
            r1.Store(panel + width);
            r2.Store(panel + 2 * width);
            r3.Store(panel + 3 * width);
        }
        for (; s < steps; s++, panel += width)
        {
            panel[0] = E.Load<Scalar, float>(s0 + s);
            panel[1] = E.Load<Scalar, float>(s1 + s);
            panel[2] = E.Load<Scalar, float>(s2 + s);
            panel[3] = E.Load<Scalar, float>(s3 + s);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Transpose8<E>(E* source, long stride, int lane, int lanes, int steps, float* panel, int width, int used)
        where E : unmanaged, IElement<E>
    {
        E** rows = stackalloc E*[8];
        for (int i = 0; i < 8; i++) rows[i] = source + Math.Min(lane + i, lanes - 1) * stride;
        E* s0 = rows[0], s1 = rows[1], s2 = rows[2], s3 = rows[3], s4 = rows[4], s5 = rows[5], s6 = rows[6], s7 = rows[7];
        int s = 0;
        for (; s + 8 <= steps; s += 8, panel += 8 * width)
        {
            var (r0, r1) = (E.Load<Width256, Vector256<float>>(s0 + s), E.Load<Width256, Vector256<float>>(s1 + s));
            var (r2, r3) = (E.Load<Width256, Vector256<float>>(s2 + s), E.Load<Width256, Vector256<float>>(s3 + s));
            var (r4, r5) = (E.Load<Width256, Vector256<float>>(s4 + s), E.Load<Width256, Vector256<float>>(s5 + s));
            var (r6, r7) = (E.Load<Width256, Vector256<float>>(s6 + s), E.Load<Width256, Vector256<float>>(s7 + s));
            Transpose(ref r0, ref r1, ref r2, ref r3, ref r4, ref r5, ref r6, ref r7);
            r0.Store(panel);
            r1.Store(panel + width);
            r2.Store(panel + 2 * width);
            r3.Store(panel + 3 * width);
            r4.Store(panel + 4 * width);
            r5.Store(panel + 5 * width);
            r6.Store(panel + 6 * width);
            if (used == 8) r7.Store(panel + 7 * width);
            else StoreLanes(r7, panel + 7 * width, used);
        }
        for (; s < steps; s++, panel += width)
        {
            for (int i = 0; i < used; i++) panel[i] = E.Load<Scalar, float>(rows[i] + s);
        }
    }

    // The surplus of the last step would fall behind the panel.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void StoreLanes(Vector256<float> step, float* panel, int used)
    {
        step.GetLower().Store(panel);
        for (int i = 4; i < used; i++) panel[i] = step[i];
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
