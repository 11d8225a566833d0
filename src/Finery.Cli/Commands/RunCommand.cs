using System.CommandLine;
using Finery.Workflow.Recipes;

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
        var folder = new Option<string?>("--out") { Description = "Run folder. Default: runs/ and the recipe's name." };
        var until = new Option<string?>("--until") { Description = "Stop after this step." };
        var force = new Option<string[]>("--force") { Description = "Run this step even if it is finished ('*' for all); may " +
            "be repeated.", DefaultValueFactory = _ => [] };
        var flags = new RecipeRunFlags();
        var command = new Command("run", "Run a recipe; finished steps are skipped.") { recipe, set, folder, until, force };
        foreach (var option in flags.Options) command.Add(option);
        command.SetAction(parsed =>
        {
            string path = parsed.GetRequiredValue(recipe);
            string runFolder = Path.GetFullPath(parsed.GetValue(folder)
                ?? Path.Combine("runs", Path.GetFileNameWithoutExtension(path)));
            var loaded = RecipeFile.Load(path, runFolder, parsed.GetValue(set)!);
            return flags.Run(parsed, loaded, runFolder, parsed.GetValue(until), parsed.GetValue(force));
        });
        return command;
    }
}
