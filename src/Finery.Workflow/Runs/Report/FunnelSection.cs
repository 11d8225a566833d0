using System.Text.Json.Nodes;

namespace Finery.Workflow.Runs.Report;

/// <summary>What became of the documents: how many each stage kept, and examples of what it dropped and why.</summary>
internal static class FunnelSection
{
    public static void Write(HtmlWriter html, RunRecords records)
    {
        var stages = records.Steps.Where(step => step.Summary["kept"] is JsonObject).ToList();
        if (stages.Count == 0) return;
        html.Heading("Data");
        double most = stages.Max(stage => Figure(stage.Summary["kept"], "documents"));
        html.Raw("<table><thead><tr><th>stage</th><th>documents</th><th>MB of text</th><th></th></tr></thead><tbody>");
        foreach (var stage in stages)
        {
            double documents = Figure(stage.Summary["kept"], "documents");
            html.Raw($"<tr><td>{HtmlWriter.Escape(stage.Name)}</td><td class=\"figure\">{HtmlWriter.Number(documents)}</td>"
                + $"<td class=\"figure\">{HtmlWriter.Number(Figure(stage.Summary["kept"], "bytes") / 1e6, "F1")}</td>"
                + $"<td style=\"width:20rem\"><div class=\"bar\" style=\"width:{HtmlWriter.Number(100 * documents / most, "F1")}%\"></div></td></tr>");
        }
        html.Raw("</tbody></table>");

        foreach (var stage in stages)
        {
            foreach (string group in new[] { "dropped", "skipped" })
            {
                if (stage.Summary[group] is not JsonObject { Count: > 0 } reasons) continue;
                foreach (var (reason, bucket) in reasons.OrderByDescending(pair => Figure(pair.Value, "documents")))
                    html.Details($"{stage.Name}: {group} {HtmlWriter.Number(Figure(bucket, "documents"))} for {reason}", () => Examples(html, bucket));
            }
        }
    }

    private static void Examples(HtmlWriter html, JsonNode? bucket)
    {
        if (bucket?["example"] is { } place) html.Note($"first: {place}");
        foreach (var example in bucket?["examples"] as JsonArray ?? [])
        {
            html.Note(example?["duplicate_of"] is { } original ? $"{example["id"]} (duplicate of {original})" : $"{example?["id"]}");
            html.Preformatted((string?)example?["text"] ?? "");
        }
    }

    private static double Figure(JsonNode? node, string name) => node?[name]?.GetValue<double>() ?? 0;
}
