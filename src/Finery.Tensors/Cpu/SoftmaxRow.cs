using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Finery.Tensors;

/// <summary>Passes over one row of logits.</summary>
internal static unsafe class SoftmaxRow
{
    // Partial sums in single precision are this long; their sum is in double.
    private const int Block = 1024;

    /// <summary>Largest element; NaN where there is one.</summary>
    public static float Max(float* row, int length)
    {
        int i = 0;
        float max = float.NegativeInfinity;
        if (Vector512.IsHardwareAccelerated && length >= 16)
        {
            var lanes = Vector512.Create(max);
            for (; i + 16 <= length; i += 16) lanes = Vector512.Max(lanes, Vector512.Load(row + i));
            for (int lane = 0; lane < 16; lane++) max = MathF.Max(max, lanes[lane]);
        }
        else if (Vector256.IsHardwareAccelerated && length >= 8)
        {
            var lanes = Vector256.Create(max);
            for (; i + 8 <= length; i += 8) lanes = Vector256.Max(lanes, Vector256.Load(row + i));
            for (int lane = 0; lane < 8; lane++) max = MathF.Max(max, lanes[lane]);
        }
        else if (length >= 4)
        {
            var lanes = Vector128.Create(max);
            for (; i + 4 <= length; i += 4) lanes = Vector128.Max(lanes, Vector128.Load(row + i));
            for (int lane = 0; lane < 4; lane++) max = MathF.Max(max, lanes[lane]);
        }
        for (; i < length; i++) max = MathF.Max(max, row[i]);
        return max;
    }

    /// <summary>Sum of <c>exp(row[i] - max)</c>; the exponentials replace the row where <paramref name="store"/>.</summary>
    public static double ExpSum(float* row, int length, float max, bool store)
    {
        double total = 0;
        for (int start = 0; start < length; start += Block)
        {
            int count = Math.Min(Block, length - start);
            total += Vector512.IsHardwareAccelerated ? Exp512(row + start, count, max, store)
                : Vector256.IsHardwareAccelerated ? Exp256(row + start, count, max, store) : Exp128(row + start, count, max, store);
        }
        return total;
    }

    /// <summary>Multiplies the row by <paramref name="factor"/>.</summary>
    public static void Scale(float* row, int length, float factor)
    {
        int i = 0;
        if (Vector512.IsHardwareAccelerated)
        {
            for (; i + 16 <= length; i += 16) (Vector512.Load(row + i) * factor).Store(row + i);
        }
        else if (Vector256.IsHardwareAccelerated)
        {
            for (; i + 8 <= length; i += 8) (Vector256.Load(row + i) * factor).Store(row + i);
        }
        for (; i + 4 <= length; i += 4) (Vector128.Load(row + i) * factor).Store(row + i);
        for (; i < length; i++) row[i] *= factor;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float Exp512(float* row, int length, float max, bool store)
    {
        var (sum, shift) = (Vector512<float>.Zero, Vector512.Create(max));
        int i = 0;
        for (; i + 16 <= length; i += 16)
        {
            var e = VectorMath.Exp(Vector512.Load(row + i) - shift);
            if (store) e.Store(row + i);
            sum += e;
        }
        return Vector512.Sum(sum) + Tail(row + i, length - i, max, store);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float Exp256(float* row, int length, float max, bool store)
    {
        var (sum, shift) = (Vector256<float>.Zero, Vector256.Create(max));
        int i = 0;
        for (; i + 8 <= length; i += 8)
        {
            var e = VectorMath.Exp(Vector256.Load(row + i) - shift);
            if (store) e.Store(row + i);
            sum += e;
        }
        return Vector256.Sum(sum) + Tail(row + i, length - i, max, store);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float Exp128(float* row, int length, float max, bool store)
    {
        var (sum, shift) = (Vector128<float>.Zero, Vector128.Create(max));
        int i = 0;
        for (; i + 4 <= length; i += 4)
        {
            var e = VectorMath.Exp(Vector128.Load(row + i) - shift);
            if (store) e.Store(row + i);
            sum += e;
        }
        return Vector128.Sum(sum) + Tail(row + i, length - i, max, store);
    }

    private static float Tail(float* row, int length, float max, bool store)
    {
        float sum = 0;
        for (int i = 0; i < length; i++)
        {
            float e = VectorMath.Exp(Vector128.CreateScalar(row[i] - max)).ToScalar();
            if (store) row[i] = e;
            sum += e;
        }
        return sum;
    }
}
