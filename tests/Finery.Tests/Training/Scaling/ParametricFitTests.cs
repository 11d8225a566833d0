using Finery.Tensors;
using Finery.Training.Scaling;
using Xunit;

namespace Finery.Tests.Training.Scaling;

public class ParametricFitTests
{
    /// <summary>Ten sizes from 40 M to 16 B, six lengths each from 5 to 80 tokens a parameter.</summary>
    private static ScalingPoint[] Points(ScalingLaw law, double noise = 0, ulong seed = 1)
    {
        double[] sizes = [4e7, 8e7, 1.6e8, 3e8, 6e8, 1.2e9, 2.4e9, 4.8e9, 9e9, 1.6e10], ratios = [5, 9, 16, 27, 47, 80];
        ulong key = CounterRandom.Key(seed, "noise"), counter = 0;
        return [..
            from size in sizes
            from ratio in ratios
            select new ScalingPoint(size, ratio * size, double.PositiveInfinity,
                law.Loss(size, ratio * size) * (1 + noise * CounterRandom.Normal(key, counter++)))];
    }

    private static (double Truth, Func<ScalingLaw, double> Figure)[] Figures(ScalingLaw truth) =>
    [
        (truth.E, law => law.E), (truth.A, law => law.A), (truth.B, law => law.B),
        (truth.Alpha, law => law.Alpha), (truth.Beta, law => law.Beta),
    ];

    [Fact]
    public void Sixty_points_without_noise_give_the_law_back()
    {
        foreach (var truth in new[] { ScalingLaw.Chinchilla, ScalingLaw.Refit })
        {
            var points = Points(truth);
            Assert.Equal(60, points.Length);
            var fitted = ScalingFit.Parametric(points);
            foreach (var (value, figure) in Figures(truth)) Assert.InRange(figure(fitted) / value, 0.99, 1.01);
        }
    }

    [Fact]
    public void Bootstrap_with_half_a_percent_of_noise_covers_the_truth()
    {
        var truth = ScalingLaw.Chinchilla;
        var points = Points(truth, noise: 0.005);
        var fitted = ScalingFit.Parametric(points);
        var laws = ScalingFit.Bootstrap(points, fitted, 100, seed: 7);
        foreach (var (value, figure) in Figures(truth))
        {
            var (low, high) = ScalingFit.Interval(laws, figure);
            Assert.InRange(value, low, high);
            Assert.True(low < high);
        }
        Assert.Equal(laws, ScalingFit.Bootstrap(points, fitted, 100, seed: 7));
        Assert.NotEqual(laws[0], ScalingFit.Bootstrap(points, fitted, 1, seed: 8)[0]);
    }

    [Fact]
    public void The_published_grid_of_starts_finds_nothing_better_than_the_projection()
    {
        // Every fourth point: 4,500 descents over all would take long.
        var points = Points(ScalingLaw.Chinchilla, noise: 0.005).Where((_, i) => i % 4 == 1).ToArray();
        var projected = ScalingFit.Parametric(points);
        var grid = ScalingFit.Parametric(points, FitStarts.Grid);
        foreach (var (size, tokens) in new[] { (1e8, 2e9), (1e9, 2e10), (7e10, 1.4e12) })
            Assert.Equal(grid.Loss(size, tokens), projected.Loss(size, tokens), 0.002);
    }

    [Fact]
    public void Repeated_tokens_are_discounted_as_the_law_does()
    {
        var truth = ScalingLaw.Chinchilla;
        var points = Points(truth).Select(p => p with
        {
            UniqueTokens = p.Tokens / 4, Loss = truth.Loss(p.Parameters, p.Tokens, p.Tokens / 4),
        }).ToArray();
        var fitted = ScalingFit.Parametric(points);
        foreach (var (value, figure) in Figures(truth)) Assert.InRange(figure(fitted) / value, 0.99, 1.01);
    }

    [Fact]
    public void An_outlier_moves_little()
    {
        var points = Points(ScalingLaw.Chinchilla);
        points[17] = points[17] with { Loss = 2 * points[17].Loss };
        var fitted = ScalingFit.Parametric(points);
        Assert.Equal(ScalingLaw.Chinchilla.Loss(1e9, 2e10), fitted.Loss(1e9, 2e10), 0.01);
    }

    [Fact]
    public void Impossible_runs_are_refused_in_words()
    {
        var points = Points(ScalingLaw.Chinchilla);
        Assert.Contains("at least 5", Assert.Throws<ArgumentException>(() => ScalingFit.Parametric(points[..4])).Message);
        points[3] = points[3] with { Loss = double.NaN };
        Assert.Contains("positive", Assert.Throws<ArgumentException>(() => ScalingFit.Parametric(points)).Message);
        Assert.Contains("one size", Assert.Throws<ArgumentException>(() => ScalingFit.Parametric(
            [.. Enumerable.Range(1, 9).Select(i => new ScalingPoint(1e6, i * 1e6, 1e9, 3))])).Message);
    }

    [Fact]
    public void Coefficients_of_least_squares_are_never_negative()
    {
        double[] solution = new double[2];
        double error = NonNegativeLeastSquares.Solve([[1, 1, 1], [1, 2, 3]], [3, 2, 1], solution);
        Assert.Equal(2, solution[0], 12);
        Assert.Equal(0, solution[1]);
        Assert.Equal(2, error, 12);
        // The same column twice: one of them serves.
        Assert.Equal(0, NonNegativeLeastSquares.Solve([[1, 2], [1, 2]], [2, 4], solution), 12);
        Assert.Equal(2, solution.Sum(), 12);
    }

    [Fact]
    public void Descent_finds_the_end_of_a_curved_valley()
    {
        double[] x = [-1.2, 1];
        double value = LimitedMemoryBfgs.Minimize((at, gradient) =>
        {
            double bend = at[1] - at[0] * at[0];
            gradient[0] = -400 * at[0] * bend - 2 * (1 - at[0]);
            gradient[1] = 200 * bend;
            return 100 * bend * bend + (1 - at[0]) * (1 - at[0]);
        }, x);
        Assert.Equal(0, value, 1e-15);
        Assert.Equal(1, x[0], 1e-7);
        Assert.Equal(1, x[1], 1e-7);
    }
}
