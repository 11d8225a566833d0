using System.ComponentModel;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Text;
using Finery.Workflow.Steps;

namespace Finery.Workflow.Recipes;

/// <summary>A setting or input of a step, as recipes and the command line see it.</summary>
/// <param name="Key">Recipe key, snake_case; as a flag it is written with dashes.</param>
/// <param name="Property">The property behind it.</param>
/// <param name="TypeName">What a value looks like: <c>number</c>, <c>whole number</c>, <c>true or false</c>, <c>list of text</c>,
/// ...</param>
/// <param name="Required">Whether it must be given.</param>
/// <param name="Default">Default as a recipe would write it; null if there is none.</param>
/// <param name="Description">From <see cref="DescriptionAttribute"/>; empty if there is none.</param>
/// <param name="Input">Kind of artifact, for an input.</param>
public sealed record StepSetting(
    string Key, PropertyInfo Property, string TypeName, bool Required, string? Default, string Description, ArtifactKind? Input)
{
    /// <summary>All settings of a step type (or of any other settings record), in order of declaration, inherited ones
    /// first.</summary>
    public static IReadOnlyList<StepSetting> Of(Type type, RecipeSchema? schema = null)
    {
        schema ??= RecipeSchema.Default;
        object? defaults = type.GetConstructor(Type.EmptyTypes) is null ? null : Activator.CreateInstance(type);
        var settings = new List<StepSetting>();
        foreach (var property in Properties(type))
        {
            bool required = property.IsDefined(typeof(RequiredMemberAttribute))
                || Parameter(property) is { HasDefaultValue: false };
            object? value = defaults is null ? Parameter(property)?.DefaultValue : property.GetValue(defaults);
            string? text = required || value is null or DBNull ? null : RecipeWriter.Inline(RecipeWriter.Value(value, schema));
            settings.Add(new StepSetting(
                SnakeCase(property.Name), property, Describe(property.PropertyType, schema), required, text,
                property.GetCustomAttribute<DescriptionAttribute>()?.Description ?? "",
                property.GetCustomAttribute<InputAttribute>()?.Kind));
        }
        return settings;
    }

    internal static IEnumerable<PropertyInfo> Properties(Type type) => type
        .GetProperties(BindingFlags.Public | BindingFlags.Instance)
        .Where(property => property.SetMethod is { IsPublic: true } && property.GetIndexParameters().Length == 0)
        .OrderBy(property => Depth(property.DeclaringType!))
        .ThenBy(property => property.MetadataToken);

    /// <summary>The parameter of a positional record behind a property.</summary>
    internal static ParameterInfo? Parameter(PropertyInfo property)
    {
        var type = property.DeclaringType!;
        return type.GetConstructor(Type.EmptyTypes) is not null ? null : type.GetConstructors()
            .SelectMany(constructor => constructor.GetParameters())
            .FirstOrDefault(parameter => parameter.Name == property.Name && parameter.ParameterType == property.PropertyType);
    }

    /// <summary><c>MinWords</c> to <c>min_words</c>, <c>KvHeads2D</c> to <c>kv_heads2_d</c>.</summary>
    public static string SnakeCase(string name)
    {
        var snake = new StringBuilder();
        for (int i = 0; i < name.Length; i++)
        {
            bool begins = i > 0 && char.IsAsciiLetterUpper(name[i])
                && (!char.IsAsciiLetterUpper(name[i - 1]) || (i + 1 < name.Length && char.IsAsciiLetterLower(name[i + 1])));
            if (begins) snake.Append('_');
            snake.Append(char.ToLowerInvariant(name[i]));
        }
        return snake.ToString();
    }

    internal static string Describe(Type type, RecipeSchema schema)
    {
        type = Nullable.GetUnderlyingType(type) ?? type;
        if (type == typeof(bool)) return "true or false";
        if (type == typeof(string)) return "text";
        if (type == typeof(TimeSpan)) return "duration such as 90s, 10m or 1h30m";
        if (type == typeof(Artifact)) return "step, step.output or path";
        if (type.IsEnum) return string.Join(", ", EnumNames(type));
        if (ScalarText.IsWhole(type)) return "whole number";
        if (ScalarText.IsNumber(type)) return "number";
        if (RecordBinder.MapValue(type) is { } value) return $"map of {Describe(value, schema)}";
        if (RecordBinder.ListItem(type) is { } item) return $"list of {Describe(item, schema)}";
        if (schema.FamilyOf(type) is { } family) return $"{family.Discriminator}: {string.Join(", ", family.Members.Keys)}";
        return "settings";
    }

    internal static IEnumerable<string> EnumNames(Type type) => Enum.GetNames(type).Select(SnakeCase);

    private static int Depth(Type type) => type.BaseType is null ? 0 : 1 + Depth(type.BaseType);
}
