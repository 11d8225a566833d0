namespace Finery.Training.Scaling;

/// <summary>A model on a task.</summary>
/// <param name="Operations">C of its training; NaN where it is not one of the compute-optimal family.</param>
/// <param name="Nll">Normalised negative log-likelihood of the right answers, nats.</param>
/// <param name="Accuracy">Share of right answers.</param>
public readonly record struct DownstreamPoint(double Operations, double Nll, double Accuracy);

/// <summary>
/// Accuracy of a task from the operations of training, in two steps (Llama 3; reference 6): the likelihood of right answers is
/// linear in the logarithm of C, and accuracy is a sigmoid of the likelihood, <c>c + (m - c) / (1 + exp(k (NLL - x0)))</c>. The
/// second also learns from models of other families, whose C says nothing here.
/// </summary>
/// <param name="Intercept">NLL at C = 1.</param>
/// <param name="Slope">Of NLL over ln C; negative.</param>
/// <param name="Chance">c: accuracy of a guess.</param>
/// <param name="Ceiling">m: accuracy no model exceeds.</param>
/// <param name="Steepness">k, per nat.</param>
/// <param name="Midpoint">x0, nats.</param>
public sealed record DownstreamFit(
    double Intercept, double Slope, double Chance, double Ceiling, double Steepness, double Midpoint)
{
    /// <summary>NLL of a compute-optimal model.</summary>
    public double NllAt(double operations) => Intercept + Slope * Math.Log(operations);

    /// <summary>Accuracy of a model with this NLL.</summary>
    public double AccuracyAt(double nll) => Chance + (Ceiling - Chance) / (1 + Math.Exp(Steepness * (nll - Midpoint)));

    /// <summary>Fits.</summary>
    /// <param name="points">Models; at least two with operations, four in all.</param>
    /// <param name="chance">Accuracy of a guess.</param>
    /// <exception cref="ArgumentException">Too few models or impossible figures.</exception>
    public static DownstreamFit Fit(IReadOnlyList<DownstreamPoint> points, double chance)
    {
        if (!(chance is >= 0 and < 1)) throw new ArgumentException($"Chance is {chance}; it must be at least 0 and less than 1.");
        if (points.Any(point => !double.IsFinite(point.Nll) || !(point.Accuracy is >= 0 and <= 1) || point.Operations <= 0))
            throw new ArgumentException("Every model needs a finite NLL, an accuracy from 0 to 1 and positive operations (or none).");
        var family = points.Where(point => double.IsFinite(point.Operations)).ToArray();
        if (family.Select(point => point.Operations).Distinct().Count() < 2
            || points.Select(point => point.Nll).Distinct().Count() < 4)
            throw new ArgumentException("At least 2 models of different operations and 4 of different NLL are needed.");
        var (intercept, slope) = PowerLaw.Line(
            [.. family.Select(point => Math.Log(point.Operations))], [.. family.Select(point => point.Nll)]);
        var (ceiling, steepness, midpoint) = Sigmoid(points, chance);
        return new(intercept, slope, chance, ceiling, steepness, midpoint);
    }

    /// <summary>Least squares over k and x0 from a grid of starts; for each the height follows, at most up to 1.</summary>
    private static (double Ceiling, double Steepness, double Midpoint) Sigmoid(
        IReadOnlyList<DownstreamPoint> points, double chance)
    {
        double low = points.Min(point => point.Nll), high = points.Max(point => point.Nll), range = high - low;
        double best = double.PositiveInfinity;
        var found = (Ceiling: 1.0, Steepness: 1.0, Midpoint: low);
        for (int i = -4; i <= 8; i++)
        {
            foreach (double steepness in new[] { 1, 2, 4, 8, 16, 32.0 })
            {
                double[] x = [Math.Log(steepness / range), low + range * i / 4];
                double error = LimitedMemoryBfgs.Minimize(Objective, x);
                if (!(error < best)) continue;
                best = error;
                found = (chance + Height(x[0], x[1]), Math.Exp(x[0]), x[1]);
            }
        }
        return found;

        double Shape(double nll, double logSteepness, double midpoint) =>
            1 / (1 + Math.Exp(Math.Exp(logSteepness) * (nll - midpoint)));

        double Height(double logSteepness, double midpoint)
        {
            double up = 0, down = 0;
            foreach (var point in points)
            {
                double shape = Shape(point.Nll, logSteepness, midpoint);
                up += shape * (point.Accuracy - chance);
                down += shape * shape;
            }
            return down > 0 ? Math.Clamp(up / down, 0, 1 - chance) : 0;
        }

        double Objective(ReadOnlySpan<double> at, Span<double> gradient)
        {
            double height = Height(at[0], at[1]), sum = 0, steepness = Math.Exp(at[0]);
            gradient.Clear();
            foreach (var point in points)
            {
                double shape = Shape(point.Nll, at[0], at[1]), residual = height * shape - (point.Accuracy - chance);
                sum += 0.5 * residual * residual;
                // The height is optimal or held, so its own change does not count (envelope theorem).
                double slope = residual * height * shape * (1 - shape) * steepness;
                gradient[0] -= slope * (point.Nll - at[1]);
                gradient[1] += slope;
            }
            return sum;
        }
    }
}
