namespace Finery.Training.Scaling;

/// <summary>Minimises a smooth function of a few variables: L-BFGS (Nocedal 1980) with a line search that bisects until both weak
/// Wolfe conditions hold. It goes on until no step lowers the value any more, and gives the same bits every time.</summary>
public static class LimitedMemoryBfgs
{
    private const double SufficientDecrease = 1e-4, CurvatureShare = 0.9;
    private const int LineSteps = 60;

    /// <summary>Value at a point; writes the gradient.</summary>
    public delegate double Objective(ReadOnlySpan<double> x, Span<double> gradient);

    /// <summary>Moves <paramref name="x"/> to a local minimum.</summary>
    /// <returns>The value there.</returns>
    public static double Minimize(Objective objective, Span<double> x, int iterations = 2000, int memory = 10)
    {
        int n = x.Length, stored = 0, next = 0;
        var moves = new double[memory][];
        var changes = new double[memory][];
        double[] gradient = new double[n], direction = new double[n], trial = new double[n], trialGradient = new double[n];
        double[] weights = new double[memory];
        double value = objective(x, gradient);
        if (!double.IsFinite(value)) return value;
        for (int iteration = 0; iteration < iterations && gradient.Any(g => g != 0); iteration++)
        {
            Direction();
            double slope = Dot(gradient, direction);
            if (!(slope < 0))
            {
                // Rounding has spoilt what was remembered.
                stored = 0;
                Direction();
                slope = Dot(gradient, direction);
            }
            if (!Search(x, slope, stored == 0 ? Math.Min(1, 1 / Math.Sqrt(-slope)) : 1, out double lower))
            {
                if (stored == 0) break;
                stored = 0;
                continue;
            }
            double[] move = moves[next] ??= new double[n], change = changes[next] ??= new double[n];
            for (int i = 0; i < n; i++) (move[i], change[i]) = (trial[i] - x[i], trialGradient[i] - gradient[i]);
            trial.CopyTo(x);
            trialGradient.CopyTo(gradient, 0);
            bool still = lower >= value;
            value = lower;
            if (Dot(move, change) > 0) (next, stored) = ((next + 1) % memory, Math.Min(stored + 1, memory));
            if (still) break;
        }
        return value;

        void Direction()
        {
            for (int i = 0; i < n; i++) direction[i] = -gradient[i];
            for (int k = 1; k <= stored; k++)
            {
                int at = (next - k + memory) % memory;
                weights[at] = Dot(moves[at], direction) / Dot(moves[at], changes[at]);
                for (int i = 0; i < n; i++) direction[i] -= weights[at] * changes[at][i];
            }
            if (stored > 0)
            {
                int last = (next - 1 + memory) % memory;
                double scale = Dot(moves[last], changes[last]) / Dot(changes[last], changes[last]);
                for (int i = 0; i < n; i++) direction[i] *= scale;
            }
            for (int k = stored; k >= 1; k--)
            {
                int at = (next - k + memory) % memory;
                double weight = weights[at] - Dot(changes[at], direction) / Dot(moves[at], changes[at]);
                for (int i = 0; i < n; i++) direction[i] += weight * moves[at][i];
            }
        }

        bool Search(ReadOnlySpan<double> from, double slope, double step, out double found)
        {
            double low = 0, high = double.PositiveInfinity;
            found = value;
            for (int k = 0; k < LineSteps; k++)
            {
                for (int i = 0; i < n; i++) trial[i] = from[i] + step * direction[i];
                found = objective(trial, trialGradient);
                // Written so that a value that is not a number counts as too high.
                if (!(found <= value + SufficientDecrease * step * slope)) high = step;
                else if (Dot(trialGradient, direction) < CurvatureShare * slope) low = step;
                else return true;
                step = double.IsFinite(high) ? (low + high) / 2 : 2 * step;
            }
            return found < value;
        }
    }

    private static double Dot(double[] a, double[] b)
    {
        double sum = 0;
        for (int i = 0; i < a.Length; i++) sum += a[i] * b[i];
        return sum;
    }
}
