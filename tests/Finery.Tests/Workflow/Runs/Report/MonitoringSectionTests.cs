using Finery.Workflow.Runs;
using Finery.Workflow.Runs.Report;
using Xunit;

namespace Finery.Tests.Workflow.Runs.Report;

public class MonitoringSectionTests
{
    private static StepRecord Step(IReadOnlyList<EventRow> events, params IReadOnlyList<string> names) => new(
        new()
        {
            Name = "train", Type = "pretrain", Version = 1, State = StepState.Finished, Key = "", Ingredients = [], Settings = [],
            Started = DateTimeOffset.UnixEpoch, Attempt = 1,
        },
        [.. Enumerable.Range(0, 5).Select(i => new MetricRow(i * 10, DateTimeOffset.UnixEpoch, names.ToDictionary(name => name, name => (double)i)))], events);

    private static EventRow Event(long step, string kind, string message, params (string Name, double Value)[] values) =>
        new(step, 0, DateTimeOffset.UnixEpoch, kind, message, values.ToDictionary(value => value.Name, value => value.Value));

    private static string Html(StepRecord step)
    {
        var html = new HtmlWriter();
        MonitoringSection.Write(html, new(null!, null!, [step]));
        return html.ToString();
    }

    [Fact]
    public void A_step_that_was_not_watched_has_no_section() => Assert.Equal("", Html(Step([], "loss")));

    [Fact]
    public void Series_of_layers_and_kinds_are_drawn()
    {
        string html = Html(Step([], "monitor/max_logit", "monitor/loss/web", "monitor/loss/code", "monitor/layer0/effective_rank",
            "monitor/layer1/effective_rank", "monitor/layer11/effective_rank", "monitor/qkv/weight_norm", "monitor/qkv/update_ratio"));
        foreach (string part in new[] { "train: loss by source", ">web<", ">code<", "train: effective rank", ">layer11<", "train: relative update" })
            Assert.Contains(part, html);
    }

    [Fact]
    public void Heads_that_were_clipped_are_drawn_where_any_could_be()
    {
        static string Training(params IReadOnlyList<string> names)
        {
            var html = new HtmlWriter();
            TrainingSection.Write(html, new(null!, null!, [Step([], names)]));
            return html.ToString();
        }
        const string Title = "train: attention heads scaled by QK-clip";
        Assert.Contains(Title, Training("loss", "clipped_heads"));
        Assert.DoesNotContain(Title, Training("loss"));
    }

    [Fact]
    public void Events_are_listed_and_marked_and_escaped()
    {
        var step = Step([Event(20, "spike", "loss <9> & more", ("skipped after", 1)), Event(400, "stop", "beyond the chart")], "monitor/max_logit");
        string html = Html(step);
        Assert.Contains("loss &lt;9&gt; &amp; more", html);
        Assert.Contains("skipped after 1", html);
        string chart = LineChart.Render("loss", "step", MonitoringSection.Marks(step), step.Series("monitor/max_logit"));
        Assert.Equal(1, chart.Split("class=\"mark\"").Length - 1);
        Assert.Contains("<title>step 20, spike: loss &lt;9&gt; &amp; more</title>", chart);
    }

    [Fact]
    public void A_branch_that_was_rolled_back_is_drawn_faintly_beside_the_one_that_was_kept()
    {
        MetricRow Row(long step, int attempt, double loss) => new(step, DateTimeOffset.UnixEpoch, new Dictionary<string, double>
        {
            ["loss"] = loss, ["attempt"] = attempt,
        });
        var step = Step([], "loss") with
        {
            Metrics = [Row(0, 0, 5), Row(1, 0, 4), Row(2, 0, 9), Row(2, 1, 8), Row(3, 1, 7), Row(1, 2, 3), Row(2, 2, 2)],
        };
        Assert.Equal([(0, 5), (1, 3), (2, 2)], step.Series("loss").Points);
        Assert.Equal([[(1, 4), (2, 9)], [(2.0, 8.0), (3.0, 7.0)]], step.LeftBranches("loss").Select(branch => branch.Points));
        Assert.All(step.LeftBranches("loss"), branch => Assert.Equal(SeriesStyle.Faint, branch.Style));
    }
}
