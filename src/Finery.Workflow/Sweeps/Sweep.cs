using System.Text.Json.Nodes;
using Finery.Workflow.Recipes;

namespace Finery.Workflow.Sweeps;

/// <summary>How the values of the parameters are combined.</summary>
public enum SweepMethod
{
    /// <summary>Every value with every other.</summary>
    Grid,

    /// <summary>Drawn for every trial.</summary>
    Random,
}

/// <summary>Which metric is better.</summary>
public enum SweepGoal
{
    /// <summary>The lower one.</summary>
    Minimize,

    /// <summary>The higher one.</summary>
    Maximize,
}

/// <summary>Where a figure of a trial is found.</summary>
/// <param name="Step">Step, by its name in the recipe that is swept.</param>
/// <param name="Key">Key of the step's summary (with dots into objects and lists) or of its metrics.</param>
public sealed record SweepMetric(string Step, string Key)
{
    /// <inheritdoc/>
    public override string ToString() => $"{Step}.{Key}";
}

/// <summary>One setting of everything swept, with one seed.</summary>
/// <param name="Name">Unique, and the end of the names of its own steps.</param>
/// <param name="Variant">Name of the variant; empty if there are none.</param>
/// <param name="Parameters">Values by path.</param>
/// <param name="Seed">From which the seeds of its own steps derive.</param>
/// <param name="Steps">Name in the run by name in the recipe that is swept.</param>
public sealed record SweepTrial(
    string Name, string Variant, JsonObject Parameters, ulong Seed, IReadOnlyDictionary<string, string> Steps);

/// <summary>A sweep without errors: all its trials as one recipe, in which what no trial changes stands once.</summary>
public sealed record Sweep
{
    /// <summary>Name, also of the recipe.</summary>
    public required string Name { get; init; }

    /// <summary>All trials.</summary>
    public required Recipe Recipe { get; init; }

    /// <summary>Trials, those of one seed together.</summary>
    public required IReadOnlyList<SweepTrial> Trials { get; init; }

    /// <summary>What is compared.</summary>
    public required SweepMetric Metric { get; init; }

    /// <summary>Which is better.</summary>
    public required SweepGoal Goal { get; init; }

    /// <summary>The loss while training.</summary>
    public required SweepMetric Curve { get; init; }

    /// <summary>What is to be reproduced.</summary>
    public IReadOnlyList<SweepClaim> Claims { get; init; } = [];
}

/// <summary>A sweep, or everything that is wrong with it.</summary>
/// <param name="Sweep">The sweep; null if there are errors.</param>
/// <param name="Errors">All errors, in the order of their position.</param>
public sealed record SweepResult(Sweep? Sweep, IReadOnlyList<RecipeError> Errors);
