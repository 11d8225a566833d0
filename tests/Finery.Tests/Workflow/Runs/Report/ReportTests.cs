using Finery.Workflow.Runs.Report;
using Xunit;

namespace Finery.Tests.Workflow.Runs.Report;

public class ReportTests
{
    [Fact]
    public void Text_of_documents_is_escaped_everywhere()
    {
        var html = new HtmlWriter();
        const string Hostile = "<script>alert(1)</script>";
        html.Heading(Hostile);
        html.Preformatted(Hostile);
        html.Table([Hostile], [[Hostile]]);
        html.Details(Hostile, () => html.Note(Hostile));
        Assert.DoesNotContain("<script", html.ToString());
        Assert.DoesNotContain("<script", LineChart.Render(Hostile, Hostile, new Series(Hostile, [(0, 1), (1, 2)]), new Series(Hostile, [(0, 1)])));
    }

    [Fact]
    public void A_chart_leaves_gaps_at_values_that_are_not_finite()
    {
        string svg = LineChart.Render("loss", "step", new Series("loss", [(0, 3), (1, double.NaN), (2, 2), (3, double.PositiveInfinity), (4, 1)]));
        Assert.Equal(3, svg.Split("M").Length - 1);
        Assert.DoesNotContain("NaN", svg);
    }

    [Fact]
    public void A_chart_of_many_points_keeps_its_spike()
    {
        var points = Enumerable.Range(0, 100_000).Select(i => ((double)i, i == 77_777 ? 50.0 : 1.0)).ToList();
        string svg = LineChart.Render("loss", "step", new Series("loss", points));
        Assert.True(svg.Length < 40_000);
        // The spike is the top of the plot.
        Assert.Contains(" 28.0L", svg);
    }

    [Theory]
    [InlineData(0, 6.6e-4)]
    [InlineData(0, 1)]
    [InlineData(2.2, 8.4)]
    [InlineData(-3, 45_000)]
    [InlineData(1e6, 1e6 + 1)]
    public void A_chart_has_a_handful_of_grid_lines_at_any_scale(double from, double to)
    {
        string svg = LineChart.Render("loss", "step", new Series("loss", [(0, from), (500, to)]));
        Assert.InRange(svg.Split("<line").Length - 1, 3, 9);
    }

    [Fact]
    public void A_chart_of_nothing_is_nothing() => Assert.Equal("", LineChart.Render("loss", "step", new Series("loss", [(0, double.NaN)])));
}
