using Finery.Data.Filters;

namespace Finery.Data.Curation;

/// <summary>The measured values of one rule over many documents: a histogram around its threshold.</summary>
public sealed class RuleStatistics
{
    /// <summary>Bins of equal width from <see cref="Low"/> to <see cref="High"/>; values beyond fall into the outer
    /// ones.</summary>
    public const int BinCount = 40;

    /// <summary>How the rule compares.</summary>
    public RuleKind Kind { get; set; }

    /// <summary>Its threshold.</summary>
    public double Threshold { get; set; }

    /// <summary>Documents measured.</summary>
    public long Count { get; set; }

    /// <summary>Documents that failed.</summary>
    public long Failed { get; set; }

    /// <summary>Least value; 0 if none.</summary>
    public double Min { get; set; }

    /// <summary>Greatest value; 0 if none.</summary>
    public double Max { get; set; }

    /// <summary>Documents by value; empty for what has no threshold.</summary>
    public long[] Bins { get; set; } = [];

    /// <summary>Lower end of the histogram: the threshold stands in the middle of one side from zero.</summary>
    public double Low => Threshold == 0 ? -1 : Math.Min(0, 2 * Threshold);

    /// <summary>Upper end of the histogram.</summary>
    public double High => Threshold == 0 ? 1 : Math.Max(0, 2 * Threshold);

    internal void Add(in Measurement measurement)
    {
        (Kind, Threshold) = (measurement.Kind, measurement.Threshold);
        var value = measurement.Value;
        if (!double.IsNaN(value))
            (Min, Max) = Count == 0 ? (value, value) : (Math.Min(Min, value), Math.Max(Max, value));
        Count++;
        Failed += measurement.Failed ? 1 : 0;
        if (Kind is not (RuleKind.AtMost or RuleKind.AtLeast))
            return;
        if (Bins.Length == 0)
            Bins = new long[BinCount];
        var bin = (value - Low) / (High - Low) * BinCount;
        Bins[double.IsNaN(bin) ? 0 : (int)Math.Clamp(bin, 0, BinCount - 1)]++;
    }

    internal void Merge(RuleStatistics other)
    {
        if (other.Count == 0)
            return;
        (Min, Max) = Count == 0 ? (other.Min, other.Max) : (Math.Min(Min, other.Min), Math.Max(Max, other.Max));
        (Kind, Threshold) = (other.Kind, other.Threshold);
        Count += other.Count;
        Failed += other.Failed;
        if (Bins.Length == 0)
            Bins = new long[other.Bins.Length];
        for (var i = 0; i < other.Bins.Length; i++)
            Bins[i] += other.Bins[i];
    }
}
