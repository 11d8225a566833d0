using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Finery.Data.Classifiers;

/// <summary>Kernels of training. Eight lanes on every machine and no fused multiply-add, so the results are the same
/// everywhere.</summary>
internal static class FloatVectors
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Dot(ref float a, ref float b, int length)
    {
        var i = 0;
        var sum = 0f;
        if (length >= 8)
        {
            var lanes = Vector256<float>.Zero;
            for (; i + 8 <= length; i += 8)
                lanes += Vector256.LoadUnsafe(ref a, (nuint)i) * Vector256.LoadUnsafe(ref b, (nuint)i);
            var half = lanes.GetLower() + lanes.GetUpper();
            half += Vector128.Shuffle(half, Vector128.Create(2, 3, 0, 1));
            sum = half[0] + half[1];
        }
        for (; i < length; i++)
            sum += Unsafe.Add(ref a, i) * Unsafe.Add(ref b, i);
        return sum;
    }

    /// <summary>target += factor * source.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void AddScaled(ref float target, ref float source, float factor, int length)
    {
        var i = 0;
        var factors = Vector256.Create(factor);
        for (; i + 8 <= length; i += 8)
            (Vector256.LoadUnsafe(ref target, (nuint)i) + factors * Vector256.LoadUnsafe(ref source, (nuint)i))
                .StoreUnsafe(ref target, (nuint)i);
        for (; i < length; i++)
            Unsafe.Add(ref target, i) += factor * Unsafe.Add(ref source, i);
    }

    /// <summary>Softmax in place; relative error of each exponential below 3e-7.</summary>
    /// <param name="values">Padded to a multiple of eight with negative infinity, which becomes zero.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Softmax(Span<float> values)
    {
        var lanes = Vector256.Create(float.NegativeInfinity);
        for (var i = 0; i < values.Length; i += 8)
            lanes = Vector256.Max(lanes, Vector256.Create(values[i..]));
        var max = lanes[0];
        for (var i = 1; i < 8; i++)
            max = Math.Max(max, lanes[i]);
        var sums = Vector256<float>.Zero;
        for (var i = 0; i < values.Length; i += 8)
        {
            var e = Exp(Vector256.Create(values[i..]) - Vector256.Create(max));
            e.CopyTo(values[i..]);
            sums += e;
        }
        var half = sums.GetLower() + sums.GetUpper();
        var factor = Vector256.Create(1 / (half[0] + half[1] + (half[2] + half[3])));
        for (var i = 0; i < values.Length; i += 8)
            (Vector256.Create(values[i..]) * factor).CopyTo(values[i..]);
    }

    // 2^n * e^r with |r| <= ln(2)/2, e^r by its Taylor series; zero below -87.
    private static Vector256<float> Exp(Vector256<float> x)
    {
        var isZero = Vector256.LessThan(x, Vector256.Create(-87f));
        x = Vector256.Max(x, Vector256.Create(-87f));
        var n = Vector256.Round(x * Vector256.Create(1.44269504f));
        // ln 2 in two parts, the first exact in few bits.
        var r = x - n * Vector256.Create(0.693359375f) - n * Vector256.Create(-2.12194440e-4f);
        var p = Vector256.Create(1f / 720);
        p = p * r + Vector256.Create(1f / 120);
        p = p * r + Vector256.Create(1f / 24);
        p = p * r + Vector256.Create(1f / 6);
        p = p * r + Vector256.Create(0.5f);
        p = p * r + Vector256.Create(1f);
        p = p * r + Vector256.Create(1f);
        var scale = ((Vector256.ConvertToInt32(n) + Vector256.Create(127)) << 23).AsSingle();
        return Vector256.ConditionalSelect(isZero, Vector256<float>.Zero, p * scale);
    }
}
