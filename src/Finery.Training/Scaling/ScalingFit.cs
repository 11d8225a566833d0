namespace Finery.Training.Scaling;

/// <summary>A finished run, as a law sees it.</summary>
/// <param name="Parameters">N, all parameters.</param>
/// <param name="Tokens">D, repetitions included.</param>
/// <param name="UniqueTokens">Distinct tokens it was drawn from.</param>
/// <param name="Loss">Loss reached, nats per token.</param>
public readonly record struct ScalingPoint(double Parameters, double Tokens, double UniqueTokens, double Loss)
{
    /// <summary>D as a law counts it: repetitions discounted.</summary>
    public double EffectiveTokens => ScalingLaw.EffectiveTokens(Tokens, UniqueTokens);

    /// <summary>C = 6 N D.</summary>
    public double Operations => 6 * Parameters * Tokens;
}

/// <summary>Where the descent to the best <see cref="ScalingLaw"/> begins.</summary>
public enum FitStarts
{
    /// <summary>At the best of a grid of exponents, for each of which E, A and B follow by non-negative least squares: one stable
    /// start.</summary>
    Projection,

    /// <summary>At each of 4,500 points, as Hoffmann et al. 2022 did.</summary>
    Grid,
}

/// <summary>Fits the constants of a <see cref="ScalingLaw"/> to runs on one corpus.</summary>
public static class ScalingFit
{
    // Of the logarithm of the loss.
    private const double HuberWidth = 1e-3;

    private const double LeastExponent = 0.02, MostExponent = 2;

    /// <summary>
    /// E, A and B by least squares with the exponents held: they belong to the architecture more than to the corpus, and a
    /// handful of small runs cannot determine all five. None is negative.
    /// </summary>
    /// <param name="points">At least three runs of different sizes and lengths.</param>
    /// <param name="exponents">Whose alpha and beta to keep.</param>
    /// <exception cref="ArgumentException">Too few points, or all of one size or length.</exception>
    public static ScalingLaw Constants(IReadOnlyList<ScalingPoint> points, ScalingLaw exponents)
    {
        Check(points, 3);
        var solution = new double[3];
        NonNegativeLeastSquares.Solve(
            Columns(points, exponents.Alpha, exponents.Beta, _ => 1), [.. points.Select(point => point.Loss)], solution);
        return exponents with { E = solution[0], A = solution[1], B = solution[2] };
    }

    /// <summary>
    /// All five by approach 3 of Hoffmann et al. 2022 (reference 6): the sum over runs of the Huber loss, of width 0.001, of the
    /// difference between the logarithms of predicted and measured loss, minimised by L-BFGS.
    /// </summary>
    /// <param name="points">At least five runs of different sizes and lengths.</param>
    /// <param name="starts">Where to begin.</param>
    /// <exception cref="ArgumentException">Too few points, all of one size or length, or values that are not
    /// positive.</exception>
    public static ScalingLaw Parametric(IReadOnlyList<ScalingPoint> points, FitStarts starts = FitStarts.Projection)
    {
        Check(points, 5);
        if (starts == FitStarts.Projection) return Descend(points, Project(points, 0.6, 0.6, 0.58, 12)).Law;
        var begin = (
            from alpha in new[] { 0, 0.5, 1, 1.5, 2 }
            from beta in new[] { 0, 0.5, 1, 1.5, 2 }
            from e in new[] { -1, -0.5, 0, 0.5, 1 }
            from a in new[] { 0, 5, 10, 15, 20, 25.0 }
            from b in new[] { 0, 5, 10, 15, 20, 25.0 }
            select new[] { a, b, e, alpha, beta }).ToArray();
        var ends = new (double Value, ScalingLaw Law)[begin.Length];
        Parallel.For(0, begin.Length, i => ends[i] = Descend(points, begin[i]));
        // The first of equals, so that the order of threads does not matter.
        return ends.Where(end => double.IsFinite(end.Value)).MinBy(end => end.Value).Law;
    }

    /// <summary>Laws of as many sets of runs drawn from these with replacement: how far the fit depends on which runs were
    /// made.</summary>
    /// <param name="points">The runs.</param>
    /// <param name="fitted">The law of all of them.</param>
    /// <param name="resamples">How many.</param>
    /// <param name="seed">Of the draws.</param>
    public static IReadOnlyList<ScalingLaw> Bootstrap(
        IReadOnlyList<ScalingPoint> points, ScalingLaw fitted, int resamples, ulong seed)
    {
        Check(points, 5);
        var laws = new ScalingLaw[resamples];
        Parallel.For(0, resamples, i =>
        {
            var drawn = Draw(points, Tensors.CounterRandom.Key(seed, $"bootstrap {i}"));
            laws[i] = Descend(drawn, Project(drawn, fitted.Alpha, fitted.Beta, 0.15, 3)).Law;
        });
        return laws;
    }

    /// <summary>The middle 95% of a figure over the laws of a bootstrap.</summary>
    public static (double Low, double High) Interval(IReadOnlyList<ScalingLaw> laws, Func<ScalingLaw, double> figure)
    {
        double[] sorted = [.. laws.Select(figure).Order()];
        double At(double share)
        {
            double at = share * (sorted.Length - 1);
            int below = (int)at;
            return below + 1 == sorted.Length ? sorted[below]
                : sorted[below] + (at - below) * (sorted[below + 1] - sorted[below]);
        }
        return (At(0.025), At(0.975));
    }

