using Finery.Training.Scaling;
using Xunit;

namespace Finery.Tests.Training.Scaling;

public class DownstreamFitTests
{
    private static readonly DownstreamFit s_truth = new(4.0, -0.06, Chance: 0.25, Ceiling: 0.95, Steepness: 7, Midpoint: 1.1);

    private static IEnumerable<DownstreamPoint> Family(params double[] operations) => operations
        .Select(c => new DownstreamPoint(c, s_truth.NllAt(c), s_truth.AccuracyAt(s_truth.NllAt(c))));

    private static IEnumerable<DownstreamPoint> Others(params double[] nlls) =>
        nlls.Select(nll => new DownstreamPoint(double.NaN, nll, s_truth.AccuracyAt(nll)));

    [Fact]
    public void Line_and_sigmoid_are_recovered_and_predict_four_orders_of_magnitude_ahead()
    {
        var fitted = DownstreamFit.Fit([.. Family(6e18, 6e19, 6e20, 1e22), .. Others(1.2, 1.0, 0.8, 0.6)], chance: 0.25);
        Assert.Equal(s_truth.Slope, fitted.Slope, 1e-9);
        Assert.Equal(s_truth.Steepness, fitted.Steepness, 1e-3);
        Assert.Equal(s_truth.Midpoint, fitted.Midpoint, 1e-4);
        Assert.Equal(s_truth.Ceiling, fitted.Ceiling, 1e-4);
        double expected = s_truth.AccuracyAt(s_truth.NllAt(3.8e25));
        Assert.Equal(expected, fitted.AccuracyAt(fitted.NllAt(3.8e25)), 1e-4);
    }

    [Fact]
    public void Accuracy_never_leaves_chance_and_one()
    {
        DownstreamPoint[] points = [new(1e19, 2, 0.2), new(1e20, 1.5, 0.3), new(1e21, 1, 0.8), new(1e22, 0.5, 1)];
        var fitted = DownstreamFit.Fit(points, chance: 0.25);
        Assert.InRange(fitted.Ceiling, 0.25, 1);
        foreach (double nll in new[] { -5, 0, 1, 5.0 }) Assert.InRange(fitted.AccuracyAt(nll), 0.25, 1);
    }

    [Fact]
    public void Impossible_figures_are_refused()
    {
        var points = Family(1e19, 1e20, 1e21, 1e22).ToArray();
        Assert.Throws<ArgumentException>(() => DownstreamFit.Fit(points, chance: 1));
        Assert.Throws<ArgumentException>(() => DownstreamFit.Fit(points[..3], chance: 0.25));
        points[0] = points[0] with { Accuracy = 25 };
        Assert.Throws<ArgumentException>(() => DownstreamFit.Fit(points, chance: 0.25));
    }
}
