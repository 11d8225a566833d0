using System.ComponentModel.DataAnnotations;
using Finery.Workflow.Recipes;

namespace Finery.Workflow.Sweeps;

/// <summary>A sweep file as it is written. What names settings of the recipe stays YAML, so that errors can point at
/// it.</summary>
internal sealed record SweepSettings
{
    public required string Name { get; init; }

    /// <summary>Recipe file, relative to the sweep file.</summary>
    public string? Recipe { get; init; }

    /// <summary>The steps themselves, instead of a recipe file.</summary>
    public YamlNode? Steps { get; init; }

    public YamlNode? Parameters { get; init; }

    public YamlNode? Variants { get; init; }

    public SweepMethod Method { get; init; }

    /// <summary>Draws of a random sweep.</summary>
    [Range(1, SweepFile.MaxTrials)]
    public int Trials { get; init; } = 10;

    /// <summary>Of the draws, and of the recipe if its steps stand here.</summary>
    public ulong Seed { get; init; } = 42;

    /// <summary>One trial of every combination for each; none: the recipe's.</summary>
    public IReadOnlyList<ulong> Seeds { get; init; } = [];

    public required string Metric { get; init; }

    public SweepGoal Goal { get; init; }

    public string? Curve { get; init; }

    public SweepClaim? Claim { get; init; }

    public IReadOnlyList<SweepClaim> Claims { get; init; } = [];

    public IEnumerable<(string Property, string Message)> Validate()
    {
        if (Recipe is null == Steps is null) yield return (nameof(Recipe), "give either 'recipe', a file, or 'steps'.");
        if (!RecipeReader.ValidName(Name)) yield return (nameof(Name), "use letters, digits, - and _ for 'name', at most 64.");
        if (Seeds.Distinct().Count() < Seeds.Count) yield return (nameof(Seeds), "'seeds' must differ.");
    }
}

/// <summary>Values of one parameter.</summary>
internal sealed record SweepParameter
{
    public YamlNode? Values { get; init; }

    public double? Min { get; init; }

    public double? Max { get; init; }

    public SweepScale Scale { get; init; }

    public IEnumerable<(string Property, string Message)> Validate()
    {
        if (Values is null == (Min is null || Max is null))
            yield return (nameof(Values), "give either 'values', a list, or 'min' and 'max'.");
        else if (Values is not null and not YamlList { Items.Count: > 0 })
            yield return (nameof(Values), "'values' must be a list.");
        else if (Values is null && !(Min < Max)) yield return (nameof(Max), "'max' must be above 'min'.");
        else if (Values is null && Scale == SweepScale.Log && !(Min > 0))
            yield return (nameof(Min), "'min' must be positive on a log scale.");
    }
}

/// <summary>On which values between two bounds are drawn evenly.</summary>
internal enum SweepScale
{
    Linear,
    Log,
}
