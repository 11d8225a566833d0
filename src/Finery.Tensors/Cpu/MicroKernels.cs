using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Finery.Tensors;

/// <summary>The innermost part of a matrix product: one tile of C in registers, <c>C (+)= sum over steps of a_s b_s^T</c>. Every
/// element is one chain of multiply-adds in the order of the steps, so tiles of any shape give the same bits.</summary>
internal unsafe interface IMicroKernel
{
    /// <summary>Rows of the tile.</summary>
    static abstract int Rows { get; }

    /// <summary>Columns of the tile: the width of a panel of B.</summary>
    static abstract int Columns { get; }

    /// <summary>Computes one tile.</summary>
    /// <param name="a">Element (row r, step s) is at <c>r aRow + s aStep</c>.</param>
    /// <param name="aRow">Distance between rows of A.</param>
    /// <param name="aStep">Distance between steps of A.</param>
    /// <param name="b">A panel of B: <see cref="Columns"/> numbers per step.</param>
    /// <param name="steps">Length of the inner dimension.</param>
    /// <param name="c">The tile.</param>
    /// <param name="cRow">Distance between rows of C.</param>
    /// <param name="add">Whether to add to C or overwrite it.</param>
    static abstract void Run(float* a, nint aRow, nint aStep, float* b, nint steps, float* c, nint cRow, bool add);
}

