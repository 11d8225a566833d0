namespace Finery.Training.Scaling;

/// <summary>A power of the operations of a run.</summary>
/// <param name="Coefficient">Value at C = 1.</param>
/// <param name="Exponent">Of C.</param>
public readonly record struct PowerLaw(double Coefficient, double Exponent)
{
    /// <summary>Value at C operations.</summary>
    public double At(double operations) => Coefficient * Math.Pow(operations, Exponent);

    /// <summary>Least squares between the logarithms.</summary>
    public static PowerLaw Fit(IReadOnlyList<(double Operations, double Value)> points)
    {
        double[] x = [.. points.Select(point => Math.Log(point.Operations))],
            y = [.. points.Select(point => Math.Log(point.Value))];
        var (intercept, slope) = Line(x, y);
        return new(Math.Exp(intercept), slope);
    }

    /// <summary>Least squares line, about the means so that large values lose no digits.</summary>
    internal static (double Intercept, double Slope) Line(double[] x, double[] y)
    {
        double meanX = x.Average(), meanY = y.Average();
        double slope = x.Zip(y, (a, b) => (a - meanX) * (b - meanY)).Sum() / x.Sum(a => (a - meanX) * (a - meanX));
        return (meanY - slope * meanX, slope);
    }
}

/// <summary>Runs of one budget and the parabola through them.</summary>
/// <param name="Operations">C, geometric mean over the runs.</param>
/// <param name="Runs">How many.</param>
/// <param name="Tokens">Of the lowest loss; NaN if the parabola has no minimum.</param>
/// <param name="Parameters">Of the lowest loss, C / (6 D).</param>
/// <param name="Loss">The lowest.</param>
/// <param name="Warnings">Why the minimum may be biased or is missing.</param>
public sealed record IsoFlopBudget(
    double Operations, int Runs, double Tokens, double Parameters, double Loss, IReadOnlyList<string> Warnings);

/// <summary>
/// Compute-optimal sizes from runs at equal budgets (approach 2 of Hoffmann et al. 2022; reference 6): for every budget a
/// parabola of the loss in the logarithm of the tokens, then power laws through the minima. A parabola is biased where its runs
/// are spread widely or lie to one side of the minimum; that is said, not corrected.
/// </summary>
/// <param name="Budgets">By budget, smallest first.</param>
/// <param name="Tokens">D*(C).</param>
/// <param name="Parameters">N*(C).</param>
public sealed record IsoFlopFit(IReadOnlyList<IsoFlopBudget> Budgets, PowerLaw Tokens, PowerLaw Parameters)
{
    // Of a budget: runs are rarely of exactly equal cost.
    private const double SameBudget = 0.15;

    private const double WidestGrid = 16;

    /// <summary>Fits.</summary>
    /// <param name="runs">Operations of each run and the run; those within 15% are one budget.</param>
    /// <exception cref="ArgumentException">Fewer than two budgets have a minimum.</exception>
    public static IsoFlopFit Fit(IReadOnlyList<(double Operations, ScalingPoint Point)> runs)
    {
        if (runs.Any(run => !(run.Operations > 0 && run.Point.Tokens > 0 && run.Point.Loss > 0)))
            throw new ArgumentException("Operations, tokens and loss of every run must be positive.", nameof(runs));
        var budgets = Group(runs).Select(Parabola).ToArray();
        var minima = budgets.Where(budget => double.IsFinite(budget.Tokens)).ToArray();
        if (minima.Length < 2)
            throw new ArgumentException($"{budgets.Length} budgets, of which {minima.Length} have a minimum; at least 2 are needed, each "
                + "of 3 runs or more of different length at about equal 6 N D.", nameof(runs));
        return new(budgets, PowerLaw.Fit([.. minima.Select(budget => (budget.Operations, budget.Tokens))]),
            PowerLaw.Fit([.. minima.Select(budget => (budget.Operations, budget.Parameters))]));
    }

    private static IEnumerable<List<(double Operations, ScalingPoint Point)>> Group(
        IReadOnlyList<(double Operations, ScalingPoint Point)> runs)
    {
        List<(double Operations, ScalingPoint Point)>? group = null;
        foreach (var run in runs.OrderBy(run => run.Operations).ThenBy(run => run.Point.Tokens))
        {
            if (group is null || run.Operations > group[0].Operations * (1 + SameBudget))
            {
                if (group is not null) yield return group;
                group = [];
            }
            group.Add(run);
        }
        if (group is not null) yield return group;
    }

    private static IsoFlopBudget Parabola(List<(double Operations, ScalingPoint Point)> runs)
    {
        double operations = Math.Exp(runs.Average(run => Math.Log(run.Operations)));
        double[] x = [.. runs.Select(run => Math.Log(run.Point.Tokens))], y = [.. runs.Select(run => run.Point.Loss)];
        if (x.Distinct().Count() < 3)
            return new(operations, runs.Count, double.NaN, double.NaN, double.NaN, ["fewer than 3 runs of different length"]);
        double middle = (x.Min() + x.Max()) / 2, half = (x.Max() - x.Min()) / 2;
        // On [-1, 1], where the normal equations keep their digits.
        double[] u = [.. x.Select(value => (value - middle) / half)];
        var (constant, linear, square) = Quadratic(u, y);
        if (!(square > 0)) return new(operations, runs.Count, double.NaN, double.NaN, double.NaN, ["the loss has no minimum"]);
        double at = -linear / (2 * square), tokens = Math.Exp(middle + at * half);
        var warnings = new List<string>();
        if (Math.Abs(at) > 1) warnings.Add("the minimum lies outside the runs: extrapolated");
        else if (Math.Abs(at) > 0.5) warnings.Add("the minimum is off-centre: add runs on its other side");
        if (2 * half > Math.Log(WidestGrid) + 1e-9)
            warnings.Add($"the runs span more than a factor of {WidestGrid} in tokens: a parabola is biased");
        return new(operations, runs.Count, tokens, operations / (6 * tokens), constant - linear * linear / (4 * square),
            warnings);
    }

    /// <summary>Least squares by orthogonal polynomials over the points themselves.</summary>
    private static (double Constant, double Linear, double Square) Quadratic(double[] u, double[] y)
    {
        double mean = u.Average();
        double[] first = [.. u.Select(value => value - mean)];
        double norm = first.Sum(value => value * value);
        double shift = u.Zip(first, (value, p) => value * p * p).Sum() / norm, drop = norm / u.Length;
        double[] second = [.. first.Select((p, i) => (u[i] - shift) * p - drop)];
        double c0 = y.Average(), c1 = first.Zip(y, (p, value) => p * value).Sum() / norm;
        double c2 = second.Zip(y, (p, value) => p * value).Sum() / second.Sum(value => value * value);
        return (c0 - c1 * mean + c2 * (shift * mean - drop), c1 - c2 * (mean + shift), c2);
    }
}
