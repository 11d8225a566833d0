using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Finery.Cli.Terminal;
using Finery.Workflow.Recipes;
using Finery.Workflow.Runs;
using Finery.Workflow.Runs.Report;
using Finery.Workflow.Steps;

namespace Finery.Cli.Commands;

/// <summary>How a recipe is to be run, as <c>run</c>, <c>quickstart</c> and the verbs of single steps have it in
/// common.</summary>
public sealed record RecipeRun
{
    private static readonly JsonSerializerOptions Indented =
        new() { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Run folder.</summary>
    public required string Folder { get; init; }

    /// <summary>Threads.</summary>
    public required int Threads { get; init; }

    /// <summary>Training steps to profile; 0 for none.</summary>
    public int Profile { get; init; }

    /// <summary>Only show what would happen.</summary>
    public bool DryRun { get; init; }

    /// <summary>The outcome as JSON on stdout.</summary>
    public bool Json { get; init; }

    /// <summary>Last step.</summary>
    public string? Until { get; init; }

    /// <summary>Steps to run even if finished.</summary>
    public IReadOnlyCollection<string> Force { get; init; } = [];

    /// <summary>Writes the report at the end of a run.</summary>
    public Action<RunFolder> Report { get; init; } = RunReport.Write;

    /// <summary>Stack traces of failed steps.</summary>
    public bool Debug { get; init; }

    /// <summary>Prints the errors of a recipe.</summary>
    /// <returns>The exit code.</returns>
    public static int ReportErrors(IReadOnlyList<RecipeError> errors, Streams streams)
    {
        foreach (var error in errors)
        {
            streams.Messages.WriteLine($"finery: {error}");
            if (error.Snippet is { Length: > 0 } snippet) streams.Messages.WriteLine(snippet);
        }
        return (int)ExitCode.Usage;
    }

    /// <summary>Runs, or plans, a recipe.</summary>
    /// <returns>The result; null for a dry run.</returns>
    public RunResult? Execute(Recipe recipe, Streams streams)
    {
        var options = new RunOptions { Threads = Threads, ProfiledSteps = Profile, DryRun = DryRun, Until = Until, Force = Force,
            Report = Report };
        foreach (string name in Force.Where(name => name != "*").Append(Until).OfType<string>())
        {
            if (recipe.Steps.Any(step => step.Name == name)) continue;
            string near = Spelling.Nearest(name, recipe.Steps.Select(step => step.Name)) is { } candidate
                ? $" Did you mean '{candidate}'?" : "";
            throw new UsageException($"the recipe has no step '{name}'.{near}");
        }
        if (Profile > 0 && !recipe.Steps.Any(step => step.Step is ITrainingStep))
            throw new UsageException("--profile: the recipe has no step that trains a model.");
        var runner = new Runner();
        if (DryRun)
        {
            ShowPlan(runner.Plan(recipe, Folder, options), streams);
            return null;
        }
        using var interruption =
            new Interruption("Stopping: the current unit of work is finished and saved. Once more to stop at once.");
        var progress = new RunProgress(streams, Debug);
        RunResult result;
        try
        {
            result = runner.Run(recipe, Folder, options, progress, interruption.Stop);
        }
        finally
        {
            progress.Close();
        }
        if (Json) streams.Data.WriteLine(ToJson(recipe, result).ToJsonString(Indented));
        if (result.Error is not null) streams.Messages.WriteLine($"finery: {result.Error}");
        return result;
    }

    private void ShowPlan(IReadOnlyList<StepPlan> plan, Streams streams)
    {
        if (Json)
        {
            var steps = plan.Select(step => (JsonNode)new JsonObject
            {
                ["name"] = step.Name,
                ["type"] = step.Type,
                ["action"] = JsonNamingPolicy.SnakeCaseLower.ConvertName(step.Action.ToString()),
                ["reason"] = step.Reason,
            });
            streams.Data.WriteLine(
                new JsonObject { ["folder"] = Folder, ["steps"] = new JsonArray([.. steps]) }.ToJsonString(Indented));
            return;
        }
        var table = new TextTable("step", "type", "action", "reason");
        foreach (var step in plan)
            table.Add(step.Name, step.Type, JsonNamingPolicy.SnakeCaseLower.ConvertName(step.Action.ToString())
                .Replace('_', ' '), step.Reason);
        table.Write(streams);
    }

    private JsonObject ToJson(Recipe recipe, RunResult result) => new()
    {
        ["name"] = recipe.Name,
        ["folder"] = Folder,
        ["exit_code"] = (int)result.ExitCode,
        ["error"] = result.Error,
        ["steps"] = new JsonArray([.. result.Steps.Select(step => new JsonObject
        {
            ["name"] = step.Name,
            ["type"] = step.Type,
            ["state"] = step.State.ToString().ToLowerInvariant(),
            ["seconds"] = Math.Round(step.Seconds, 3),
            ["detail"] = step.Detail,
        })]),
    };

    /// <summary>An override for a recipe; invariant.</summary>
    public static string Override(string key, object value) => string.Create(CultureInfo.InvariantCulture, $"{key}={value}");
}
