using Finery.Training.Scaling;
using Finery.Workflow.Steps;

namespace Finery.Workflow.Scaling;

/// <summary>A figure of a fit with the middle 95% of its bootstrap.</summary>
public sealed record FittedFigure(string Name, double Value, double? Low = null, double? High = null);

/// <summary>A run beside what the law says.</summary>
/// <param name="Name">Of the run.</param>
/// <param name="Parameters">N.</param>
/// <param name="Tokens">D, repetitions included.</param>
/// <param name="Loss">Measured.</param>
/// <param name="Predicted">By the law.</param>
/// <param name="ErrorPercent">Prediction over measurement, less one.</param>
/// <param name="Low">Low end of the bootstrap's predictions, for a run that was held out.</param>
/// <param name="High">High end.</param>
public sealed record FittedRun(
    string Name, double Parameters, double Tokens, double Loss, double Predicted, double ErrorPercent, double? Low = null,
        double? High = null);

/// <summary>How a loss law is fitted.</summary>
public sealed record LossStudyOptions
{
    /// <summary>Where descents begin.</summary>
    public FitStarts Starts { get; init; }

    /// <summary>Fit E, A and B only, with these exponents.</summary>
    public ScalingLaw? Exponents { get; init; }

    /// <summary>Resamples of the bootstrap; 0 for none.</summary>
    public int Resamples { get; init; }

    /// <summary>Seed of the bootstrap.</summary>
    public ulong Seed { get; init; }

    /// <summary>Name of a run to hold out, or <c>largest</c>; null for none.</summary>
    public string? Holdout { get; init; }
}

/// <summary>A loss law fitted to runs, with all that says how far to trust it. Also the file that <c>scaling plan</c>
/// reads.</summary>
public sealed record LossStudy
{
    /// <summary>The name that holds out the run of most operations.</summary>
    public const string Largest = "largest";

    // Five figures from fewer runs say little.
    private const int Comfortable = 10;

    // Beyond this many times the largest run a prediction is a hope.
    private const double Extrapolation = 100;

    /// <summary><c>parametric</c> or <c>constants</c>.</summary>
    public required string Method { get; init; }

    /// <summary>What N counts.</summary>
    public required string Counting { get; init; }

    /// <summary>The law.</summary>
    public required ScalingLaw Law { get; init; }

    /// <summary>Its constants and the exponents of the optimum, with intervals.</summary>
    public required IReadOnlyList<FittedFigure> Figures { get; init; }

    /// <summary>Fewest operations of a run it was fitted to.</summary>
    public required double LeastOperations { get; init; }

    /// <summary>Most operations of a run it was fitted to.</summary>
    public required double MostOperations { get; init; }

    /// <summary>Runs it was fitted to.</summary>
    public required IReadOnlyList<FittedRun> Runs { get; init; }

    /// <summary>The run held out, with all others of its size and length.</summary>
    public FittedRun? HeldOut { get; init; }

    /// <summary>Root of the mean square of the errors of <see cref="Runs"/>.</summary>
    public required double RootMeanSquarePercent { get; init; }

    /// <summary>What to be careful about.</summary>
    public required IReadOnlyList<string> Warnings { get; init; }

