using System.Text.Json.Nodes;
using Finery.Workflow.Steps;

namespace Finery.Workflow.Recipes;

/// <summary>A recipe without errors: typed steps in the order they run, every reference resolved.</summary>
public sealed record Recipe
{
    /// <summary>Name of the pipeline, and of its run folder unless the user says otherwise.</summary>
    public required string Name { get; init; }

    /// <summary>Every random choice of every step derives from it.</summary>
    public required ulong Seed { get; init; }

    /// <summary>Full path of the file it came from; null when it came from a string.</summary>
    public string? Source { get; init; }

    /// <summary>The steps; inputs only ever refer to earlier ones.</summary>
    public required IReadOnlyList<RecipeStep> Steps { get; init; }

    /// <summary>The whole recipe with every default written out, for <c>recipe.yaml</c>.</summary>
    public required JsonObject Resolved { get; init; }
}

/// <summary>One step of a recipe.</summary>
/// <param name="Name">Its name in the recipe, and of its folder in the run folder.</param>
/// <param name="Type">Its name in <see cref="StepCatalogue"/>.</param>
/// <param name="Step">Settings and inputs.</param>
/// <param name="Line">Line of the recipe it starts on, from 1.</param>
public sealed record RecipeStep(string Name, string Type, Step Step, int Line)
{
    /// <summary>Seed of the step itself; null to derive it from the recipe's seed and the step's name.</summary>
    public ulong? Seed { get; init; }

    /// <summary>The artifacts it reads with the settings that name them, in order.</summary>
    public IEnumerable<(string Setting, Artifact Artifact)> Inputs()
    {
        foreach (var property in StepSetting.Properties(Step.GetType()))
        {
            IEnumerable<Artifact> artifacts = property.GetValue(Step) switch
            {
                Artifact one => [one],
                IEnumerable<Artifact> several => several,
                _ => [],
            };
            foreach (var artifact in artifacts) yield return (StepSetting.SnakeCase(property.Name), artifact);
        }
    }
}

/// <summary>Something a recipe gets wrong.</summary>
/// <param name="File">Recipe file, or the override (<c>--set a.b=c</c>) that is to blame.</param>
/// <param name="Line">Line from 1; 0 where there is none (an override, a missing file).</param>
/// <param name="Column">Column from 1.</param>
/// <param name="Message">What is wrong and what is expected.</param>
/// <param name="Suggestion">The nearest valid word, if one is near.</param>
/// <param name="Snippet">The line in question with a marker below it, to print on lines of its own.</param>
public sealed record RecipeError(string File, int Line, int Column, string Message, string? Suggestion, string? Snippet)
{
    /// <summary><c>file:line:column: message (did you mean 'x'?)</c>, without the snippet.</summary>
    public override string ToString() =>
        (Line > 0 ? $"{File}:{Line}:{Column}: {Message}" : $"{File}: {Message}")
        + (Suggestion is null ? "" : $" (did you mean '{Suggestion}'?)");
}

/// <summary>A recipe, or everything that is wrong with it.</summary>
/// <param name="Recipe">The recipe; null if there are errors.</param>
/// <param name="Errors">All errors, in the order of their position.</param>
public sealed record RecipeResult(Recipe? Recipe, IReadOnlyList<RecipeError> Errors);
