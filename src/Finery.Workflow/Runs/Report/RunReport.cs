using System.Text;
using System.Text.Json.Nodes;
using Finery.Workflow.Sweeps;

namespace Finery.Workflow.Runs.Report;

/// <summary>
/// Writes <c>report.html</c> of a run: one page without scripts or links, readable offline. It shows what the records of the run
/// folder say, whatever steps the recipe has; a section without records is left out.
/// </summary>
public static class RunReport
{
    /// <summary>Name of the file in the run folder.</summary>
    public const string FileName = "report.html";

    /// <summary>Renders the run folder's records.</summary>
    public static void Write(RunFolder run)
    {
        var records = RunRecords.Load(run);
        var html = new HtmlWriter();
        html.Page(records.Status.Name, () =>
        {
            OverviewSection.Write(html, records);
            if (SweepRecord.Load(run) is { } sweep)
            {
                SweepSection.Write(html, sweep, run);
                html.Details("Training of every trial", () => TrainingSection.Write(html, records));
                html.Details("Evaluation of every trial", () => EvaluationSection.Write(html, records));
                FunnelSection.Write(html, records);
            }
            else
            {
                EvaluationSection.Write(html, records);
                TrainingSection.Write(html, records);
                FunnelSection.Write(html, records);
                ModelCardSection.Write(html, records);
            }
            OverviewSection.WriteSteps(html, records);
        });
        AtomicFile.Write(Path.Combine(run.Path, FileName), Encoding.UTF8.GetBytes(html.ToString()));
    }
}

/// <summary>One step as its records tell it.</summary>
/// <param name="Status">Its <c>step.json</c>.</param>
/// <param name="Metrics">Rows of its <c>metrics.jsonl</c>.</param>
internal sealed record StepRecord(StepStatus Status, IReadOnlyList<MetricRow> Metrics)
{
    public string Name => Status.Name;

    public string Type => Status.Type;

    public JsonObject Summary => Status.Summary;

    public double Seconds => Status.Seconds;

    public bool HasMetric(string metric) => Metrics.Any(row => row.Values.ContainsKey(metric));

    public Series Series(string metric) => new(Name, [.. Metrics
        .Where(row => row.Values.ContainsKey(metric)).Select(row => ((double)row.Step, row.Values[metric]))]);
}

/// <summary>Everything the report shows, loaded once.</summary>
internal sealed record RunRecords(RunFolder Run, RunStatus Status, IReadOnlyList<StepRecord> Steps)
{
    public double Seconds => Steps.Sum(step => step.Seconds);

    public static RunRecords Load(RunFolder run) =>
        new(run, run.Status(), [.. run.Steps().Select(step => new StepRecord(step, run.Metrics(step.Name).Rows))]);

    public IEnumerable<StepRecord> OfType(string type) => Steps.Where(step => step.Type == type);

    /// <summary>Folder of the model a step wrote.</summary>
    public string ModelFolder(StepRecord step) => Path.Combine(Run.StepFolder(step.Name), "model");
}
