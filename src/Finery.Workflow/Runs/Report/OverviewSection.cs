namespace Finery.Workflow.Runs.Report;

/// <summary>What this run was, and how long each step took.</summary>
internal static class OverviewSection
{
    public static void Write(HtmlWriter html, RunRecords records)
    {
        var (status, machine) = (records.Status, records.Status.Machine);
        html.Note($"{status.State} at {status.Ended ?? status.Heartbeat:u} on {machine.Cpu}, {machine.Cores} cores, "
            + $"{machine.MemoryBytes / (double)(1 << 30):F0} GiB, {machine.Os}, .NET {machine.Dotnet}, Finery {status.Finery}; "
            + $"seed {status.Seed}; {HtmlWriter.Number(records.Seconds / 60, "F1")} minutes of work.");
        if (status.Error is { } error) html.Paragraph(error);
        if (records.Steps.LastOrDefault(step => step.Type is "align" or "finetune") is not { } model) return;
        html.Paragraph("Talk to the model:");
        html.Preformatted($"finery chat {records.ModelFolder(model)}\nfinery serve {records.ModelFolder(model)}");
    }

    public static void WriteSteps(HtmlWriter html, RunRecords records)
    {
        html.Heading("Steps");
        html.Table(["step", "type", "status", "seconds", "key"], records.Steps.Select(step => new[]
        {
            step.Name, step.Type, step.Status.State.ToString().ToLowerInvariant(), HtmlWriter.Number(step.Seconds, "F1"), step.Status.Key[..12],
        }));
    }
}
