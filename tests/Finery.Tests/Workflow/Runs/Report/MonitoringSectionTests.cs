using Finery.Tests.Workflow.Steps;
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
    public void Events_are_listed_and_marked_and_escaped()
    {
        var step = Step([new(20, "spike", "loss <9> & more", [new("steps skipped", 0, 1)]), new(400, "stop", "beyond the chart", [])], "monitor/max_logit");
        string html = Html(step);
        Assert.Contains("loss &lt;9&gt; &amp; more", html);
        Assert.Contains("steps skipped 0 → 1", html);
        string chart = LineChart.Render("loss", "step", MonitoringSection.Marks(step), step.Series("monitor/max_logit"));
        Assert.Equal(1, chart.Split("class=\"mark\"").Length - 1);
        Assert.Contains("<title>step 20, spike: loss &lt;9&gt; &amp; more</title>", chart);
    }

    [Fact]
    public void Events_are_kept_in_their_file_and_cut_by_count()
    {
        using var context = new RecordingContext();
        for (int i = 0; i < 4; i++) context.Event(new(100 - i, "alert", $"{i}", [new("x", double.NaN, double.PositiveInfinity)]));
        context.TruncateEvents(2);
        context.Event(new(7, "rollback", "back", []));
        var rows = JsonLines.Read<EventRow>(Path.Combine(context.Folder, "events.jsonl"), 0).Values;
        Assert.Equal([100L, 99L, 7L], rows.Select(row => row.Step));
        Assert.Equal(double.PositiveInfinity, rows[0].Changes[0].After);
    }
}