/// <summary>AVX-512: 24 of 32 registers accumulate.</summary>
internal readonly struct MicroKernel512 : IMicroKernel
{
    public static int Rows => 12;

    public static int Columns => 32;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static unsafe void Run(float* a, nint aRow, nint aStep, float* b, nint steps, float* c, nint cRow, bool add)
    {
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
        nint twoRows = 2 * aRow;
        float* a3 = a + 3 * aRow, a6 = a + 6 * aRow, a9 = a + 9 * aRow;
        for (; steps > 0; steps--)
        {
            Vector512<float> b0 = Vector512.Load(b), b1 = Vector512.Load(b + 16);
            var x = Vector512.Create(a[0]);
            c00 = VectorMath.MultiplyAdd(x, b0, c00);
            c01 = VectorMath.MultiplyAdd(x, b1, c01);
            x = Vector512.Create(a[aRow]);
            c10 = VectorMath.MultiplyAdd(x, b0, c10);
            c11 = VectorMath.MultiplyAdd(x, b1, c11);
            x = Vector512.Create(a[twoRows]);
            c20 = VectorMath.MultiplyAdd(x, b0, c20);
            c21 = VectorMath.MultiplyAdd(x, b1, c21);
            x = Vector512.Create(a3[0]);
            c30 = VectorMath.MultiplyAdd(x, b0, c30);
            c31 = VectorMath.MultiplyAdd(x, b1, c31);
            x = Vector512.Create(a3[aRow]);
            c40 = VectorMath.MultiplyAdd(x, b0, c40);
            c41 = VectorMath.MultiplyAdd(x, b1, c41);
            x = Vector512.Create(a3[twoRows]);
            c50 = VectorMath.MultiplyAdd(x, b0, c50);
            c51 = VectorMath.MultiplyAdd(x, b1, c51);
            x = Vector512.Create(a6[0]);
            c60 = VectorMath.MultiplyAdd(x, b0, c60);
            c61 = VectorMath.MultiplyAdd(x, b1, c61);
            x = Vector512.Create(a6[aRow]);
            c70 = VectorMath.MultiplyAdd(x, b0, c70);
            c71 = VectorMath.MultiplyAdd(x, b1, c71);
            x = Vector512.Create(a6[twoRows]);
            c80 = VectorMath.MultiplyAdd(x, b0, c80);
            c81 = VectorMath.MultiplyAdd(x, b1, c81);
            x = Vector512.Create(a9[0]);
            c90 = VectorMath.MultiplyAdd(x, b0, c90);
            c91 = VectorMath.MultiplyAdd(x, b1, c91);
            x = Vector512.Create(a9[aRow]);
            cA0 = VectorMath.MultiplyAdd(x, b0, cA0);
            cA1 = VectorMath.MultiplyAdd(x, b1, cA1);
            x = Vector512.Create(a9[twoRows]);
            cB0 = VectorMath.MultiplyAdd(x, b0, cB0);
            cB1 = VectorMath.MultiplyAdd(x, b1, cB1);
            a += aStep;
            a3 += aStep;
            a6 += aStep;
            a9 += aStep;
            b += 32;
        }
        Write(c, c00, c01, add);
        Write(c + cRow, c10, c11, add);
        Write(c + 2 * cRow, c20, c21, add);
        Write(c + 3 * cRow, c30, c31, add);
        Write(c + 4 * cRow, c40, c41, add);
        Write(c + 5 * cRow, c50, c51, add);
        Write(c + 6 * cRow, c60, c61, add);
        Write(c + 7 * cRow, c70, c71, add);
        Write(c + 8 * cRow, c80, c81, add);
        Write(c + 9 * cRow, c90, c91, add);
        Write(c + 10 * cRow, cA0, cA1, add);
        Write(c + 11 * cRow, cB0, cB1, add);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static unsafe void Write(float* c, Vector512<float> left, Vector512<float> right, bool add)
    {
        if (add) (left, right) = (left + Vector512.Load(c), right + Vector512.Load(c + 16));
        left.Store(c);
        right.Store(c + 16);
    }
}

/// <summary>AVX2 and FMA: 12 of 16 registers accumulate (the tile of BLIS for Haswell and Zen).</summary>
internal readonly struct MicroKernel256 : IMicroKernel
{
    public static int Rows => 6;

    public static int Columns => 16;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static unsafe void Run(float* a, nint aRow, nint aStep, float* b, nint steps, float* c, nint cRow, bool add)
    {
        Vector256<float> c00 = default, c01 = default;
        Vector256<float> c10 = default, c11 = default;
        Vector256<float> c20 = default, c21 = default;
        Vector256<float> c30 = default, c31 = default;
        Vector256<float> c40 = default, c41 = default;
        Vector256<float> c50 = default, c51 = default;
        nint twoRows = 2 * aRow;
        float* a3 = a + 3 * aRow;
        for (; steps > 0; steps--)
        {
            Vector256<float> b0 = Vector256.Load(b), b1 = Vector256.Load(b + 8);
            var x = Vector256.Create(a[0]);
            c00 = VectorMath.MultiplyAdd(x, b0, c00);
            c01 = VectorMath.MultiplyAdd(x, b1, c01);
            x = Vector256.Create(a[aRow]);
            c10 = VectorMath.MultiplyAdd(x, b0, c10);
            c11 = VectorMath.MultiplyAdd(x, b1, c11);
            x = Vector256.Create(a[twoRows]);
            c20 = VectorMath.MultiplyAdd(x, b0, c20);
            c21 = VectorMath.MultiplyAdd(x, b1, c21);
            x = Vector256.Create(a3[0]);
            c30 = VectorMath.MultiplyAdd(x, b0, c30);
            c31 = VectorMath.MultiplyAdd(x, b1, c31);
            x = Vector256.Create(a3[aRow]);
            c40 = VectorMath.MultiplyAdd(x, b0, c40);
            c41 = VectorMath.MultiplyAdd(x, b1, c41);
            x = Vector256.Create(a3[twoRows]);
            c50 = VectorMath.MultiplyAdd(x, b0, c50);
            c51 = VectorMath.MultiplyAdd(x, b1, c51);
            a += aStep;
            a3 += aStep;
            b += 16;
        }
        Write(c, c00, c01, add);
        Write(c + cRow, c10, c11, add);
        Write(c + 2 * cRow, c20, c21, add);
        Write(c + 3 * cRow, c30, c31, add);
        Write(c + 4 * cRow, c40, c41, add);
        Write(c + 5 * cRow, c50, c51, add);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static unsafe void Write(float* c, Vector256<float> left, Vector256<float> right, bool add)
    {
        if (add) (left, right) = (left + Vector256.Load(c), right + Vector256.Load(c + 8));
        left.Store(c);
        right.Store(c + 8);
    }
}

/// <summary>ARM64: 16 of 32 registers accumulate. Also what older x64 processors and the software fallback run.</summary>
internal readonly struct MicroKernel128 : IMicroKernel
{
    public static int Rows => 8;

    public static int Columns => 8;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static unsafe void Run(float* a, nint aRow, nint aStep, float* b, nint steps, float* c, nint cRow, bool add)
    {
        Vector128<float> c00 = default, c01 = default;
        Vector128<float> c10 = default, c11 = default;
        Vector128<float> c20 = default, c21 = default;
        Vector128<float> c30 = default, c31 = default;
        Vector128<float> c40 = default, c41 = default;
        Vector128<float> c50 = default, c51 = default;
        Vector128<float> c60 = default, c61 = default;
        Vector128<float> c70 = default, c71 = default;
        nint twoRows = 2 * aRow, threeRows = 3 * aRow;
        float* a4 = a + 4 * aRow;
        for (; steps > 0; steps--)
        {
            Vector128<float> b0 = Vector128.Load(b), b1 = Vector128.Load(b + 4);
            var x = Vector128.Create(a[0]);
            c00 = VectorMath.MultiplyAdd(x, b0, c00);
            c01 = VectorMath.MultiplyAdd(x, b1, c01);
            x = Vector128.Create(a[aRow]);
            c10 = VectorMath.MultiplyAdd(x, b0, c10);
            c11 = VectorMath.MultiplyAdd(x, b1, c11);
            x = Vector128.Create(a[twoRows]);
            c20 = VectorMath.MultiplyAdd(x, b0, c20);
            c21 = VectorMath.MultiplyAdd(x, b1, c21);
            x = Vector128.Create(a[threeRows]);
            c30 = VectorMath.MultiplyAdd(x, b0, c30);
            c31 = VectorMath.MultiplyAdd(x, b1, c31);
            x = Vector128.Create(a4[0]);
            c40 = VectorMath.MultiplyAdd(x, b0, c40);
            c41 = VectorMath.MultiplyAdd(x, b1, c41);
            x = Vector128.Create(a4[aRow]);
            c50 = VectorMath.MultiplyAdd(x, b0, c50);
            c51 = VectorMath.MultiplyAdd(x, b1, c51);
            x = Vector128.Create(a4[twoRows]);
            c60 = VectorMath.MultiplyAdd(x, b0, c60);
            c61 = VectorMath.MultiplyAdd(x, b1, c61);
            x = Vector128.Create(a4[threeRows]);
            c70 = VectorMath.MultiplyAdd(x, b0, c70);
            c71 = VectorMath.MultiplyAdd(x, b1, c71);
            a += aStep;
            a4 += aStep;
            b += 8;
        }
        Write(c, c00, c01, add);
        Write(c + cRow, c10, c11, add);
        Write(c + 2 * cRow, c20, c21, add);
        Write(c + 3 * cRow, c30, c31, add);
        Write(c + 4 * cRow, c40, c41, add);
        Write(c + 5 * cRow, c50, c51, add);
        Write(c + 6 * cRow, c60, c61, add);
        Write(c + 7 * cRow, c70, c71, add);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static unsafe void Write(float* c, Vector128<float> left, Vector128<float> right, bool add)
    {
        if (add) (left, right) = (left + Vector128.Load(c), right + Vector128.Load(c + 4));
        left.Store(c);
        right.Store(c + 4);
    }
}
