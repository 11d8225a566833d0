using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using Finery.Cli.Terminal;
using Finery.Workflow.Runs;

namespace Finery.Cli.Commands;

/// <summary><c>finery runs</c>: the runs below a folder.</summary>
public static class RunsCommand
{
    /// <summary>The command.</summary>
    public static Command Create()
    {
        var root = new Argument<string>("root") { Description = "Folder of run folders.", DefaultValueFactory = _ => "runs" };
        var json = new Option<bool>("--json") { Description = "As JSON." };
        var command = new Command("runs", "List runs, newest first.") { root, json };
        command.SetAction(parsed =>
        {
            var streams = CommandLine.StreamsOf(parsed);
            string folder = parsed.GetValue(root)!;
            var runs = Directory.Exists(folder) ? RunFolder.List(folder) : [];
            if (parsed.GetValue(json)) streams.Data.WriteLine(new JsonArray([.. runs.Select(ToJson)]).ToJsonString());
            else if (runs.Count == 0) streams.Messages.WriteLine($"No runs below {Path.GetFullPath(folder)}.");
            else WriteTable(runs, streams);
            return (int)ExitCode.Ok;
        });
        return command;
    }

    private static void WriteTable(IReadOnlyList<RunFolder> runs, Streams streams)
    {
        var table = new TextTable("run", "state", "steps", "started (UTC)", "took", "folder");
        foreach (var run in runs)
        {
            var status = run.Status();
            int done = status.Steps.Count(step => step.State is StepState.Finished or StepState.Cached);
            table.Add(
                Path.GetFileName(run.Path), status.State.ToString().ToLowerInvariant(),
                string.Create(CultureInfo.InvariantCulture, $"{done}/{status.Steps.Count}"),
                status.Started.UtcDateTime.ToString("yyyy-MM-dd HH:mm:ss", CultureInfo.InvariantCulture),
                Quantities.Duration(status.Steps.Sum(step => step.Seconds)), run.Path);
        }
        table.Write(streams);
    }

    private static string Utc(DateTimeOffset time) =>
        time.UtcDateTime.ToString("yyyy-MM-ddTHH:mm:ssZ", CultureInfo.InvariantCulture);

    /// <summary>A run as JSON.</summary>
    public static JsonObject ToJson(RunFolder run)
    {
        var status = run.Status();
        return new JsonObject
        {
            ["name"] = status.Name,
            ["folder"] = run.Path,
            ["state"] = status.State.ToString().ToLowerInvariant(),
            ["seed"] = status.Seed,
            ["attempt"] = status.Attempt,
            ["started"] = Utc(status.Started),
            ["ended"] = status.Ended is { } ended ? Utc(ended) : null,
            ["exit_code"] = status.ExitCode,
            ["error"] = status.Error,
            ["steps"] = new JsonArray([.. status.Steps.Select(step => new JsonObject
            {
                ["name"] = step.Name,
                ["type"] = step.Type,
                ["state"] = step.State.ToString().ToLowerInvariant(),
                ["seconds"] = Math.Round(step.Seconds, 3),
            })]),
        };
    }
}
