using Finery.Workflow.Recipes;

namespace Finery.Workflow.Runs;

/// <summary>Runs recipes.</summary>
public sealed class Runner
{
    /// <summary>What a run would do, with reasons. Writes nothing.</summary>
    public IReadOnlyList<StepPlan> Plan(Recipe recipe, string runFolder, RunOptions options) => throw new NotImplementedException();

    /// <summary>Runs what is not finished.</summary>
    public RunResult Run(Recipe recipe, string runFolder, RunOptions options, IRunObserver observer, CancellationToken stop) =>
        throw new NotImplementedException();
}
