using System.Text.Json.Nodes;

namespace Finery.Workflow.Runs.Report;

/// <summary>What this run was, and how long each step took.</summary>
internal static class OverviewSection
{
    public static void Write(HtmlWriter html, RunRecords records)
    {
        var machine = records.Run["machine"] as JsonObject ?? [];
        html.Note($"{records.Run["status"]} on {string.Join(", ", machine.Where(pair => pair.Value is not null).Select(pair => $"{pair.Key} {pair.Value}"))}"
            + $"; seed {records.Run["seed"]}; {HtmlWriter.Number(records.Seconds / 60, "F1")} minutes of work.");
        if (records.Steps.LastOrDefault(step => step.Type is "align" or "finetune") is { } model)
        {
            html.Paragraph("Talk to the model:");
            html.Preformatted($"finery chat {System.IO.Path.Combine(records.Path, model.Name, "model")}\nfinery serve {System.IO.Path.Combine(records.Path, model.Name, "model")}");
        }
    }

    public static void WriteSteps(HtmlWriter html, RunRecords records)
    {
        html.Heading("Steps");
        html.Table(["step", "type", "status", "seconds", "key"], records.Steps.Select(step => new[]
        {
            step.Name, step.Type, (string?)step.Json["status"] ?? "", HtmlWriter.Number(step.Seconds, "F1"),
            ((string?)step.Json["key"] ?? "")[..Math.Min(12, ((string?)step.Json["key"] ?? "").Length)],
        }));
    }
}
