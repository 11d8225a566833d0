using System.CommandLine;
using System.Globalization;
using Finery.Workflow.Recipes;
using Finery.Workflow.Runs;

namespace Finery.Cli.Commands;

/// <summary>The flags of every command that runs a recipe, and what it does with them.</summary>
/// <param name="trains">Whether a step of the recipe may train a model.</param>
public sealed class RecipeRunFlags(bool trains = true)
{
    private const int ProfiledSteps = 10, MaxProfiledSteps = 1000;

    private readonly Option<int> _threads = ModelArgument.ThreadsOption();
    private readonly Option<bool> _dryRun = new("--dry-run", "-n") { Description = "Show what would run and why; write nothing." };
    private readonly Option<int?> _profile = ProfileOption();
    private readonly Option<bool> _json = new("--json") { Description = "The outcome as JSON on stdout." };

    /// <summary>All of them.</summary>
    public IReadOnlyList<Option> Options => trains ? [_threads, _profile, _dryRun, _json] : [_threads, _dryRun, _json];

    /// <summary>Runs a recipe, or reports what is wrong with it, and sums up the run for people.</summary>
    /// <param name="parsed">The command line.</param>
    /// <param name="recipe">As it was read.</param>
    /// <param name="folder">Run folder.</param>
    /// <param name="until">Last step.</param>
    /// <param name="force">Steps to run even if finished.</param>
    /// <param name="next">Printed after a run that went well.</param>
    /// <returns>The exit code.</returns>
    public int Run(
        ParseResult parsed, RecipeResult recipe, string folder, string? until = null, IReadOnlyCollection<string>? force = null,
        params ReadOnlySpan<string> next)
    {
        var streams = CommandLine.StreamsOf(parsed);
        if (recipe.Recipe is null) return RecipeRun.ReportErrors(recipe.Errors, streams);
        var run = RunOf(parsed, folder) with { Until = until, Force = force ?? [] };
        var result = run.Execute(recipe.Recipe, streams);
        if (result is null) return (int)ExitCode.Ok;
        if (result.ExitCode == ExitCode.Ok && !run.Json)
        {
            RunSummary.Write(folder, streams);
            foreach (string line in next) streams.Data.WriteLine(line);
        }
        return (int)result.ExitCode;
    }

    /// <summary>How the flags ask a recipe to be run.</summary>
    public RecipeRun RunOf(ParseResult parsed, string folder) => new()
    {
        Folder = folder,
        Threads = parsed.GetValue(_threads),
        Profile = !trains || parsed.GetResult(_profile) is not { } profile ? 0
            : profile.Tokens.Count == 0 ? ProfiledSteps : parsed.GetValue(_profile)!.Value,
        DryRun = parsed.GetValue(_dryRun),
        Json = parsed.GetValue(_json),
        Debug = parsed.GetValue(CommandLine.Debug),
    };

    private static Option<int?> ProfileOption()
    {
        var option = new Option<int?>("--profile")
        {
            Description = $"Profile so many steps of each training ({ProfiledSteps} if no number is given): time, GFLOP/s and GB/s " +
                "of every op as a table, profile.txt, and as a Chrome trace, profile.json, in the step's folder.",
            HelpName = "steps",
            Arity = ArgumentArity.ZeroOrOne,
        };
        option.Validators.Add(result =>
        {
            if (result.Tokens.Count > 0 && int.TryParse(result.Tokens[0].Value, CultureInfo.InvariantCulture, out int given)
                && given is < 1 or > MaxProfiledSteps) result.AddError($"--profile must be from 1 to {MaxProfiledSteps}.");
        });
        return option;
    }
}
