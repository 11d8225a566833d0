namespace Finery.Training.Scaling;

/// <summary>A finished run, as a law sees it.</summary>
/// <param name="Parameters">N, all parameters.</param>
/// <param name="Tokens">D, repetitions included.</param>
/// <param name="UniqueTokens">Distinct tokens it was drawn from.</param>
/// <param name="Loss">Loss reached, nats per token.</param>
public readonly record struct ScalingPoint(double Parameters, double Tokens, double UniqueTokens, double Loss);

/// <summary>Fits the constants of a <see cref="ScalingLaw"/> to runs on one corpus.</summary>
public static class ScalingFit
{
    /// <summary>
    /// E, A and B by least squares with the exponents held: they belong to the architecture more than to the corpus, and a handful of
    /// small runs cannot determine all five. A constant that would come out negative is set to zero and the others fitted again.
    /// </summary>
    /// <param name="points">At least three runs of different sizes and lengths.</param>
    /// <param name="exponents">Whose alpha and beta to keep.</param>
    /// <exception cref="ArgumentException">Too few points, or all of one size or length.</exception>
    public static ScalingLaw Constants(IReadOnlyList<ScalingPoint> points, ScalingLaw exponents)
    {
        if (points.Count < 3) throw new ArgumentException($"{points.Count} runs; at least 3 are needed to fit a scaling law.", nameof(points));
        double[][] rows = [.. points.Select(point => new[]
        {
            1, Math.Pow(point.Parameters, -exponents.Alpha),
            Math.Pow(ScalingLaw.EffectiveTokens(point.Tokens, point.UniqueTokens), -exponents.Beta),
        })];
        bool[] free = [true, true, true];
        while (true)
        {
            double[] solution = LeastSquares(rows, [.. points.Select(point => point.Loss)], free);
            int negative = Array.FindIndex(solution, value => value < 0);
            if (negative < 0) return exponents with { E = solution[0], A = solution[1], B = solution[2] };
            free[negative] = false;
        }
    }

    /// <summary>Solves the normal equations over the free columns; the others get 0.</summary>
    private static double[] LeastSquares(double[][] rows, double[] values, bool[] free)
    {
        int[] columns = [.. Enumerable.Range(0, free.Length).Where(column => free[column])];
        int n = columns.Length;
        var matrix = new double[n, n + 1];
        for (int i = 0; i < n; i++)
        {
            for (int j = 0; j < n; j++) matrix[i, j] = rows.Sum(row => row[columns[i]] * row[columns[j]]);
            matrix[i, n] = rows.Select((row, index) => row[columns[i]] * values[index]).Sum();
        }
        double[] diagonal = [.. Enumerable.Range(0, n).Select(i => matrix[i, i])];
        for (int pivot = 0; pivot < n; pivot++)
        {
            int best = Enumerable.Range(pivot, n - pivot).MaxBy(row => Math.Abs(matrix[row, pivot]));
            // What is left of a column that the earlier ones explain is rounding.
            if (Math.Abs(matrix[best, pivot]) < 1e-12 * diagonal[pivot])
                throw new ArgumentException("The runs are all of one size or one length: they cannot tell the terms of a scaling law apart.");
            for (int column = 0; column <= n; column++)
                (matrix[pivot, column], matrix[best, column]) = (matrix[best, column], matrix[pivot, column]);
            for (int row = 0; row < n; row++)
            {
                if (row == pivot) continue;
                double factor = matrix[row, pivot] / matrix[pivot, pivot];
                for (int column = pivot; column <= n; column++) matrix[row, column] -= factor * matrix[pivot, column];
            }
        }
        var solution = new double[free.Length];
        for (int i = 0; i < n; i++) solution[columns[i]] = matrix[i, n] / matrix[i, i];
        return solution;
    }
}