    /// <summary>Fits.</summary>
    /// <exception cref="ArgumentException">The runs do not allow it; the message says why.</exception>
    /// <exception cref="RecipeException">No run has the name to be held out.</exception>
    public static LossStudy Make(IReadOnlyList<ScalingRun> runs, string counting, LossStudyOptions options)
    {
        var held = HeldOutOf(runs, options.Holdout);
        // Its repetitions with other seeds would give the answer away.
        var used = runs.Where(run => held is null
            || (run.Point.Parameters, run.Point.Tokens) != (held.Point.Parameters, held.Point.Tokens)).ToArray();
        ScalingPoint[] points = [.. used.Select(run => run.Point)];
        bool all = options.Exponents is null;
        var law = all ? ScalingFit.Parametric(points, options.Starts) : ScalingFit.Constants(points, options.Exponents!);
        var laws = all && options.Resamples > 0 ? ScalingFit.Bootstrap(points, law, options.Resamples, options.Seed) : [];
        FittedFigure Figure(string name, Func<ScalingLaw, double> figure)
        {
            if (laws.Count == 0) return new(name, figure(law));
            var (low, high) = ScalingFit.Interval(laws, figure);
            return new(name, figure(law), low, high);
        }
        FittedRun Beside(ScalingRun run)
        {
            double Predict(ScalingLaw by) => by.Loss(run.Point.Parameters, run.Point.Tokens, run.Point.UniqueTokens);
            double predicted = Predict(law);
            var fitted = new FittedRun(run.Name, run.Point.Parameters, run.Point.Tokens, run.Point.Loss, predicted,
                100 * (predicted / run.Point.Loss - 1));
            if (run != held || laws.Count == 0) return fitted;
            var (low, high) = ScalingFit.Interval(laws, Predict);
            return fitted with { Low = low, High = high };
        }
        FittedRun[] beside = [.. used.Select(Beside)];
        return new()
        {
            Method = all ? "parametric" : "constants",
            Counting = counting,
            Law = law,
            Figures =
            [
                Figure("E", by => by.E), Figure("A", by => by.A), Figure("alpha", by => by.Alpha), Figure("B", by => by.B),
                Figure("beta", by => by.Beta),
                Figure("exponent of N*", by => by.Beta / (by.Alpha + by.Beta)),
                Figure("exponent of D*", by => by.Alpha / (by.Alpha + by.Beta)),
            ],
            LeastOperations = points.Min(point => point.Operations),
            MostOperations = points.Max(point => point.Operations),
            Runs = beside,
            HeldOut = held is null ? null : Beside(held),
            RootMeanSquarePercent = Math.Sqrt(beside.Average(run => run.ErrorPercent * run.ErrorPercent)),
            Warnings = [.. Doubts(points, law, all, held)],
        };
    }

    /// <summary>Which run a name means; null for no name.</summary>
    /// <exception cref="RecipeException">None, or several.</exception>
    public static ScalingRun? HeldOutOf(IReadOnlyList<ScalingRun> runs, string? name)
    {
        if (name is null) return null;
        if (name == Largest) return runs.Where(run => double.IsFinite(run.Operations)).MaxBy(run => run.Operations);
        string wanted = name.Replace('\\', '/').TrimEnd('/');
        var found = runs.Where(run => run.Name == wanted || run.Name.EndsWith('/' + wanted, StringComparison.Ordinal)
            || run.Name.StartsWith(wanted[(wanted.LastIndexOf('/') + 1)..] + '/', StringComparison.Ordinal)).ToArray();
        return found.Length == 1 ? found[0]
            : throw new RecipeException($"--holdout {name}: {found.Length} runs have this name; there are "
            + $"{string.Join(", ", runs.Select(run => run.Name).Take(20))}, or 'largest'.");
    }

    private static IEnumerable<string> Doubts(ScalingPoint[] points, ScalingLaw law, bool all, ScalingRun? held)
    {
        if (all && points.Length < Comfortable)
            yield return $"{points.Length} runs for five figures: with few runs 'constants' keeps published exponents and fits E, A and B";
        if (law.Alpha <= 0 || law.Beta <= 0) yield return "an exponent is not positive: the runs do not follow the law";
        if (law.A < 1e-6 || law.B < 1e-6) yield return "a term vanished: the runs do not show what size or data alone do";
        if (held is { } run && run.Operations > Extrapolation * points.Max(point => point.Operations))
            yield return "the run held out has over 100 times the operations of the largest used";
    }

    /// <summary>As JSON.</summary>
    public string ToJson() => ScalingReport.Json(this);
}
