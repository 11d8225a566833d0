using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Finery.Tensors;

/// <summary>The innermost part of a matrix product: one tile of C in registers, <c>C = addend + sum over steps of a_s b_s^T</c>. Every
/// element is one chain of multiply-adds in the order of the steps, so tiles of any shape give the same bits.</summary>
/// <remarks>Steps are unrolled: beside the multiply-adds and loads nothing is left to issue, which matters most where another thread
/// shares the core.</remarks>
internal unsafe interface IMicroKernel
{
    /// <summary>Rows of the tile: the width of a panel of A.</summary>
    static abstract int Rows { get; }

    /// <summary>Columns of the tile: the width of a panel of B.</summary>
    static abstract int Columns { get; }

    /// <summary>Computes one tile.</summary>
    /// <param name="a">A panel of A: <see cref="Rows"/> numbers per step.</param>
    /// <param name="b">A panel of B: <see cref="Columns"/> numbers per step.</param>
    /// <param name="steps">Length of the inner dimension.</param>
    /// <param name="c">The tile, overwritten.</param>
    /// <param name="cRow">Distance between rows of C.</param>
    /// <param name="addend">Added to the product, often C itself; null adds nothing.</param>
    /// <param name="addendRow">Distance between rows of the addend.</param>
    static abstract void Run(float* a, float* b, nint steps, float* c, nint cRow, float* addend, nint addendRow);
}

