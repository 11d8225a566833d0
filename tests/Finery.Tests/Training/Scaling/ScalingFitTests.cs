using Finery.Training.Scaling;
using Xunit;

namespace Finery.Tests.Training.Scaling;

public class ScalingFitTests
{
    private const double Unique = 4e6;

    [Fact]
    public void Constants_of_runs_without_noise_are_recovered()
    {
        var truth = ScalingLaw.Refit with { E = 0.7, A = 130, B = 400 };
        var points = new[] { (3e5, 1e6), (3e5, 8e6), (1e6, 1e6), (2e6, 4e6) }
            .Select(p => new ScalingPoint(p.Item1, p.Item2, Unique, truth.Loss(p.Item1, p.Item2, Unique))).ToArray();
        var fitted = ScalingFit.Constants(points, ScalingLaw.Refit);
        Assert.Equal(truth.E, fitted.E, 1e-6);
        Assert.Equal(truth.A, fitted.A, 1e-3);
        Assert.Equal(truth.B, fitted.B, 1e-3);
    }

    [Fact]
    public void A_constant_that_would_be_negative_is_zero()
    {
        var law = ScalingLaw.Refit with { E = 0, A = 200, B = 100 };
        ScalingPoint[] points =
        [
            new(3e5, 1e6, Unique, law.Loss(3e5, 1e6) - 0.3), new(1e6, 1e6, Unique, law.Loss(1e6, 1e6) - 0.3), new(1e6, 3e6, Unique, law.Loss(1e6, 3e6) - 0.3),
        ];
        var fitted = ScalingFit.Constants(points, ScalingLaw.Refit);
        Assert.Equal(0, fitted.E);
        Assert.True(fitted is { A: > 0, B: > 0 });
    }

    [Fact]
    public void Runs_of_one_size_cannot_be_fitted()
    {
        ScalingPoint[] points = [new(1e6, 1e6, Unique, 3), new(1e6, 2e6, Unique, 2.8), new(1e6, 3e6, Unique, 2.7)];
        Assert.Throws<ArgumentException>(() => ScalingFit.Constants(points, ScalingLaw.Refit));
        Assert.Throws<ArgumentException>(() => ScalingFit.Constants(points[..2], ScalingLaw.Refit));
    }
}
