using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;

namespace Finery.Tensors;

/// <summary>Elementary functions on whole registers, one overload per width with the same steps in each.</summary>
/// <remarks>
/// <c>exp(x) = 2^n exp(r)</c> with <c>n = round(x / ln 2)</c> and <c>r = x - n ln 2</c> taken off in two parts (Cody and Waite 1980), so
/// that r is exact; <c>exp(r)</c> on [-ln 2 / 2, ln 2 / 2] is the degree 6 polynomial of Cephes' <c>expf</c>. Error below 2 ulp.
/// Results below the smallest normal number are zero, above the largest are infinity, and NaN stays NaN.
/// </remarks>
internal static class VectorMath
{
    // exp(88.7228) is just below float.MaxValue and exp(-87.3365) just above the smallest normal number.
    private const float Highest = 88.72283f;
    private const float Lowest = -87.33654f;
    private const float Log2E = 1.44269504088896341f;
    private const float Ln2High = 0.693359375f;
    private const float Ln2Low = -2.12194440e-4f;

    // Adding 1.5 * 2^23 rounds to an integer, which is then in the low bits of the sum.
    private const float Rounder = 12582912f;
    private const float C2 = 5.0000001201e-1f;
    private const float C3 = 1.6666665459e-1f;
    private const float C4 = 4.1665795894e-2f;
    private const float C5 = 8.3334519073e-3f;
    private const float C6 = 1.3981999507e-3f;
    private const float C7 = 1.9875691500e-4f;

    /// <summary><c>e^x</c> of four numbers.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Exp(Vector128<float> x)
    {
        // Selects rather than Min and Max, which treat NaN differently on each platform.
        var clamped = Vector128.ConditionalSelect(
            Vector128.GreaterThan(x, Vector128.Create(Highest)), Vector128.Create(Highest), x);
        clamped = Vector128.ConditionalSelect(
            Vector128.LessThan(x, Vector128.Create(Lowest)), Vector128.Create(Lowest), clamped);
        var shifted = MultiplyAdd(clamped, Vector128.Create(Log2E), Vector128.Create(Rounder));
        var n = shifted - Vector128.Create(Rounder);
        var r = MultiplyAdd(n, Vector128.Create(-Ln2High), clamped);
        r = MultiplyAdd(n, Vector128.Create(-Ln2Low), r);
        var p = MultiplyAdd(Vector128.Create(C7), r, Vector128.Create(C6));
        p = MultiplyAdd(p, r, Vector128.Create(C5));
        p = MultiplyAdd(p, r, Vector128.Create(C4));
        p = MultiplyAdd(p, r, Vector128.Create(C3));
        p = MultiplyAdd(p, r, Vector128.Create(C2));
        p = MultiplyAdd(p, r * r, r) + Vector128<float>.One;
        // 2^n in two factors: n reaches 128, whose power is not a float.
        var bits = shifted.AsInt32() - Vector128.Create(Rounder).AsInt32();
        var half = Vector128.ShiftRightArithmetic(bits, 1);
        p *= Vector128.ShiftLeft(half + Vector128.Create(127), 23).AsSingle();
        p *= Vector128.ShiftLeft(bits - half + Vector128.Create(127), 23).AsSingle();
        p = Vector128.ConditionalSelect(
            Vector128.GreaterThan(x, Vector128.Create(Highest)), Vector128.Create(float.PositiveInfinity), p);
        return Vector128.AndNot(p, Vector128.LessThan(x, Vector128.Create(Lowest)));
    }