/// <summary>AVX-512: 24 of 32 registers accumulate.</summary>
internal readonly unsafe struct MicroKernel512 : IMicroKernel
{
    public static int Rows => 12;

    public static int Columns => 32;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Run(float* a, float* b, nint steps, float* c, nint cRow, float* addend, nint addendRow)
    {
        // What is added arrives while the steps run.
        if (Sse.IsSupported && addend != null)
        {
            for (nint row = 0; row < Rows; row++) Sse.Prefetch0(addend + row * addendRow);
        }
        Vector512<float> c00 = default, c01 = default;
        Vector512<float> c10 = default, c11 = default;
        Vector512<float> c20 = default, c21 = default;
        Vector512<float> c30 = default, c31 = default;
        Vector512<float> c40 = default, c41 = default;
        Vector512<float> c50 = default, c51 = default;
        Vector512<float> c60 = default, c61 = default;
        Vector512<float> c70 = default, c71 = default;
        Vector512<float> c80 = default, c81 = default;
        Vector512<float> c90 = default, c91 = default;
        Vector512<float> cA0 = default, cA1 = default;
        Vector512<float> cB0 = default, cB1 = default;
        for (; steps >= 2; steps -= 2)
        {
            Step(a, b,
                ref c00, ref c01, ref c10, ref c11, ref c20, ref c21, ref c30, ref c31, ref c40, ref c41, ref c50, ref c51,
                ref c60, ref c61, ref c70, ref c71, ref c80, ref c81, ref c90, ref c91, ref cA0, ref cA1, ref cB0, ref cB1);
            Step(a + Rows, b + Columns,
                ref c00, ref c01, ref c10, ref c11, ref c20, ref c21, ref c30, ref c31, ref c40, ref c41, ref c50, ref c51,
                ref c60, ref c61, ref c70, ref c71, ref c80, ref c81, ref c90, ref c91, ref cA0, ref cA1, ref cB0, ref cB1);
            a += 2 * Rows;
            b += 2 * Columns;
        }
        for (; steps > 0; steps--)
        {
            Step(a, b,
                ref c00, ref c01, ref c10, ref c11, ref c20, ref c21, ref c30, ref c31, ref c40, ref c41, ref c50, ref c51,
                ref c60, ref c61, ref c70, ref c71, ref c80, ref c81, ref c90, ref c91, ref cA0, ref cA1, ref cB0, ref cB1);
            a += Rows;
            b += Columns;
        }
        Write(c, addend, 0 * addendRow, c00, c01);
        Write(c + cRow, addend, 1 * addendRow, c10, c11);
        Write(c + 2 * cRow, addend, 2 * addendRow, c20, c21);
        Write(c + 3 * cRow, addend, 3 * addendRow, c30, c31);
        Write(c + 4 * cRow, addend, 4 * addendRow, c40, c41);
        Write(c + 5 * cRow, addend, 5 * addendRow, c50, c51);
        Write(c + 6 * cRow, addend, 6 * addendRow, c60, c61);
        Write(c + 7 * cRow, addend, 7 * addendRow, c70, c71);
        Write(c + 8 * cRow, addend, 8 * addendRow, c80, c81);
        Write(c + 9 * cRow, addend, 9 * addendRow, c90, c91);
        Write(c + 10 * cRow, addend, 10 * addendRow, cA0, cA1);
        Write(c + 11 * cRow, addend, 11 * addendRow, cB0, cB1);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Step(
        float* a, float* b,
        ref Vector512<float> c00, ref Vector512<float> c01, ref Vector512<float> c10, ref Vector512<float> c11,
        ref Vector512<float> c20, ref Vector512<float> c21, ref Vector512<float> c30, ref Vector512<float> c31,
        ref Vector512<float> c40, ref Vector512<float> c41, ref Vector512<float> c50, ref Vector512<float> c51,
        ref Vector512<float> c60, ref Vector512<float> c61, ref Vector512<float> c70, ref Vector512<float> c71,
        ref Vector512<float> c80, ref Vector512<float> c81, ref Vector512<float> c90, ref Vector512<float> c91,
        ref Vector512<float> cA0, ref Vector512<float> cA1, ref Vector512<float> cB0, ref Vector512<float> cB1)
    {
        Vector512<float> b0 = Vector512.Load(b), b1 = Vector512.Load(b + 16);
        var x0 = Vector512.Create(a[0]);
        c00 = VectorMath.MultiplyAdd(x0, b0, c00);
        c01 = VectorMath.MultiplyAdd(x0, b1, c01);
        var x1 = Vector512.Create(a[1]);
        c10 = VectorMath.MultiplyAdd(x1, b0, c10);
        c11 = VectorMath.MultiplyAdd(x1, b1, c11);
        var x2 = Vector512.Create(a[2]);
        c20 = VectorMath.MultiplyAdd(x2, b0, c20);
        c21 = VectorMath.MultiplyAdd(x2, b1, c21);
        var x3 = Vector512.Create(a[3]);
        c30 = VectorMath.MultiplyAdd(x3, b0, c30);
        c31 = VectorMath.MultiplyAdd(x3, b1, c31);
        var x4 = Vector512.Create(a[4]);
        c40 = VectorMath.MultiplyAdd(x4, b0, c40);
        c41 = VectorMath.MultiplyAdd(x4, b1, c41);
        var x5 = Vector512.Create(a[5]);
        c50 = VectorMath.MultiplyAdd(x5, b0, c50);
        c51 = VectorMath.MultiplyAdd(x5, b1, c51);
        var x6 = Vector512.Create(a[6]);
        c60 = VectorMath.MultiplyAdd(x6, b0, c60);
        c61 = VectorMath.MultiplyAdd(x6, b1, c61);
        var x7 = Vector512.Create(a[7]);
        c70 = VectorMath.MultiplyAdd(x7, b0, c70);
        c71 = VectorMath.MultiplyAdd(x7, b1, c71);
        var x8 = Vector512.Create(a[8]);
        c80 = VectorMath.MultiplyAdd(x8, b0, c80);
        c81 = VectorMath.MultiplyAdd(x8, b1, c81);
        var x9 = Vector512.Create(a[9]);
        c90 = VectorMath.MultiplyAdd(x9, b0, c90);
        c91 = VectorMath.MultiplyAdd(x9, b1, c91);
        var xA = Vector512.Create(a[10]);
        cA0 = VectorMath.MultiplyAdd(xA, b0, cA0);
        cA1 = VectorMath.MultiplyAdd(xA, b1, cA1);
        var xB = Vector512.Create(a[11]);
        cB0 = VectorMath.MultiplyAdd(xB, b0, cB0);
        cB1 = VectorMath.MultiplyAdd(xB, b1, cB1);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Write(float* c, float* addend, nint row, Vector512<float> p, Vector512<float> q)
    {
        if (addend != null)
        {
            p += Vector512.Load(addend + row);
            q += Vector512.Load(addend + row + 16);
        }
        p.Store(c);
        q.Store(c + 16);
    }
}

/// <summary>AVX2 and FMA: 12 of 16 registers accumulate (the tile of BLIS for Haswell and Zen).</summary>
internal readonly unsafe struct MicroKernel256 : IMicroKernel
{
    public static int Rows => 6;

    public static int Columns => 16;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Run(float* a, float* b, nint steps, float* c, nint cRow, float* addend, nint addendRow)
    {
        // What is added arrives while the steps run.
        if (Sse.IsSupported && addend != null)
        {
            for (nint row = 0; row < Rows; row++) Sse.Prefetch0(addend + row * addendRow);
        }
        Vector256<float> c00 = default, c01 = default;
        Vector256<float> c10 = default, c11 = default;
        Vector256<float> c20 = default, c21 = default;
        Vector256<float> c30 = default, c31 = default;
        Vector256<float> c40 = default, c41 = default;
        Vector256<float> c50 = default, c51 = default;
        for (; steps >= 4; steps -= 4)
        {
            Step(a, b,
                ref c00, ref c01, ref c10, ref c11, ref c20, ref c21, ref c30, ref c31, ref c40, ref c41, ref c50, ref c51);
            Step(a + Rows, b + Columns,
                ref c00, ref c01, ref c10, ref c11, ref c20, ref c21, ref c30, ref c31, ref c40, ref c41, ref c50, ref c51);
            Step(a + 2 * Rows, b + 2 * Columns,
                ref c00, ref c01, ref c10, ref c11, ref c20, ref c21, ref c30, ref c31, ref c40, ref c41, ref c50, ref c51);
            Step(a + 3 * Rows, b + 3 * Columns,
                ref c00, ref c01, ref c10, ref c11, ref c20, ref c21, ref c30, ref c31, ref c40, ref c41, ref c50, ref c51);
            a += 4 * Rows;
            b += 4 * Columns;
        }
        for (; steps > 0; steps--)
        {
            Step(a, b,
                ref c00, ref c01, ref c10, ref c11, ref c20, ref c21, ref c30, ref c31, ref c40, ref c41, ref c50, ref c51);
            a += Rows;
            b += Columns;
        }
        Write(c, addend, 0 * addendRow, c00, c01);
        Write(c + cRow, addend, 1 * addendRow, c10, c11);
        Write(c + 2 * cRow, addend, 2 * addendRow, c20, c21);
        Write(c + 3 * cRow, addend, 3 * addendRow, c30, c31);
        Write(c + 4 * cRow, addend, 4 * addendRow, c40, c41);
        Write(c + 5 * cRow, addend, 5 * addendRow, c50, c51);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Step(
        float* a, float* b,
        ref Vector256<float> c00, ref Vector256<float> c01, ref Vector256<float> c10, ref Vector256<float> c11,
        ref Vector256<float> c20, ref Vector256<float> c21, ref Vector256<float> c30, ref Vector256<float> c31,
        ref Vector256<float> c40, ref Vector256<float> c41, ref Vector256<float> c50, ref Vector256<float> c51)
    {
        Vector256<float> b0 = Vector256.Load(b), b1 = Vector256.Load(b + 8);
        var x0 = Vector256.Create(a[0]);
        c00 = VectorMath.MultiplyAdd(x0, b0, c00);
        c01 = VectorMath.MultiplyAdd(x0, b1, c01);
        var x1 = Vector256.Create(a[1]);
        c10 = VectorMath.MultiplyAdd(x1, b0, c10);
        c11 = VectorMath.MultiplyAdd(x1, b1, c11);
        var x2 = Vector256.Create(a[2]);
        c20 = VectorMath.MultiplyAdd(x2, b0, c20);
        c21 = VectorMath.MultiplyAdd(x2, b1, c21);
        var x3 = Vector256.Create(a[3]);
        c30 = VectorMath.MultiplyAdd(x3, b0, c30);
        c31 = VectorMath.MultiplyAdd(x3, b1, c31);
        var x4 = Vector256.Create(a[4]);
        c40 = VectorMath.MultiplyAdd(x4, b0, c40);
        c41 = VectorMath.MultiplyAdd(x4, b1, c41);
        var x5 = Vector256.Create(a[5]);
        c50 = VectorMath.MultiplyAdd(x5, b0, c50);
        c51 = VectorMath.MultiplyAdd(x5, b1, c51);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Write(float* c, float* addend, nint row, Vector256<float> p, Vector256<float> q)
    {
        if (addend != null)
        {
            p += Vector256.Load(addend + row);
            q += Vector256.Load(addend + row + 8);
        }
        p.Store(c);
        q.Store(c + 8);
    }
}

/// <summary>ARM64: 16 of 32 registers accumulate. Also what older x64 processors and the software fallback run.</summary>
internal readonly unsafe struct MicroKernel128 : IMicroKernel
{
    public static int Rows => 8;

    public static int Columns => 8;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Run(float* a, float* b, nint steps, float* c, nint cRow, float* addend, nint addendRow)
    {
        // What is added arrives while the steps run.
        if (Sse.IsSupported && addend != null)
        {
            for (nint row = 0; row < Rows; row++) Sse.Prefetch0(addend + row * addendRow);
        }
        Vector128<float> c00 = default, c01 = default;
        Vector128<float> c10 = default, c11 = default;
        Vector128<float> c20 = default, c21 = default;
        Vector128<float> c30 = default, c31 = default;
        Vector128<float> c40 = default, c41 = default;
        Vector128<float> c50 = default, c51 = default;
        Vector128<float> c60 = default, c61 = default;
        Vector128<float> c70 = default, c71 = default;
        for (; steps >= 4; steps -= 4)
        {
            Step(a, b,
                ref c00, ref c01, ref c10, ref c11, ref c20, ref c21, ref c30, ref c31, ref c40, ref c41, ref c50, ref c51,
                ref c60, ref c61, ref c70, ref c71);
            Step(a + Rows, b + Columns,
                ref c00, ref c01, ref c10, ref c11, ref c20, ref c21, ref c30, ref c31, ref c40, ref c41, ref c50, ref c51,
                ref c60, ref c61, ref c70, ref c71);
            Step(a + 2 * Rows, b + 2 * Columns,
                ref c00, ref c01, ref c10, ref c11, ref c20, ref c21, ref c30, ref c31, ref c40, ref c41, ref c50, ref c51,
                ref c60, ref c61, ref c70, ref c71);
            Step(a + 3 * Rows, b + 3 * Columns,
                ref c00, ref c01, ref c10, ref c11, ref c20, ref c21, ref c30, ref c31, ref c40, ref c41, ref c50, ref c51,
                ref c60, ref c61, ref c70, ref c71);
            a += 4 * Rows;
            b += 4 * Columns;
        }
        for (; steps > 0; steps--)
        {
            Step(a, b,
                ref c00, ref c01, ref c10, ref c11, ref c20, ref c21, ref c30, ref c31, ref c40, ref c41, ref c50, ref c51,
                ref c60, ref c61, ref c70, ref c71);
            a += Rows;
            b += Columns;
        }
        Write(c, addend, 0 * addendRow, c00, c01);
        Write(c + cRow, addend, 1 * addendRow, c10, c11);
        Write(c + 2 * cRow, addend, 2 * addendRow, c20, c21);
        Write(c + 3 * cRow, addend, 3 * addendRow, c30, c31);
        Write(c + 4 * cRow, addend, 4 * addendRow, c40, c41);
        Write(c + 5 * cRow, addend, 5 * addendRow, c50, c51);
        Write(c + 6 * cRow, addend, 6 * addendRow, c60, c61);
        Write(c + 7 * cRow, addend, 7 * addendRow, c70, c71);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Step(
        float* a, float* b,
        ref Vector128<float> c00, ref Vector128<float> c01, ref Vector128<float> c10, ref Vector128<float> c11,
        ref Vector128<float> c20, ref Vector128<float> c21, ref Vector128<float> c30, ref Vector128<float> c31,
        ref Vector128<float> c40, ref Vector128<float> c41, ref Vector128<float> c50, ref Vector128<float> c51,
        ref Vector128<float> c60, ref Vector128<float> c61, ref Vector128<float> c70, ref Vector128<float> c71)
    {
        Vector128<float> b0 = Vector128.Load(b), b1 = Vector128.Load(b + 4);
        var x0 = Vector128.Create(a[0]);
        c00 = VectorMath.MultiplyAdd(x0, b0, c00);
        c01 = VectorMath.MultiplyAdd(x0, b1, c01);
        var x1 = Vector128.Create(a[1]);
        c10 = VectorMath.MultiplyAdd(x1, b0, c10);
        c11 = VectorMath.MultiplyAdd(x1, b1, c11);
        var x2 = Vector128.Create(a[2]);
        c20 = VectorMath.MultiplyAdd(x2, b0, c20);
        c21 = VectorMath.MultiplyAdd(x2, b1, c21);
        var x3 = Vector128.Create(a[3]);
        c30 = VectorMath.MultiplyAdd(x3, b0, c30);
        c31 = VectorMath.MultiplyAdd(x3, b1, c31);
        var x4 = Vector128.Create(a[4]);
        c40 = VectorMath.MultiplyAdd(x4, b0, c40);
        c41 = VectorMath.MultiplyAdd(x4, b1, c41);
        var x5 = Vector128.Create(a[5]);
        c50 = VectorMath.MultiplyAdd(x5, b0, c50);
        c51 = VectorMath.MultiplyAdd(x5, b1, c51);
        var x6 = Vector128.Create(a[6]);
        c60 = VectorMath.MultiplyAdd(x6, b0, c60);
        c61 = VectorMath.MultiplyAdd(x6, b1, c61);
        var x7 = Vector128.Create(a[7]);
        c70 = VectorMath.MultiplyAdd(x7, b0, c70);
        c71 = VectorMath.MultiplyAdd(x7, b1, c71);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Write(float* c, float* addend, nint row, Vector128<float> p, Vector128<float> q)
    {
        if (addend != null)
        {
            p += Vector128.Load(addend + row);
            q += Vector128.Load(addend + row + 4);
        }
        p.Store(c);
        q.Store(c + 4);
    }
}