    /// <summary>Resamples that cannot tell the terms apart are drawn again.</summary>
    private static ScalingPoint[] Draw(IReadOnlyList<ScalingPoint> points, ulong key)
    {
        var drawn = new ScalingPoint[points.Count];
        for (ulong counter = 0; ;)
        {
            for (int i = 0; i < drawn.Length; i++)
                drawn[i] = points[(int)(Tensors.CounterRandom.Uniform(key, counter++) * drawn.Length)];
            if (drawn.Distinct().Count() >= 5 && Distinguishable(drawn)) return drawn;
            // Five runs have only one resample of five different ones; any other is as good as there is.
            if (counter > 200UL * (ulong)drawn.Length) return [.. points];
        }
    }

    private static void Check(IReadOnlyList<ScalingPoint> points, int least)
    {
        if (points.Count < least)
            throw new ArgumentException($"{points.Count} runs; at least {least} are needed to fit a scaling law.",
                nameof(points));
        if (points.Any(point => !(point.Parameters > 0 && point.Tokens > 0 && point.UniqueTokens > 0 && point.Loss > 0)
            || !double.IsFinite(point.Parameters + point.Tokens + point.Loss)))
            throw new ArgumentException("Parameters, tokens and loss of every run must be positive.", nameof(points));
        if (!Distinguishable(points))
            throw new ArgumentException("The runs are all of one size or one length: they cannot tell the terms of a scaling law apart.");
    }

    private static bool Distinguishable(IReadOnlyList<ScalingPoint> points) =>
        points.Select(point => point.Parameters).Distinct().Count() > 1
        && points.Select(point => point.EffectiveTokens).Distinct().Count() > 1;

    private static double[][] Columns(
        IReadOnlyList<ScalingPoint> points, double alpha, double beta, Func<ScalingPoint, double> weight) =>
    [
        [.. points.Select(weight)],
        [.. points.Select(point => weight(point) * Math.Pow(point.Parameters, -alpha))],
        [.. points.Select(point => weight(point) * Math.Pow(point.EffectiveTokens, -beta))],
    ];

    /// <summary>
    /// Variable projection: given the exponents, E, A and B are the solution of a non-negative least squares problem (residuals
    /// relative to the loss), so only two variables remain, which a grid that closes in on its best point finds.
    /// </summary>
    /// <returns>(ln A, ln B, ln E, alpha, beta).</returns>
    private static double[] Project(IReadOnlyList<ScalingPoint> points, double alpha, double beta, double reach, int steps)
    {
        const int Rounds = 14;
        double[] ones = [.. points.Select(_ => 1.0)], constants = new double[3], best = [];
        double least = double.PositiveInfinity;
        double step = reach / steps;
        for (int round = 0; round < Rounds; round++)
        {
            var (centreAlpha, centreBeta) = (alpha, beta);
            for (int i = -steps; i <= steps; i++)
            {
                for (int j = -steps; j <= steps; j++)
                {
                    double a = Math.Clamp(centreAlpha + i * step, LeastExponent, MostExponent);
                    double b = Math.Clamp(centreBeta + j * step, LeastExponent, MostExponent);
                    double error = NonNegativeLeastSquares.Solve(Columns(points, a, b, point => 1 / point.Loss), ones, constants);
                    if (!(error < least)) continue;
                    (least, alpha, beta) = (error, a, b);
                    best = [LogOrTiny(constants[1]), LogOrTiny(constants[2]), LogOrTiny(constants[0]), a, b];
                }
            }
            steps = 2;
            step /= 2;
        }
        return best;
    }

    private static double LogOrTiny(double value) => value > 0 ? Math.Log(value) : -20;

    private static (double Value, ScalingLaw Law) Descend(IReadOnlyList<ScalingPoint> points, double[] start)
    {
        double[] sizes = [.. points.Select(point => Math.Log(point.Parameters))];
        double[] lengths = [.. points.Select(point => Math.Log(point.EffectiveTokens))];
        double[] losses = [.. points.Select(point => Math.Log(point.Loss))];
        double[] x = [.. start];
        double value = LimitedMemoryBfgs.Minimize(Objective, x);
        return (value, new ScalingLaw(Math.Exp(x[2]), Math.Exp(x[0]), x[3], Math.Exp(x[1]), x[4]));

        double Objective(ReadOnlySpan<double> at, Span<double> gradient)
        {
            double sum = 0;
            gradient.Clear();
            for (int i = 0; i < sizes.Length; i++)
            {
                double size = at[0] - at[3] * sizes[i], length = at[1] - at[4] * lengths[i];
                double largest = Math.Max(Math.Max(size, length), at[2]);
                double s = Math.Exp(size - largest), l = Math.Exp(length - largest), e = Math.Exp(at[2] - largest);
                double all = s + l + e;
                double residual = largest + Math.Log(all) - losses[i];
                sum += Math.Abs(residual) <= HuberWidth
                    ? 0.5 * residual * residual : HuberWidth * (Math.Abs(residual) - 0.5 * HuberWidth);
                double slope = Math.Clamp(residual, -HuberWidth, HuberWidth) / all;
                gradient[0] += slope * s;
                gradient[1] += slope * l;
                gradient[2] += slope * e;
                gradient[3] -= slope * s * sizes[i];
                gradient[4] -= slope * l * lengths[i];
            }
            return sum;
        }
    }
}
