using System.Runtime.InteropServices;
using Finery.Models.Weights;
using Finery.Tensors;

namespace Finery.Training.Monitoring;

/// <summary>Statistics of all values given so far, in double precision: blocks are summed around their first value and merged by the
/// formulas of Pebay (2008), so that no digits are lost where values are alike, nor with their number. Reused without allocation.</summary>
public sealed class Moments
{
    private const int Block = 4096;

    private readonly float[] _wide = new float[Block];
    private double _mean, _m2, _m3, _m4, _squares;
    private long _zeros;

    /// <summary>Finite values.</summary>
    public long Count { get; private set; }

    /// <summary>NaN and infinities, which the rest leaves out.</summary>
    public long NonFinite { get; private set; }

    /// <summary>Mean.</summary>
    public double Mean => Count == 0 ? double.NaN : _mean;

    /// <summary>Root mean square distance from the mean.</summary>
    public double Deviation => Count == 0 ? double.NaN : Math.Sqrt(_m2 / Count);

    /// <summary>Fourth central moment over the squared variance: 3 for a normal distribution; NaN where all values are equal.</summary>
    public double Kurtosis => _m2 > 0 ? Count * _m4 / (_m2 * _m2) : double.NaN;

    /// <summary>Least.</summary>
    public double Min { get; private set; } = double.PositiveInfinity;

    /// <summary>Greatest.</summary>
    public double Max { get; private set; } = double.NegativeInfinity;

    /// <summary>Share of values that are exactly zero.</summary>
    public double ZeroFraction => Count == 0 ? double.NaN : _zeros / (double)Count;

    /// <summary>Sum of the squares; NaN where a value is not finite.</summary>
    public double Squares => NonFinite > 0 ? double.NaN : _squares;

    /// <summary>L2 norm; NaN where a value is not finite.</summary>
    public double Norm => Math.Sqrt(Squares);

    /// <summary>Forgets everything.</summary>
    public void Clear()
    {
        (Count, NonFinite, _zeros) = (0, 0, 0);
        (_mean, _m2, _m3, _m4, _squares) = (0, 0, 0, 0, 0);
        (Min, Max) = (double.PositiveInfinity, double.NegativeInfinity);
    }

    /// <summary>Adds all elements of an F32 or BF16 tensor.</summary>
    public void Add(Tensor tensor)
    {
        if (tensor.Type != DType.BF16)
        {
            Add(tensor.Floats);
            return;
        }
        var narrow = tensor.BFloat16s;
        for (int start = 0; start < narrow.Length; start += Block)
        {
            var part = narrow.Slice(start, Math.Min(Block, narrow.Length - start));
            StoredFloats.WidenBFloat16(MemoryMarshal.AsBytes(part), _wide.AsSpan(0, part.Length));
            AddBlock(_wide.AsSpan(0, part.Length));
        }
    }

    /// <summary>Adds values.</summary>
    public void Add(ReadOnlySpan<float> values)
    {
        for (int start = 0; start < values.Length; start += Block)
            AddBlock(values.Slice(start, Math.Min(Block, values.Length - start)));
    }

    /// <summary>Adds everything <paramref name="other"/> was given.</summary>
    public void Add(Moments other)
    {
        NonFinite += other.NonFinite;
        if (other.Count == 0) return;
        (Min, Max) = (Math.Min(Min, other.Min), Math.Max(Max, other.Max));
        _zeros += other._zeros;
        _squares += other._squares;
        Merge(other.Count, other._mean, other._m2, other._m3, other._m4);
    }

    private void AddBlock(ReadOnlySpan<float> values)
    {
        double shift = float.IsFinite(values[0]) ? values[0] : 0, s1 = 0, s2 = 0, s3 = 0, s4 = 0, squares = 0;
        float min = float.PositiveInfinity, max = float.NegativeInfinity;
        int zeros = 0, lost = 0;
        foreach (float value in values)
        {
            if (!float.IsFinite(value))
            {
                lost++;
                continue;
            }
            double wide = value, d = wide - shift, d2 = d * d;
            squares += wide * wide;
            s1 += d;
            s2 += d2;
            s3 += d2 * d;
            s4 += d2 * d2;
            if (value < min) min = value;
            if (value > max) max = value;
            if (value == 0) zeros++;
        }
        NonFinite += lost;
        int count = values.Length - lost;
        if (count == 0) return;
        (Min, Max) = (Math.Min(Min, min), Math.Max(Max, max));
        _zeros += zeros;
        _squares += squares;
        double n = count, mean = s1 / n, mean2 = mean * mean;
        Merge(count, shift + mean, Math.Max(0, s2 - n * mean2), s3 - 3 * mean * s2 + 2 * n * mean2 * mean,
            s4 - 4 * mean * s3 + 6 * mean2 * s2 - 3 * n * mean2 * mean2);
    }

    private void Merge(long count, double mean, double m2, double m3, double m4)
    {
        double a = Count, b = count, n = a + b, delta = mean - _mean, step = delta / n, step2 = step * step;
        _m4 += m4 + delta * step2 * step * a * b * (a * a - a * b + b * b) + 6 * step2 * (a * a * m2 + b * b * _m2)
            + 4 * step * (a * m3 - b * _m3);
        _m3 += m3 + delta * step2 * a * b * (a - b) + 3 * step * (a * m2 - b * _m2);
        _m2 += m2 + delta * step * a * b;
        _mean += step * b;
        Count += count;
    }
}
