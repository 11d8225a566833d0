using Finery.Workflow.Recipes;
using Finery.Workflow.Steps;

namespace Finery.Workflow.Runs;

/// <summary>
/// Runs the steps of a recipe that are not finished, one after the other, and records what they do in a run folder.
/// </summary>
/// <remarks>
/// The exit code is that of the run as a whole: 0 when every step asked for is finished; a step's own code where it names one
/// (missing prerequisite, check, divergence); otherwise 6 when steps are finished that the failed ones do not depend on, and 1
/// when none is.
/// </remarks>
/// <param name="schema">Kinds of settings; null for all that Finery has.</param>
public sealed class Runner(RecipeSchema? schema = null)
{
    private readonly RecipeSchema _schema = schema ?? RecipeSchema.Default;

    /// <summary>What a run would do, with reasons. Writes nothing.</summary>
    /// <exception cref="RunFolderException">An option names a step that is not there.</exception>
    /// <exception cref="RecipeException">A file that a step reads is gone.</exception>
    /// <exception cref="IOException">A file that a step reads cannot be read.</exception>
    public IReadOnlyList<StepPlan> Plan(Recipe recipe, string runFolder, RunOptions options, CancellationToken stop = default)
    {
        if (UnknownStep(recipe, options) is { } unknown) throw new RunFolderException(unknown);
        var planner = new Planner(recipe, new RunFolder(Path.GetFullPath(runFolder)), options, _schema, stop);
        return [.. Wanted(recipe, options).Select(step => planner.Decide(step).Plan)];
    }

    /// <summary>Runs what is not finished. Never throws for what goes wrong in a step or with the folder: the result says
    /// it.</summary>
    /// <param name="recipe">The recipe, read for the same <paramref name="runFolder"/>.</param>
    /// <param name="runFolder">Folder of the run, made if need be.</param>
    /// <param name="options">How to run.</param>
    /// <param name="observer">Is told what happens.</param>
    /// <param name="stop">When signalled the running step saves its state and the run ends as interrupted.</param>
    public RunResult Run(Recipe recipe, string runFolder, RunOptions options, IRunObserver observer, CancellationToken stop)
    {
        if (UnknownStep(recipe, options) is { } unknown) return Nothing(recipe, ExitCode.Usage, unknown);
        try
        {
            if (options.DryRun) return DryRun(recipe, runFolder, options, stop);
            using var writer = RunWriter.Open(runFolder, recipe, options.Threads);
            return new Execution(recipe, writer, options, _schema, observer, stop).Run(Wanted(recipe, options));
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            return Nothing(recipe, ExitCode.Interrupted, "interrupted before anything was run");
        }
        catch (Exception e) when (e is RunFolderException or RecipeException or IOException or UnauthorizedAccessException)
        {
            return Nothing(recipe, ExitCode.Failure, Execution.OneLine(e));
        }
    }

    private RunResult DryRun(Recipe recipe, string runFolder, RunOptions options, CancellationToken stop)
    {
        var plans = Plan(recipe, runFolder, options, stop);
        return new(ExitCode.Ok, [.. plans.Select(plan =>
            new StepResult(plan.Name, plan.Type, plan.WillRun ? StepState.Pending : StepState.Cached, 0, plan.Reason))], null);
    }

    private static IEnumerable<RecipeStep> Wanted(Recipe recipe, RunOptions options)
    {
        foreach (var step in recipe.Steps)
        {
            yield return step;
            if (step.Name == options.Until) yield break;
        }
    }

    private static string? UnknownStep(Recipe recipe, RunOptions options)
    {
        var names = recipe.Steps.Select(step => step.Name).ToArray();
        string? unknown = options.Force.Where(name => name != "*").Append(options.Until)
            .FirstOrDefault(name => name is not null && !names.Contains(name));
        return unknown is null ? null : $"The recipe has no step '{unknown}'; it has {string.Join(", ", names)}.";
    }

    private static RunResult Nothing(Recipe recipe, ExitCode code, string error) =>
        new(code, [.. recipe.Steps.Select(step => new StepResult(step.Name, step.Type, StepState.Pending, 0, "not run"))], error);
}
