using Finery.Training.Scaling;
using Xunit;

namespace Finery.Tests.Training.Scaling;

public class IsoFlopFitTests
{
    private static readonly double[] s_budgets = [6e18, 1e19, 3e19, 1e20, 3e20, 1e21];

    private static (double, ScalingPoint) Run(double operations, double tokens, double loss) =>
        (operations, new(operations / (6 * tokens), tokens, double.PositiveInfinity, loss));

    private static IEnumerable<(double, ScalingPoint)> Parabola(double operations, double optimum, params double[] factors) =>
        factors.Select(factor => Run(operations, factor * optimum, 2 + 0.05 * Math.Pow(Math.Log(factor), 2)));

    [Fact]
    public void Minima_and_their_power_law_are_recovered_to_full_precision()
    {
        // The published pair of Llama 3, unrounded: 0.29 * C^0.53 does not give its own 16.55 T tokens at 3.8e25, 0.5378 does.
        var truth = new PowerLaw(0.29, 0.5378);
        var fitted = IsoFlopFit.Fit([.. s_budgets.SelectMany(c => Parabola(c, truth.At(c), 0.5, 0.7, 1, 1.4, 2))]);
        Assert.Equal(s_budgets.Length, fitted.Budgets.Count);
        Assert.All(fitted.Budgets, budget => Assert.Empty(budget.Warnings));
        Assert.All(fitted.Budgets, budget => Assert.Equal(2, budget.Loss, 1e-9));
        Assert.Equal(truth.Exponent, fitted.Tokens.Exponent, 1e-9);
        Assert.Equal(1, fitted.Tokens.Coefficient / truth.Coefficient, 1e-7);
        Assert.Equal(1 - truth.Exponent, fitted.Parameters.Exponent, 1e-9);
        Assert.Equal(16.55e12, fitted.Tokens.At(3.8e25), 0.1e12);
        Assert.Equal(10.5e12, new PowerLaw(0.29, 0.53).At(3.8e25), 0.1e12);
    }

    [Fact]
    public void It_agrees_with_the_law_the_runs_follow_where_the_grid_is_narrow()
    {
        var law = ScalingLaw.Refit;
        var runs = s_budgets.SelectMany(c => new[] { 0.6, 0.8, 1, 1.25, 1.7 }
            .Select(factor => (c, Tokens: factor * law.Optimum(c).Tokens))
            .Select(run => Run(c, run.Tokens, law.Loss(c / (6 * run.Tokens), run.Tokens))));
        var fitted = IsoFlopFit.Fit([.. runs]);
        Assert.Equal(law.Alpha / (law.Alpha + law.Beta), fitted.Tokens.Exponent, 0.002);
        Assert.InRange(fitted.Tokens.At(1e21) / law.Optimum(1e21).Tokens, 0.98, 1.02);
    }

    [Fact]
    public void Runs_to_one_side_or_spread_wide_are_warned_of()
    {
        var fitted = IsoFlopFit.Fit([
            .. Parabola(1e18, 1e9, 0.5, 1, 2),
            .. Parabola(1e19, 4e9, 0.9, 1.8, 3.6),
            .. Parabola(1e20, 1e10, 1.5, 2, 4),
            .. Parabola(1e21, 3e10, 0.2, 1, 5),
            Run(1e22, 1e11, 2), Run(1e22, 2e11, 2.1),
            Run(1e23, 1e11, 2), Run(1e23, 2e11, 2.1), Run(1e23, 4e11, 2),
        ]);
        Assert.Equal(
            ["", "off-centre", "outside", "span more", "fewer than 3", "no minimum"],
            fitted.Budgets.Select(budget => budget.Warnings.FirstOrDefault() ?? "").Select(warning =>
                new[] { "off-centre", "outside", "span more", "fewer than 3", "no minimum" }.FirstOrDefault(warning.Contains, "")));
        Assert.True(double.IsNaN(fitted.Budgets[4].Tokens));
    }

    [Fact]
    public void Budgets_within_15_percent_are_one()
    {
        var runs = Parabola(1e19, 1e9, 0.5, 1, 2).Concat(Parabola(1.1e19, 1e9, 0.6, 1.5)).Concat(Parabola(1.2e19, 1e9, 0.5, 1, 2)).ToArray();
        Assert.Equal([5, 3], IsoFlopFit.Fit(runs).Budgets.Select(budget => budget.Runs));
    }

    [Fact]
    public void One_budget_is_too_few() =>
        Assert.Contains("at least 2", Assert.Throws<ArgumentException>(() => IsoFlopFit.Fit([.. Parabola(1e19, 1e9, 0.5, 1, 2)])).Message);
}
