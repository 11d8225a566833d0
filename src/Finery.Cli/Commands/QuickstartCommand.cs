using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using Finery.Workflow.Recipes;

namespace Finery.Cli.Commands;

/// <summary><c>finery quickstart</c>: the bundled recipe with a few of its settings as flags, and nothing more.</summary>
public static class QuickstartCommand
{
    private const string RecipeName = "quickstart.yaml";

    /// <summary>The command.</summary>
    public static Command Create()
    {
        var minutes = new Option<double>("--minutes") { Description = "Training time to plan for on this machine.",
            DefaultValueFactory = _ => 10 };
        minutes.Validators.Add(result =>
        {
            if (result.Tokens.Count == 0
                || !double.TryParse(result.Tokens[0].Value, CultureInfo.InvariantCulture, out double given)) return;
            if (given is not (> 0 and <= 100_000)) result.AddError("--minutes must be above 0 and at most 100000.");
        });
        var input = new Option<string[]>("--input")
        {
            Description = "Your own text instead of the SDK's documentation: a file or pattern such as 'docs/**/*.md'; may be " +
                "repeated.",
            DefaultValueFactory = _ => [],
        };
        var folder = new Option<string>("--out") { Description = "Run folder.", DefaultValueFactory = _ =>
            Path.Combine("runs", "quickstart") };
        var seed = new Option<ulong>("--seed") { Description = "Seed of every random choice.", DefaultValueFactory = _ => 42 };
        var flags = new RecipeRunFlags();
        var command = new Command(
            "quickstart", "From real text already on this machine (the .NET SDK's documentation) to a model you can talk to.")
        { minutes, input, folder, seed };
        foreach (var option in flags.Options) command.Add(option);
        command.SetAction(parsed =>
        {
            string runFolder = Path.GetFullPath(parsed.GetValue(folder)!);
            var overrides = new List<string> { RecipeRun.Override("plan.minutes", parsed.GetValue(minutes)),
                RecipeRun.Override("seed", parsed.GetValue(seed)) };
            if (parsed.GetValue(input) is { Length: > 0 } paths)
                overrides.Add($"corpus.paths=[{string.Join(", ", paths.Select(path => JsonSerializer.Serialize(path)))}]");
            var recipe = RecipeFile.Parse(RecipeFile.Bundled(RecipeName), RecipeName, runFolder, overrides);
            string shown = Path.GetRelativePath(Environment.CurrentDirectory, runFolder);
            return flags.Run(parsed, recipe, runFolder, next:
            [
                "Next:",
                $"  dotnet run -c Release --project src/Finery.Cli -- chat {shown}",
                $"  dotnet run -c Release --project src/Finery.Cli -- serve {shown}",
            ]);
        });
        return command;
    }
}
