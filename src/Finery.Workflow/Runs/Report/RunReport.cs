using System.Text;
using System.Text.Json.Nodes;
using Finery.Workflow.Steps;
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
                MonitoringSection.Write(html, records);
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
/// <param name="Events">Rows of its <c>events.jsonl</c>.</param>
internal sealed record StepRecord(StepStatus Status, IReadOnlyList<MetricRow> Metrics, IReadOnlyList<EventRow> Events)
{
    public string Name => Status.Name;

    public string Type => Status.Type;

    public JsonObject Summary => Status.Summary;

    public double Seconds => Status.Seconds;

    /// <summary>Rows of the run as it ended: a branch that was rolled back counts up to where it was left.</summary>
    public IReadOnlyList<MetricRow> Kept => field ??= [.. Metrics.Where(row => row.Step < LeftAt(Attempt(row)))];

    public bool HasMetric(string metric) => Metrics.Any(row => row.Values.ContainsKey(metric));

    public Series Series(string metric) => new(Name, Points(Kept, metric));

    /// <summary>What was left behind by rollbacks, faint, without a name of its own.</summary>
    public IReadOnlyList<Series> LeftBranches(string metric) =>
    [
        .. Metrics.Where(row => row.Step >= LeftAt(Attempt(row))).GroupBy(Attempt)
            .Select(branch => new Series("", Points(branch, metric)) { Style = SeriesStyle.Faint, Colour = 1 }),
    ];

    private static IReadOnlyList<(double X, double Y)> Points(IEnumerable<MetricRow> rows, string metric) =>
        [.. rows.Where(row => row.Values.ContainsKey(metric)).Select(row => ((double)row.Step, row.Values[metric]))];

    private static int Attempt(MetricRow row) => (int)row.Values.GetValueOrDefault(StepContext.AttemptMetric);

    /// <summary>The first step that a later branch did again.</summary>
    private long LeftAt(int attempt) => FirstSteps.Where(first => first.Attempt > attempt).Select(first => first.Step).DefaultIfEmpty(long.MaxValue).Min();

    private IReadOnlyList<(int Attempt, long Step)> FirstSteps =>
        field ??= [.. Metrics.GroupBy(Attempt).Select(branch => (branch.Key, branch.Min(row => row.Step)))];
}

/// <summary>Everything the report shows, loaded once.</summary>
internal sealed record RunRecords(RunFolder Run, RunStatus Status, IReadOnlyList<StepRecord> Steps)
{
    public double Seconds => Steps.Sum(step => step.Seconds);

    public static RunRecords Load(RunFolder run) =>
        new(run, run.Status(), [.. run.Steps().Select(step => new StepRecord(step, run.Metrics(step.Name).Rows, run.Events(step.Name)))]);

    public IEnumerable<StepRecord> OfType(string type) => Steps.Where(step => step.Type == type);

    /// <summary>Folder of the model a step wrote.</summary>
    public string ModelFolder(StepRecord step) => Path.Combine(Run.StepFolder(step.Name), "model");
}
