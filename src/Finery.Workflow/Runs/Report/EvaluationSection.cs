using System.Text.Json.Nodes;

namespace Finery.Workflow.Runs.Report;

/// <summary>Metrics with their standard errors, models beside baselines, and what each stage answers.</summary>
internal static class EvaluationSection
{
    private static readonly (string Key, string Title, double Scale, string Format)[] Metrics =
    [
        ("bits_per_byte", "bits per byte", 1, "F4"),
        ("accuracy", "right summary %", 100, "F1"),
        ("accuracy_norm", "per character %", 100, "F1"),
        ("accuracy_mutual", "mutual information %", 100, "F1"),
    ];

    public static void Write(HtmlWriter html, RunRecords records)
    {
        foreach (var step in records.OfType("evaluate").Where(step => step.Summary["rows"] is JsonArray))
        {
            html.Heading("Evaluation");
            html.Table(["model", .. Metrics.Select(metric => metric.Title)], ((JsonArray)step.Summary["rows"]!).OfType<JsonObject>()
                .Select(row => (string[])[(string?)row["name"] ?? "", .. Metrics.Select(metric => Cell(row[metric.Key], metric.Scale, metric.Format))]));
            html.Note((string?)step.Summary["note"] ?? "");
            WriteSamples(html, step.Summary["samples"] as JsonArray ?? []);
        }
    }

    private static void WriteSamples(HtmlWriter html, JsonArray samples)
    {
        if (samples.Count == 0) return;
        html.Heading("Samples");
        foreach (var sample in samples.OfType<JsonObject>())
        {
            html.Raw($"<h3>{HtmlWriter.Escape((string?)sample["prompt"] ?? "")}</h3>");
            html.Table(["stage", "answer"], (sample["answers"] as JsonObject ?? [])
                .Select(pair => new[] { pair.Key, (string?)pair.Value ?? "" }));
        }
    }

    private static string Cell(JsonNode? metric, double scale, string format)
    {
        if (metric?["value"] is not { } value) return "";
        string text = HtmlWriter.Number(scale * value.GetValue<double>(), format);
        return metric["error"] is { } error ? $"{text} ± {HtmlWriter.Number(scale * error.GetValue<double>(), format)}" : text;
    }
}
