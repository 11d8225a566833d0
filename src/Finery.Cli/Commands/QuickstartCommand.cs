using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using Finery.Workflow.Recipes;
using Finery.Workflow.Runs;

namespace Finery.Cli.Commands;

/// <summary><c>finery quickstart</c>: the bundled recipe with a few of its settings as flags, and nothing more.</summary>
public static class QuickstartCommand
{
    private const string RecipeName = "quickstart.yaml";

    /// <summary>The command.</summary>
    public static Command Create()
    {
        var minutes = new Option<double>("--minutes") { Description = "Training time to plan for on this machine.", DefaultValueFactory = _ => 10 };
        minutes.Validators.Add(result =>
        {
            if (result.Tokens.Count == 0 || !double.TryParse(result.Tokens[0].Value, CultureInfo.InvariantCulture, out double given)) return;
            if (given is not (> 0 and <= 100_000)) result.AddError("--minutes must be above 0 and at most 100000.");
        });
        var input = new Option<string[]>("--input")
        {
            Description = "Your own text instead of the SDK's documentation: a file or pattern such as 'docs/**/*.md'; may be repeated.",
            DefaultValueFactory = _ => [],
        };
        var folder = new Option<string>("--out") { Description = "Run folder.", DefaultValueFactory = _ => Path.Combine("runs", "quickstart") };
        var seed = new Option<ulong>("--seed") { Description = "Seed of every random choice.", DefaultValueFactory = _ => 42 };
        var dryRun = new Option<bool>("--dry-run", "-n") { Description = "Show what would run and why; write nothing." };
        var json = new Option<bool>("--json") { Description = "The outcome as JSON on stdout." };
        var threads = ModelArgument.ThreadsOption();
        var command = new Command(
            "quickstart", "From real text already on this machine (the .NET SDK's documentation) to a model you can talk to.")
        { minutes, input, folder, seed, dryRun, json, threads };
        command.SetAction(parsed =>
        {
            var streams = CommandLine.StreamsOf(parsed);
            string runFolder = Path.GetFullPath(parsed.GetValue(folder)!);
            var overrides = new List<string> { RecipeRun.Override("plan.minutes", parsed.GetValue(minutes)), RecipeRun.Override("seed", parsed.GetValue(seed)) };
            if (parsed.GetValue(input) is { Length: > 0 } paths)
                overrides.Add($"corpus.paths=[{string.Join(", ", paths.Select(path => JsonSerializer.Serialize(path)))}]");
            var parsedRecipe = RecipeFile.Parse(RecipeFile.Bundled(RecipeName), RecipeName, runFolder, overrides);
            if (parsedRecipe.Recipe is null) return RecipeRun.ReportErrors(parsedRecipe.Errors, streams);
            var run = new RecipeRun
            {
                Folder = runFolder,
                Threads = parsed.GetValue(threads),
                DryRun = parsed.GetValue(dryRun),
                Json = parsed.GetValue(json),
                Debug = parsed.GetValue(CommandLine.Debug),
            };
            var result = run.Execute(parsedRecipe.Recipe, streams);
            if (result is null) return (int)ExitCode.Ok;
            if (result.ExitCode == ExitCode.Ok && !run.Json)
            {
                RunSummary.Write(runFolder, streams);
                string shown = Path.GetRelativePath(Environment.CurrentDirectory, runFolder);
                streams.Data.WriteLine("Next:");
                streams.Data.WriteLine($"  dotnet run -c Release --project src/Finery.Cli -- chat {shown}");
                streams.Data.WriteLine($"  dotnet run -c Release --project src/Finery.Cli -- serve {shown}");
            }
            return (int)result.ExitCode;
        });
        return command;
    }
}
