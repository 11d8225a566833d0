namespace Finery.Training.Scaling;

/// <summary>Least squares with coefficients of at least zero, for so few columns that every choice of those that are not zero
/// can be tried: the exact minimum, whatever the columns.</summary>
public static class NonNegativeLeastSquares
{
    // What is left of a column that the earlier ones explain is rounding.
    private const double Dependent = 1e-13;

    /// <summary>Minimises the squared residuals of <c>columns * solution - values</c>.</summary>
    /// <param name="columns">Each as long as <paramref name="values"/>.</param>
    /// <param name="values">To be explained.</param>
    /// <param name="solution">One coefficient a column.</param>
    /// <returns>The sum of squared residuals.</returns>
    public static double Solve(double[][] columns, double[] values, Span<double> solution)
    {
        int n = columns.Length;
        var gram = new double[n, n];
        var right = new double[n];
        double[] scale = [.. columns.Select(column => Math.Sqrt(Dot(column, column)))];
        for (int i = 0; i < n; i++)
        {
            right[i] = scale[i] > 0 ? Dot(columns[i], values) / scale[i] : 0;
            for (int j = 0; j <= i; j++)
                gram[i, j] = gram[j, i] = scale[i] > 0 && scale[j] > 0 ? Dot(columns[i], columns[j]) / (scale[i] * scale[j]) : 0;
        }
        solution.Clear();
        double best = double.PositiveInfinity;
        var candidate = new double[n];
        for (int free = 0; free < 1 << n; free++)
        {
            if (!Solve(gram, right, free, candidate)) continue;
            for (int i = 0; i < n; i++) candidate[i] = candidate[i] > 0 ? candidate[i] / scale[i] : 0;
            double error = Error(columns, values, candidate);
            if (!(error < best)) continue;
            best = error;
            candidate.CopyTo(solution);
        }
        return best;
    }

    /// <summary>Cholesky over the free columns.</summary>
    /// <returns>Whether there is a solution and none of it is negative.</returns>
    private static bool Solve(double[,] gram, double[] right, int free, double[] solution)
    {
        int n = right.Length;
        Array.Clear(solution);
        var factor = new double[n, n];
        for (int i = 0; i < n; i++)
        {
            if ((free >> i & 1) == 0) continue;
            double y = right[i];
            for (int j = 0; j <= i; j++)
            {
                if ((free >> j & 1) == 0) continue;
                double sum = gram[i, j];
                for (int k = 0; k < j; k++) sum -= factor[i, k] * factor[j, k];
                if (j < i)
                {
                    factor[i, j] = sum / factor[j, j];
                    y -= factor[i, j] * solution[j];
                }
                else
                {
                    if (!(sum > Dependent)) return false;
                    factor[i, i] = Math.Sqrt(sum);
                }
            }
            solution[i] = y / factor[i, i];
        }
        for (int i = n - 1; i >= 0; i--)
        {
            if ((free >> i & 1) == 0) continue;
            for (int k = i + 1; k < n; k++) solution[i] -= factor[k, i] * solution[k];
            solution[i] /= factor[i, i];
            if (solution[i] < 0) return false;
        }
        return true;
    }

    private static double Error(double[][] columns, double[] values, double[] solution)
    {
        double sum = 0;
        for (int row = 0; row < values.Length; row++)
        {
            double residual = -values[row];
            for (int i = 0; i < solution.Length; i++) residual += columns[i][row] * solution[i];
            sum += residual * residual;
        }
        return sum;
    }

    private static double Dot(double[] a, double[] b)
    {
        double sum = 0;
        for (int i = 0; i < a.Length; i++) sum += a[i] * b[i];
        return sum;
    }
}
