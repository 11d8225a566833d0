using System.Globalization;
using Finery.Data.Curation;

namespace Finery.Workflow.Runs.Report;

/// <summary>Writes <c>report.html</c> of a curation: the funnel, what every rule measured, what was kept and dropped, clusters of
/// duplicates, languages, domains.</summary>
public static class CurationReport
{
    private const int TopValues = 40;

    /// <summary>Renders the statistics into the curation's folder.</summary>
    public static void Write(CurationFolder folder, CurationStatistics statistics)
    {
        var html = new HtmlWriter();
        html.Page($"Curation {Path.GetFileName(Path.TrimEndingDirectorySeparator(folder.Root))}", () =>
        {
            html.Paragraph(Line(statistics));
            WriteFunnel(html, statistics);
            WriteInput(html, statistics);
            WriteStages(html, statistics);
            WriteClusters(html, statistics.Clusters);
            WriteCounts(html, "Languages", statistics.Languages);
            WriteCounts(html, "Domains", statistics.Domains);
        });
        Finery.Data.Writers.AtomicFile.WriteText(Path.Combine(folder.Root, RunReport.FileName), html.ToString());
    }

    /// <summary>The result in a sentence.</summary>
    public static string Line(CurationStatistics statistics) => string.Create(CultureInfo.InvariantCulture,
        $"{statistics.Written.Documents:N0} of {statistics.Read.Documents:N0} documents kept, "
        + $"{statistics.Written.Bytes / 1e6:N1} of {statistics.Read.Bytes / 1e6:N1} MB") + (statistics.Written.Tokens > 0
            ? string.Create(CultureInfo.InvariantCulture, $", {statistics.Written.Tokens:N0} tokens") : "");

    private static void WriteFunnel(HtmlWriter html, CurationStatistics statistics)
    {
        html.Heading("Funnel");
        bool tokens = statistics.Read.Tokens + statistics.Written.Tokens > 0;
        html.Raw("<div class=\"wide\"><table><thead><tr><th>stage</th><th>documents</th><th>of those before</th><th>MB</th>"
            + (tokens ? "<th>tokens</th>" : "") + "<th></th></tr></thead><tbody>");
        double all = Math.Max(1, statistics.Read.Documents);
        long before = statistics.Read.Documents;
        Row("read", statistics.Read);
        foreach (var stage in statistics.Stages) Row(stage.Name, stage.Kept);
        Row("written", statistics.Written);
        html.Raw("</tbody></table></div>");

        void Row(string name, Volume volume)
        {
            html.Raw($"<tr><td>{HtmlWriter.Escape(name)}</td><td class=\"figure\">{HtmlWriter.Number(volume.Documents)}</td>"
                + $"<td class=\"figure\">{Share(volume.Documents, before)}</td>"
                + $"<td class=\"figure\">{HtmlWriter.Number(volume.Bytes / 1e6, "N2")}</td>"
                + (tokens ? $"<td class=\"figure\">{(volume.Tokens > 0 ? HtmlWriter.Number(volume.Tokens) : "")}</td>" : "")
                + "<td style=\"width:16rem\"><div class=\"bar\" style=\"width:"
                + $"{HtmlWriter.Number(Math.Min(100, 100 * volume.Documents / all), "F1")}%\"></div></td></tr>");
            before = volume.Documents;
        }
    }

    private static void WriteInput(HtmlWriter html, CurationStatistics statistics)
    {
        if (statistics.Skipped.Count + statistics.Repaired.Count == 0) return;
        html.Heading("Input left out or repaired");
        html.Table(["what", "reason", "items", "first"],
            statistics.Skipped.Select(pair => (IReadOnlyList<string>)
                ["left out", pair.Key, HtmlWriter.Number(pair.Value.Count), pair.Value.FirstExample])
            .Concat(statistics.Repaired.Select(pair => (IReadOnlyList<string>)
                ["repaired", pair.Key, HtmlWriter.Number(pair.Value.Count), pair.Value.FirstExample])));
    }

    private static void WriteStages(HtmlWriter html, CurationStatistics statistics)
    {
        foreach (var stage in statistics.Stages)
        {
            if (stage.Dropped.Count + stage.Rules.Count == 0) continue;
            html.Heading(stage.Name);
            long judged = stage.Kept.Documents + stage.Dropped.Values.Sum(volume => volume.Documents);
            if (stage.Dropped.Count > 0)
                html.Table(["reason", "documents", "share", "MB"], stage.Dropped
                    .OrderByDescending(pair => pair.Value.Documents).Select(pair => (IReadOnlyList<string>)
                    [
                        pair.Key, HtmlWriter.Number(pair.Value.Documents), Share(pair.Value.Documents, judged),
                        HtmlWriter.Number(pair.Value.Bytes / 1e6, "N2"),
                    ]));
            string[] charts = [.. stage.Rules.Select(pair => Histogram.Render(pair.Key, pair.Value))
                .Where(chart => chart.Length > 0)];
            if (charts.Length > 0)
                html.Details("measured values by rule (a document is measured up to the rule that drops it)",
                    () => html.Raw($"<div class=\"charts small\">{string.Concat(charts)}</div>"));
            foreach (var (reason, sample) in stage.Examples)
            {
                if (reason.Length == 0 && stage.Dropped.Count == 0) continue;
                html.Details(reason.Length == 0 ? "kept: a random sample" : $"dropped for {reason}: a random sample",
                    () => WriteExamples(html, sample.Documents.Values));
            }
        }
    }

    private static void WriteClusters(HtmlWriter html, ClusterSample sample)
    {
        var clusters = sample.Clusters.Values.Where(members => members.Count > 1).ToList();
        if (clusters.Count == 0) return;
        html.Heading("Clusters of duplicates");
        html.Note("A random sample; the document kept stands first.");
        foreach (var members in clusters)
        {
            html.Raw("<div class=\"sides\">");
            foreach (var member in members)
            {
                html.Raw("<div>");
                WriteExamples(html, [member]);
                html.Raw("</div>");
            }
            html.Raw("</div>");
        }
    }

    private static void WriteExamples(HtmlWriter html, IEnumerable<Example> examples)
    {
        foreach (var example in examples)
        {
            html.Note(example.Url is null || example.Url == example.Id ? example.Id : $"{example.Id} {example.Url}");
            html.Preformatted(example.Text);
        }
    }

    private static void WriteCounts(HtmlWriter html, string title, ValueCounts counts)
    {
        if (counts.Values.Count == 0) return;
        double all = counts.Values.Values.Sum() + counts.Others;
        html.Heading(title);
        html.Table(["", "documents", "share"], counts.Values.OrderByDescending(pair => pair.Value).Take(TopValues)
            .Select(pair => (IReadOnlyList<string>)[pair.Key, HtmlWriter.Number(pair.Value), Share(pair.Value, all)]));
        if (counts.Values.Count > TopValues || counts.Others > 0)
            html.Note($"and {HtmlWriter.Number(counts.Values.Count - Math.Min(TopValues, counts.Values.Count))} more");
    }

    private static string Share(double part, double whole) => whole > 0 ? HtmlWriter.Number(100 * part / whole, "F1") + "%" : "-";
}
