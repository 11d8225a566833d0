using System.CommandLine;
using Finery.Workflow.Recipes;
using Finery.Workflow.Runs;

namespace Finery.Cli.Commands;

/// <summary><c>finery run</c>: runs a recipe, skipping what is finished.</summary>
public static class RunCommand
{
    /// <summary>The command.</summary>
    public static Command Create()
    {
        var recipe = new Argument<string>("recipe") { Description = "Recipe file." };
        var set = new Option<string[]>("--set") { Description = "Override a setting: step.key=value; may be repeated.",
            DefaultValueFactory = _ => [] };
        var dryRun = new Option<bool>("--dry-run", "-n") { Description = "Show what would run and why; write nothing." };
        var folder = new Option<string?>("--out") { Description = "Run folder. Default: runs/ and the recipe's name." };
        var until = new Option<string?>("--until") { Description = "Stop after this step." };
        var force = new Option<string[]>("--force") { Description = "Run this step even if it is finished ('*' for all); may " +
            "be repeated.", DefaultValueFactory = _ => [] };
        var json = new Option<bool>("--json") { Description = "The outcome as JSON on stdout." };
        var threads = ModelArgument.ThreadsOption();
        var command = new Command("run", "Run a recipe; finished steps are skipped.") { recipe, set, dryRun, folder, until,
            force, json, threads };
        command.SetAction(parsed =>
        {
            var streams = CommandLine.StreamsOf(parsed);
            string path = parsed.GetRequiredValue(recipe);
            string runFolder = Path.GetFullPath(parsed.GetValue(folder)
                ?? Path.Combine("runs", Path.GetFileNameWithoutExtension(path)));
            var loaded = RecipeFile.Load(path, runFolder, parsed.GetValue(set)!);
            if (loaded.Recipe is null) return RecipeRun.ReportErrors(loaded.Errors, streams);
            var run = new RecipeRun
            {
                Folder = runFolder,
                Threads = parsed.GetValue(threads),
                DryRun = parsed.GetValue(dryRun),
                Json = parsed.GetValue(json),
                Until = parsed.GetValue(until),
                Force = parsed.GetValue(force)!,
                Debug = parsed.GetValue(CommandLine.Debug),
            };
            var result = run.Execute(loaded.Recipe, streams);
            if (result is null) return (int)ExitCode.Ok;
            if (result.ExitCode == ExitCode.Ok && !run.Json) RunSummary.Write(runFolder, streams);
            return (int)result.ExitCode;
        });
        return command;
    }
}
