using System.Collections;
using System.Globalization;
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
    /// <summary>The artifacts it reads with the settings that name them, in order; also those of settings records inside it.</summary>
    public IEnumerable<(string Setting, Artifact Artifact)> Inputs() => InputsOf(Step, "");

    private static IEnumerable<(string Setting, Artifact Artifact)> InputsOf(object settings, string prefix)
    {
        if (ScalarText.IsScalar(settings.GetType())) yield break;
        foreach (var property in StepSetting.Properties(settings.GetType()))
        {
            string setting = prefix + StepSetting.SnakeCase(property.Name);
            IEnumerable<(string, Artifact)> found = property.GetValue(settings) switch
            {
                Artifact one => [(setting, one)],
                IEnumerable<Artifact> several => several.Select(artifact => (setting, artifact)),
                null or string => [],
                IEnumerable items => items.Cast<object>()
                    .SelectMany((item, i) => InputsOf(item, string.Create(CultureInfo.InvariantCulture, $"{setting}[{i}]."))),
                var nested => InputsOf(nested, setting + "."),
            };
            foreach (var input in found) yield return input;
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
