using System.Text;
using System.Text.Json.Nodes;

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
        html.Raw("<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">"
            + $"<title>{HtmlWriter.Escape(records.Status.Name)} - Finery</title><style>{Style}</style></head><body><main>");
        html.Raw($"<h1>{HtmlWriter.Escape(records.Status.Name)}</h1>");
        OverviewSection.Write(html, records);
        EvaluationSection.Write(html, records);
        TrainingSection.Write(html, records);
        FunnelSection.Write(html, records);
        ModelCardSection.Write(html, records);
        OverviewSection.WriteSteps(html, records);
        html.Raw("</main></body></html>");
        AtomicFile.Write(Path.Combine(run.Path, FileName), Encoding.UTF8.GetBytes(html.ToString()));
    }

    private const string Style = """
        :root{color-scheme:light dark;--ink:#1b1f24;--paper:#fff;--soft:#6a737d;--line:#d9dee3;--tint:#f5f7f9}
        @media(prefers-color-scheme:dark){:root{--ink:#e6e8ea;--paper:#15181c;--soft:#98a2ad;--line:#333a42;--tint:#1e2329}}
        body{font:15px/1.55 system-ui,sans-serif;color:var(--ink);background:var(--paper);margin:0}
        main{max-width:62rem;margin:0 auto;padding:1.5rem}
        h1{margin:.2rem 0}h2{margin:2.2rem 0 .6rem;border-bottom:1px solid var(--line);padding-bottom:.2rem}
        table{border-collapse:collapse;margin:.6rem 0}th,td{text-align:left;padding:.25rem .8rem .25rem 0;border-bottom:1px solid var(--line);vertical-align:top}
        th{color:var(--soft);font-weight:600}td.figure{text-align:right;font-variant-numeric:tabular-nums}.wide{overflow-x:auto}
        pre{background:var(--tint);padding:.6rem .8rem;overflow-x:auto;white-space:pre-wrap;border-radius:4px}
        .note{color:var(--soft)}summary{cursor:pointer;margin:.3rem 0}figure{margin:.8rem 0}svg{width:100%;max-width:640px;height:auto}
        svg text{font:11px system-ui,sans-serif;fill:var(--soft)}svg .title{font-size:13px;font-weight:600;fill:var(--ink)}svg .grid{stroke:var(--line)}
        .charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(26rem,1fr));gap:0 1rem}.bar{background:#0072b2;height:.7rem;border-radius:2px;min-width:1px}
        """;
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
