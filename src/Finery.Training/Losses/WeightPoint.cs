using System.ComponentModel;
using System.Globalization;

namespace Finery.Training.Losses;

/// <summary>Weights at a moment of a run. Between two points they change linearly; of two points at one moment the later holds from there
/// on, which is a jump.</summary>
public sealed record WeightPoint
{
    /// <summary>Part of the run's steps that is done: 0 to 1.</summary>
    [Description("part of the run that is done, 0 to 1")]
    public double At { get; init; }

    /// <summary>The weights.</summary>
    [Description("the weights there")]
    public IReadOnlyList<double> Weights { get; init; } = [];

    /// <summary>Everything wrong with a list of points of <paramref name="count"/> weights each.</summary>
    internal static IEnumerable<string> Faults(IReadOnlyList<WeightPoint> points, int count)
    {
        for (int i = 0; i < points.Count; i++)
        {
            var point = points[i];
            if (!(point.At is >= 0 and <= 1)) yield return $"point {i} is at {point.At}; expected 0 to 1, a part of the run.";
            if (i > 0 && point.At < points[i - 1].At) yield return $"point {i} at {point.At} comes after one at {points[i - 1].At}.";
            if (point.Weights.Count != count) yield return $"point {i} has {point.Weights.Count} weights; expected {count}.";
            if (point.Weights.Any(weight => !(weight >= 0 && double.IsFinite(weight))))
                yield return $"point {i} has weights {string.Join(", ", point.Weights)}; expected finite numbers from 0.";
        }
    }

    /// <summary>The weight <paramref name="index"/> when <paramref name="progress"/> of the run is done.</summary>
    internal static double Of(IReadOnlyList<WeightPoint> points, int index, double progress)
    {
        int next = 0;
        while (next < points.Count && points[next].At <= progress) next++;
        if (next == 0) return points[0].Weights[index];
        var (from, value) = (points[next - 1], points[next - 1].Weights[index]);
        if (next == points.Count) return value;
        double part = (progress - from.At) / (points[next].At - from.At);
        return value + part * (points[next].Weights[index] - value);
    }

    /// <summary>The points in words, exactly.</summary>
    internal static string Describe(IEnumerable<WeightPoint> points) =>
        string.Join(" ", points.Select(point => $"{Text(point.At)}:{Describe(point.Weights)}"));

    /// <summary>Weights in words, exactly.</summary>
    internal static string Describe(IEnumerable<double> weights) => string.Join(",", weights.Select(Text));

    private static string Text(double value) => value.ToString("R", CultureInfo.InvariantCulture);
}
