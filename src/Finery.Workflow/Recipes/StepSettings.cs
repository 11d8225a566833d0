using System.Reflection;
using Finery.Workflow.Steps;

namespace Finery.Workflow.Recipes;

/// <summary>A setting or input of a step, as recipes and the command line see it.</summary>
/// <param name="Key">Recipe key, snake_case; as a flag it is written with dashes.</param>
/// <param name="Property">The property behind it.</param>
/// <param name="TypeName">What a value looks like: <c>number</c>, <c>whole number</c>, <c>true or false</c>, <c>a, b or c</c>, <c>list of text</c>, ...</param>
/// <param name="Required">Whether it must be given.</param>
/// <param name="Default">Default as a recipe would write it; null if there is none.</param>
/// <param name="Description">From <see cref="System.ComponentModel.DescriptionAttribute"/>; empty if there is none.</param>
/// <param name="Input">Kind of artifact, for an input.</param>
public sealed record StepSetting(
    string Key, PropertyInfo Property, string TypeName, bool Required, string? Default, string Description, ArtifactKind? Input)
{
    /// <summary>All settings of a step type (or of any other settings record), in order of declaration.</summary>
    public static IReadOnlyList<StepSetting> Of(Type type) => throw new NotImplementedException(type.Name);
}
