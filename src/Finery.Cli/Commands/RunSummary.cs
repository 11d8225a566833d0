using System.Text.Json;
using System.Text.Json.Nodes;
using Finery.Cli.Terminal;
using Finery.Workflow.Runs;

namespace Finery.Cli.Commands;

/// <summary>What stands at the end of a run: each step's time and figures, and where the report is.</summary>
public static class RunSummary
{
    private const int MostFigures = 6;

    /// <summary>Prints it on stdout.</summary>
    public static void Write(string folder, Streams streams)
    {
        var run = RunFolder.Open(folder);
        var table = new TextTable("step", "took", "figures");
        foreach (var step in run.Steps())
            table.Add(step.Name, Quantities.Duration(step.Seconds), string.Join(", ", Figures(step.Summary).Take(MostFigures)));
        table.Write(streams);
        string report = Path.Combine(folder, "report.html");
        if (File.Exists(report)) streams.Data.WriteLine($"Report: {report}");
    }

    /// <summary>The plain figures and words of a summary; tables and examples are for the report.</summary>
    private static IEnumerable<string> Figures(JsonObject summary)
    {
        foreach (var (name, value) in summary)
        {
            if (value is not JsonValue scalar) continue;
            if (scalar.GetValueKind() == JsonValueKind.Number) yield return $"{name.Replace('_', ' ')} " +
                $"{Quantities.Count(scalar.GetValue<JsonElement>().GetDouble())}";
            else if (scalar.GetValueKind() == JsonValueKind.String
                && scalar.GetValue<string>() is { Length: <= 40 } text) yield return $"{name.Replace('_', ' ')} {text}";
        }
    }
}
