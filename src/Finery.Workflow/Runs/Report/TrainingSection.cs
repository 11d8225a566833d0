using System.Text.Json.Nodes;

namespace Finery.Workflow.Runs.Report;

/// <summary>The plan against what happened, and the curves of every training step.</summary>
internal static class TrainingSection
{
    // More would make a page that no browser likes.
    private const int MostWithCharts = 40;

    public static void Write(HtmlWriter html, RunRecords records)
    {
        var training = records.Steps.Where(step => step.HasMetric("loss")).ToList();
        WritePlan(html, records);
        if (training.Count == 0) return;
        html.Heading("Training");
        html.Table(["step", "steps", "tokens", "final loss", "tokens/s", "MFU %", "seconds"], training.Select(step => new[]
        {
            step.Name, Text(step.Summary, "steps", "N0"), Text(step.Summary, "tokens", "N0"), Text(step.Summary, "final_loss", "F4"),
            Text(step.Summary, "tokens_per_second", "N0"), Percent(step.Summary, "mfu"), HtmlWriter.Number(step.Seconds, "F0"),
        }));
        html.Note("Final loss: mean of the last tenth of the steps, nats per trained token (preference steps: the DPO loss). MFU: model FLOP/s, "
            + "6 per matmul weight and token plus 12 L H HS S for attention, over the GEMM peak measured by the plan on this machine; attention within short documents costs less than it counts.");
        foreach (var step in training.Take(MostWithCharts))
        {
            html.Raw("<div class=\"charts\">");
            html.Raw(LineChart.Render($"{step.Name}: loss", "step", MonitoringSection.Marks(step), [step.Series("loss"), .. step.LeftBranches("loss")]));
            html.Raw(LineChart.Render($"{step.Name}: learning rate", "step", step.Series("learning_rate")));
            html.Raw(LineChart.Render($"{step.Name}: tokens per second", "step", step.Series("tokens_per_second")));
            if (step.Type == "align") html.Raw(LineChart.Render($"{step.Name}: chosen preferred (share)", "step", step.Series("accuracy")));
            else html.Raw(LineChart.Render($"{step.Name}: gradient norm", "step", step.Series("gradient_norm")));
            html.Raw(LineChart.Render($"{step.Name}: attention heads scaled by QK-clip", "step", step.Series("clipped_heads")));
            html.Raw("</div>");
        }
    }

    private static void WritePlan(HtmlWriter html, RunRecords records)
    {
        if (records.OfType("plan").FirstOrDefault() is not { Summary: { Count: > 0 } plan }) return;
        html.Heading("Plan");
        var pretrained = records.OfType("pretrain").FirstOrDefault()?.Summary ?? [];
        html.Table(["", "planned", "happened"],
        [
            ["minutes in all", Text(plan, "minutes", "F1"), HtmlWriter.Number(records.Seconds / 60, "F1")],
            ["parameters", Text(plan, "parameters", "N0"), Text(pretrained, "parameters", "N0")],
            ["pretraining tokens", Text(plan, "tokens", "N0"), Text(pretrained, "tokens", "N0")],
            ["epochs", Text(plan, "epochs", "F2"), Text(pretrained, "epochs", "F2")],
            ["tokens per second", Text(plan, "tokens_per_second", "N0"), Text(pretrained, "tokens_per_second", "N0")],
            ["pretraining seconds", Text(plan, "pretrain_seconds", "F0"), Text(pretrained, "seconds_training", "F0")],
            ["loss, nats per token", Text(plan, "predicted_loss", "F3"), Text(pretrained, "final_loss", "F3")],
        ]);
        html.Note((string?)plan["law"] ?? "");
        html.Details("Shapes that were measured and considered", () => html.Table(
            ["shape", "parameters", "tokens/s", "tokens", "epochs", "predicted loss"],
            (plan["candidates"] as JsonArray ?? []).OfType<JsonObject>().Select(candidate => new[]
            {
                (string?)candidate["shape"] ?? "", Text(candidate, "parameters", "N0"), Text(candidate, "tokens_per_second", "N0"),
                Text(candidate, "tokens", "N0"), Text(candidate, "epochs", "F2"), Text(candidate, "predicted_loss", "F3"),
            })));
    }

    internal static string Text(JsonObject json, string name, string format) =>
        json[name] is { } node ? HtmlWriter.Number(node.GetValue<double>(), format) : "";

    private static string Percent(JsonObject json, string name) =>
        json[name] is { } node ? HtmlWriter.Number(100 * node.GetValue<double>(), "F1") : "";
}