    /// <summary><c>e^x</c> of eight numbers.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Exp(Vector256<float> x)
    {
        var clamped = Vector256.ConditionalSelect(
            Vector256.GreaterThan(x, Vector256.Create(Highest)), Vector256.Create(Highest), x);
        clamped = Vector256.ConditionalSelect(
            Vector256.LessThan(x, Vector256.Create(Lowest)), Vector256.Create(Lowest), clamped);
        var shifted = MultiplyAdd(clamped, Vector256.Create(Log2E), Vector256.Create(Rounder));
        var n = shifted - Vector256.Create(Rounder);
        var r = MultiplyAdd(n, Vector256.Create(-Ln2High), clamped);
        r = MultiplyAdd(n, Vector256.Create(-Ln2Low), r);
        var p = MultiplyAdd(Vector256.Create(C7), r, Vector256.Create(C6));
        p = MultiplyAdd(p, r, Vector256.Create(C5));
        p = MultiplyAdd(p, r, Vector256.Create(C4));
        p = MultiplyAdd(p, r, Vector256.Create(C3));
        p = MultiplyAdd(p, r, Vector256.Create(C2));
        p = MultiplyAdd(p, r * r, r) + Vector256<float>.One;
        var bits = shifted.AsInt32() - Vector256.Create(Rounder).AsInt32();
        var half = Vector256.ShiftRightArithmetic(bits, 1);
        p *= Vector256.ShiftLeft(half + Vector256.Create(127), 23).AsSingle();
        p *= Vector256.ShiftLeft(bits - half + Vector256.Create(127), 23).AsSingle();
        p = Vector256.ConditionalSelect(
            Vector256.GreaterThan(x, Vector256.Create(Highest)), Vector256.Create(float.PositiveInfinity), p);
        return Vector256.AndNot(p, Vector256.LessThan(x, Vector256.Create(Lowest)));
    }

    /// <summary><c>e^x</c> of sixteen numbers.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Exp(Vector512<float> x)
    {
        var clamped = Vector512.ConditionalSelect(
            Vector512.GreaterThan(x, Vector512.Create(Highest)), Vector512.Create(Highest), x);
        clamped = Vector512.ConditionalSelect(
            Vector512.LessThan(x, Vector512.Create(Lowest)), Vector512.Create(Lowest), clamped);
        var shifted = MultiplyAdd(clamped, Vector512.Create(Log2E), Vector512.Create(Rounder));
        var n = shifted - Vector512.Create(Rounder);
        var r = MultiplyAdd(n, Vector512.Create(-Ln2High), clamped);
        r = MultiplyAdd(n, Vector512.Create(-Ln2Low), r);
        var p = MultiplyAdd(Vector512.Create(C7), r, Vector512.Create(C6));
        p = MultiplyAdd(p, r, Vector512.Create(C5));
        p = MultiplyAdd(p, r, Vector512.Create(C4));
        p = MultiplyAdd(p, r, Vector512.Create(C3));
        p = MultiplyAdd(p, r, Vector512.Create(C2));
        p = MultiplyAdd(p, r * r, r) + Vector512<float>.One;
        var bits = shifted.AsInt32() - Vector512.Create(Rounder).AsInt32();
        var half = Vector512.ShiftRightArithmetic(bits, 1);
        p *= Vector512.ShiftLeft(half + Vector512.Create(127), 23).AsSingle();
        p *= Vector512.ShiftLeft(bits - half + Vector512.Create(127), 23).AsSingle();
        p = Vector512.ConditionalSelect(
            Vector512.GreaterThan(x, Vector512.Create(Highest)), Vector512.Create(float.PositiveInfinity), p);
        return Vector512.AndNot(p, Vector512.LessThan(x, Vector512.Create(Lowest)));
    }

    /// <summary><c>e^x</c> of four numbers, none above 0.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> ExpNonPositive(Vector128<float> x)
    {
        var n = MultiplyAdd(x, Vector128.Create(Log2E), Vector128.Create(Rounder));
        var bits = n.AsInt32() - Vector128.Create(Rounder - 127).AsInt32();
        n -= Vector128.Create(Rounder);
        var r = MultiplyAdd(n, Vector128.Create(-Ln2High), x);
        r = MultiplyAdd(n, Vector128.Create(-Ln2Low), r);
        var p = MultiplyAdd(Vector128.Create(C7), r, Vector128.Create(C6));
        p = MultiplyAdd(p, r, Vector128.Create(C5));
        p = MultiplyAdd(p, r, Vector128.Create(C4));
        p = MultiplyAdd(p, r, Vector128.Create(C3));
        p = MultiplyAdd(p, r, Vector128.Create(C2));
        p = MultiplyAdd(p, r * r, r) + Vector128<float>.One;
        p *= Vector128.ShiftLeft(bits, 23).AsSingle();
        // Where x is below the limit, n and p mean nothing.
        return Vector128.AndNot(p, Vector128.LessThan(x, Vector128.Create(Lowest)));
    }

