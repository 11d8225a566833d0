using Finery.Workflow.Runs.Report;
using Xunit;

namespace Finery.Tests.Workflow.Runs.Report;

public class HtmlWriterTests
{
    [Theory]
    [InlineData("1,234", true)]
    [InlineData("-0.5", true)]
    [InlineData("6.4 s", true)]
    [InlineData("1m 08s", true)]
    [InlineData("39.7 ± 2.3", true)]
    [InlineData("90%", true)]
    [InlineData("5-gram Kneser-Ney", false)]
    [InlineData("4d902bb10dd3", false)]
    [InlineData("pretrain", false)]
    [InlineData("", false)]
    public void Only_figures_stand_on_the_right(string cell, bool isFigure)
    {
        var html = new HtmlWriter();
        html.Table(["name"], [[cell]]);
        Assert.Equal(isFigure, html.ToString().Contains("class=\"figure\"", StringComparison.Ordinal));
    }
}
