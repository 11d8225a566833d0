using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using System.Globalization;

namespace Finery.Workflow.Sweeps;

/// <summary>How two variants are compared.</summary>
public enum ClaimMeasure
{
    /// <summary>How much better the metric of one is.</summary>
    Difference,

    /// <summary>The metric of one over that of the other.</summary>
    Ratio,

    /// <summary>The share of the other's steps after which one has reached the other's final loss.</summary>
    StepsToReach,

    /// <summary>How far a scaling law fitted to the trials of all other variants is from the metric of one, as a share of it.</summary>
    Prediction,
}

/// <summary>A published finding in a form that a sweep can test.</summary>
public sealed record SweepClaim
{
    /// <summary>The finding in words.</summary>
    [Description("the finding in words")]
    public required string Statement { get; init; }

    /// <summary>Variant that is said to be better; with <see cref="ClaimMeasure.Prediction"/>, the one predicted.</summary>
    [Description("variant that is said to be better; the one predicted, by prediction")]
    public required string Better { get; init; }

    /// <summary>Variant it is compared with; null with <see cref="ClaimMeasure.Prediction"/>, which uses all others.</summary>
    [Description("variant it is compared with; none by prediction, which uses all others")]
    public string? Than { get; init; }

    /// <summary>How.</summary>
    [Description("difference, ratio, steps_to_reach or prediction")]
    public ClaimMeasure By { get; init; }

    /// <summary>What must be reached: a difference of at least so much in the better direction (0), a ratio or share of steps of
    /// at most so much (1; at least, for a ratio of a metric to maximize), a prediction off by at most so much (0.02).</summary>
    [Description("what must be reached")]
    public double? Threshold { get; init; }

    /// <summary>How many standard errors the measured figure must be beyond the threshold.</summary>
    [Description("standard errors the figure must be beyond the threshold"), Range(0, 10)]
    public double StandardErrors { get; init; } = 2;

    /// <summary>What is wrong with it.</summary>
    public IEnumerable<(string Property, string Message)> Validate()
    {
        if ((By == ClaimMeasure.Prediction) != (Than is null))
            yield return (nameof(Than), Than is null ? "give 'than', the variant to compare with."
                : "'than' is not used by prediction: the law is fitted to all other variants.");
    }

    /// <summary>Judges figures of seed pairs.</summary>
    /// <param name="figures">One a pair: by <see cref="By"/>; infinite where the end was never reached.</param>
    /// <param name="goal">Of the sweep.</param>
    internal (bool Reproduced, double Mean, double Error, string Criterion) Judge(IReadOnlyList<double> figures, SweepGoal goal)
    {
        bool low = By is ClaimMeasure.StepsToReach or ClaimMeasure.Prediction || (By == ClaimMeasure.Ratio && goal == SweepGoal.Minimize);
        double neutral = By is ClaimMeasure.Difference or ClaimMeasure.Prediction ? 0 : 1;
        double threshold = Threshold ?? (By == ClaimMeasure.Prediction ? 0.02 : neutral);
        var (mean, _, error) = Statistics.Of(figures);
        double bound = double.IsFinite(error) ? mean + (low ? 1 : -1) * StandardErrors * error : mean;
        // Equal is not better.
        bool reached = threshold == neutral ? (low ? bound < threshold : bound > threshold)
            : low ? bound <= threshold : bound >= threshold;
        string what = By switch
        {
            ClaimMeasure.Difference => "mean difference", ClaimMeasure.Ratio => "mean ratio",
            ClaimMeasure.Prediction => "mean error", _ => "mean share of the steps",
        };
        string sign = low ? "plus" : "minus", relation = (threshold == neutral, low) switch
        {
            (true, true) => "below", (true, false) => "above", (false, true) => "at most", _ => "at least",
        };
        string criterion = figures.Count < 2 ? $"{what} {relation} {Text(threshold)}; one seed, so its error is unknown"
            : $"{what} {sign} {Text(StandardErrors)} standard errors {relation} {Text(threshold)}";
        return (reached, mean, error, criterion);
    }

    private static string Text(double value) => value.ToString("0.######", CultureInfo.InvariantCulture);
}
