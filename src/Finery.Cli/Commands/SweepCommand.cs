using System.CommandLine;
using System.Globalization;
using Finery.Cli.Terminal;
using Finery.Workflow.Runs;
using Finery.Workflow.Runs.Report;
using Finery.Workflow.Sweeps;

namespace Finery.Cli.Commands;

/// <summary><c>finery sweep</c>: runs a recipe with many settings and seeds, and compares what comes out.</summary>
public static class SweepCommand
{
    /// <summary>The command.</summary>
    public static Command Create()
    {
        var file = new Argument<string>("sweep") { Description = "Sweep file." };
        var set = new Option<string[]>("--set")
        {
            Description = "Override a setting of the recipe, step.key=value, or of the sweep, such as seeds=[1,2]; may be repeated.",
            DefaultValueFactory = _ => [],
        };
        var folder = new Option<string?>("--out") { Description = "Run folder. Default: runs/ and the sweep's name." };
        var flags = new RecipeRunFlags();
        var command = new Command("sweep", "Run a recipe with many settings and seeds; finished trials are skipped.")
        {
            file, set, folder,
        };
        foreach (var option in flags.Options) command.Add(option);
        command.SetAction(parsed =>
        {
            var streams = CommandLine.StreamsOf(parsed);
            string path = parsed.GetRequiredValue(file);
            string runFolder = Path.GetFullPath(
                parsed.GetValue(folder) ?? Path.Combine("runs", Path.GetFileNameWithoutExtension(path)));
            var loaded = SweepFile.Load(path, runFolder, parsed.GetValue(set)!);
            return loaded.Sweep is { } sweep ? Run(sweep, flags.RunOf(parsed, runFolder), streams)
                : RecipeRun.ReportErrors(loaded.Errors, streams);
        });
        return command;
    }

    private static int Run(Sweep sweep, RecipeRun run, Streams streams)
    {
        SweepRecord? record = null;
        int shared = sweep.Recipe.Steps.Count(step => sweep.Trials.All(trial => trial.Steps.Values.Contains(step.Name)));
        streams.Messages.WriteLine($"{sweep.Trials.Count} trials, {sweep.Recipe.Steps.Count} steps, {shared} of them common to all");
        var result = (run with
        {
            // A program wants the results of the sweep, not those of its steps.
            Json = run.Json && run.DryRun,
            Report = folder =>
            {
                record = SweepOutcome.Write(sweep, folder);
                RunReport.Write(folder);
            },
        }).Execute(sweep.Recipe, streams);
        if (result is null) return (int)ExitCode.Ok;
        if (record is null) return (int)result.ExitCode;
        if (run.Json) streams.Data.WriteLine(record.ToJson());
        else Write(record, run.Folder, streams);
        return (int)SweepOutcome.ExitCodeOf(record, result);
    }

    private static void Write(SweepRecord record, string folder, Streams streams)
    {
        var table = new TextTable("variant", "parameters", record.Metric, "deviation", "n", "lost", "");
        foreach (var group in record.Groups)
            table.Add(group.Variant, string.Join(" ", group.Parameters.Select(pair => $"{pair.Key}={pair.Value}")),
                Figure(group.Mean, group.StandardError),
                Number(group.StandardDeviation), Number(group.Count), Number(group.Lost), group.Best ? "best" : "");
        table.Write(streams);
        foreach (var claim in record.Claims)
            streams.Data.WriteLine($"{claim.Statement}: {claim.Verdict} ({Figure(claim.Measured, claim.StandardError)}; {claim.Criterion}; {claim.Detail})");
        streams.Data.WriteLine($"Results: {Path.Combine(folder, SweepRecord.FileName)}");
        streams.Data.WriteLine($"Report: {Path.Combine(folder, RunReport.FileName)}");
    }

    private static string Figure(double? value, double? error) =>
        value is null ? "no figure" : error is null ? Number(value) : $"{Number(value)} ± {Number(error)}";

    private static string Number(double? value) => value?.ToString("0.#####", CultureInfo.InvariantCulture) ?? "";
}