    /// <summary><c>e^x</c> of eight numbers, none above 0.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> ExpNonPositive(Vector256<float> x)
    {
        var n = MultiplyAdd(x, Vector256.Create(Log2E), Vector256.Create(Rounder));
        var bits = n.AsInt32() - Vector256.Create(Rounder - 127).AsInt32();
        n -= Vector256.Create(Rounder);
        var r = MultiplyAdd(n, Vector256.Create(-Ln2High), x);
        r = MultiplyAdd(n, Vector256.Create(-Ln2Low), r);
        var p = MultiplyAdd(Vector256.Create(C7), r, Vector256.Create(C6));
        p = MultiplyAdd(p, r, Vector256.Create(C5));
        p = MultiplyAdd(p, r, Vector256.Create(C4));
        p = MultiplyAdd(p, r, Vector256.Create(C3));
        p = MultiplyAdd(p, r, Vector256.Create(C2));
        p = MultiplyAdd(p, r * r, r) + Vector256<float>.One;
        p *= Vector256.ShiftLeft(bits, 23).AsSingle();
        // Where x is below the limit, n and p mean nothing.
        return Vector256.AndNot(p, Vector256.LessThan(x, Vector256.Create(Lowest)));
    }

    /// <summary><c>e^x</c> of sixteen numbers, none above 0.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> ExpNonPositive(Vector512<float> x)
    {
        var n = MultiplyAdd(x, Vector512.Create(Log2E), Vector512.Create(Rounder));
        var bits = n.AsInt32() - Vector512.Create(Rounder - 127).AsInt32();
        n -= Vector512.Create(Rounder);
        var r = MultiplyAdd(n, Vector512.Create(-Ln2High), x);
        r = MultiplyAdd(n, Vector512.Create(-Ln2Low), r);
        var p = MultiplyAdd(Vector512.Create(C7), r, Vector512.Create(C6));
        p = MultiplyAdd(p, r, Vector512.Create(C5));
        p = MultiplyAdd(p, r, Vector512.Create(C4));
        p = MultiplyAdd(p, r, Vector512.Create(C3));
        p = MultiplyAdd(p, r, Vector512.Create(C2));
        p = MultiplyAdd(p, r * r, r) + Vector512<float>.One;
        p *= Vector512.ShiftLeft(bits, 23).AsSingle();
        // Where x is below the limit, n and p mean nothing.
        return Vector512.AndNot(p, Vector512.LessThan(x, Vector512.Create(Lowest)));
    }

    /// <summary><c>a b + c</c>, rounded once wherever the processor can. (MultiplyAddEstimate may differ between JIT tiers.)</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> MultiplyAdd(Vector128<float> a, Vector128<float> b, Vector128<float> c) =>
        Fma.IsSupported || AdvSimd.IsSupported ? Vector128.FusedMultiplyAdd(a, b, c) : a * b + c;

    /// <summary><c>a b + c</c>, rounded once wherever the processor can.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> MultiplyAdd(Vector256<float> a, Vector256<float> b, Vector256<float> c) =>
        Fma.IsSupported ? Vector256.FusedMultiplyAdd(a, b, c) : a * b + c;

    /// <summary><c>a b + c</c>, rounded once wherever the processor can.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> MultiplyAdd(Vector512<float> a, Vector512<float> b, Vector512<float> c) =>
        Avx512F.IsSupported ? Vector512.FusedMultiplyAdd(a, b, c) : a * b + c;
}
