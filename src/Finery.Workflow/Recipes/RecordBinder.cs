using System.Collections;
using System.ComponentModel.DataAnnotations;
using System.Globalization;
using System.Reflection;
using Finery.Workflow.Steps;

namespace Finery.Workflow.Recipes;

/// <summary>Turns a YAML map into a settings record and reports everything that does not fit.</summary>
/// <param name="errors">Where to.</param>
/// <param name="schema">Kinds of settings.</param>
/// <param name="resolve">Finds the artifact a scalar refers to; reports by itself when there is none.</param>
internal sealed class RecordBinder(RecipeErrors errors, RecipeSchema schema, Func<YamlScalar, ArtifactKind, Artifact?> resolve)
{
    private static readonly NullabilityInfoContext Nullability = new();

    private static readonly Type[] ListTypes =
        [typeof(IReadOnlyList<>), typeof(IReadOnlyCollection<>), typeof(IEnumerable<>), typeof(IList<>), typeof(List<>)];

    /// <summary>Type of the items if <paramref name="type"/> is a list a recipe can give.</summary>
    public static Type? ListItem(Type type) =>
        type.IsArray ? type.GetElementType()
        : type.IsGenericType && ListTypes.Contains(type.GetGenericTypeDefinition()) ? type.GenericTypeArguments[0] : null;

    /// <summary>Type of the values if <paramref name="type"/> is a dictionary from text.</summary>
    public static Type? MapValue(Type type) =>
        type.IsGenericType && type.GetGenericTypeDefinition() is var open && type.GenericTypeArguments[0] == typeof(string)
        && (open == typeof(IReadOnlyDictionary<,>) || open == typeof(Dictionary<,>) || open == typeof(IDictionary<,>))
            ? type.GenericTypeArguments[1] : null;

    /// <summary>Binds a record.</summary>
    /// <param name="type">Record type.</param>
    /// <param name="map">Keys and values.</param>
    /// <param name="what">How errors call it, such as <c>step 'clean' (filter)</c>.</param>
    /// <param name="reserved">Keys that mean something else here.</param>
    /// <returns>The record with all that could be read; whole only if nothing was reported meanwhile.</returns>
    public object Record(Type type, YamlMap map, string what, params ReadOnlySpan<string> reserved)
    {
        int before = errors.Count;
        var settings = StepSetting.Properties(type).ToDictionary(property => StepSetting.SnakeCase(property.Name));
        var values = new Dictionary<PropertyInfo, (object? Value, Place At)>();
        foreach (var (key, node) in map.Entries)
        {
            if (reserved.Contains(key.Text)) continue;
            if (!settings.TryGetValue(key.Text, out var property))
            {
                string? suggestion = NearestWord.Of(key.Text, settings.Keys);
                string valid = suggestion is null && settings.Count > 0 ? $"; it has {string.Join(", ", settings.Keys)}" : "";
                errors.Add(key.At, $"{what} has no setting '{key.Text}'{valid}", suggestion);
            }
            else if (Value(property, node, key.Text) is { Given: true } bound
                && Allowed(property, bound.Value, node.At, key.Text))
            {
                values[property] = (bound.Value, node.At);
            }
        }
        foreach (var setting in StepSetting.Of(type, schema))
        {
            if (setting.Required && map[setting.Key] is null)
                errors.Add(map.At, $"{what} needs '{setting.Key}' ({Expected(setting)})");
        }
        object record = Create(type, values);
        if (errors.Count == before) Validate(record, map);
        return record;
    }

    private static string Expected(StepSetting setting) =>
        setting.Input is { } kind ? $"{StepSetting.SnakeCase(kind.ToString())}: {setting.TypeName}" : setting.TypeName;

    private object Create(Type type, Dictionary<PropertyInfo, (object? Value, Place At)> values)
    {
        object record;
        if (type.GetConstructor(Type.EmptyTypes) is not null)
        {
            record = Activator.CreateInstance(type)!;
        }
        else
        {
            var constructor = type.GetConstructors().MaxBy(constructor => constructor.GetParameters().Length)
                ?? throw new InvalidOperationException($"{type} has no public constructor");
            record = constructor.Invoke([.. constructor.GetParameters().Select(parameter =>
                values.FirstOrDefault(given => given.Key.Name == parameter.Name) is { Key: not null } given ? given.Value.Value
                : parameter.HasDefaultValue ? parameter.DefaultValue
                : parameter.ParameterType.IsValueType ? Activator.CreateInstance(parameter.ParameterType) : null)]);
        }
        foreach (var (property, (value, at)) in values)
        {
            try
            {
                property.SetValue(record, value);
            }
            catch (TargetInvocationException e) when (e.InnerException is ArgumentException refused)
            {
                errors.Add(at, $"'{StepSetting.SnakeCase(property.Name)}': {refused.Message.ReplaceLineEndings(" ")}");
            }
        }
        return record;
    }

    private (bool Given, object? Value) Value(PropertyInfo property, YamlNode node, string key)
    {
        if (node is YamlScalar { IsNull: true })
        {
            if (Nullability.Create(property).WriteState == NullabilityState.Nullable) return (true, null);
            errors.Add(node.At, $"'{key}' needs a value: {StepSetting.Describe(property.PropertyType, schema)}");
            return default;
        }
        object? value = Value(property.PropertyType, node, key, property.GetCustomAttribute<InputAttribute>()?.Kind);
        return (value is not null, value);
    }

    /// <returns>The value, or null if it was reported.</returns>
    private object? Value(Type type, YamlNode node, string key, ArtifactKind? input)
    {
        type = Nullable.GetUnderlyingType(type) ?? type;
        if (node is YamlRefused) return null;
        if (type == typeof(YamlNode)) return node;
        if (ListItem(type) is { } item) return List(type, item, node, key, input);
        if (MapValue(type) is { } mapped) return Map(mapped, node, key);
        if (schema.FamilyOf(type) is { } family) return Member(family, node, key);
        if (type == typeof(Artifact))
        {
            if (input is null) throw new InvalidOperationException($"'{key}' is an artifact without [Input]");
            if (node is YamlScalar reference) return resolve(reference, input.Value);
            return Wrong(node, key, type);
        }
        if (ScalarText.IsScalar(type))
        {
            if (node is not YamlScalar scalar) return Wrong(node, key, type);
            object? value = ScalarText.Read(type, scalar.Text, out string expected, out string? suggestion);
            if (value is null) errors.Add(node.At, $"'{key}' is '{Short(scalar.Text)}', expected {expected}", suggestion);
            return value;
        }
        if (node is YamlMap map) return Record(type, map, $"'{key}'");
        return Wrong(node, key, type);
    }

    private object? Wrong(YamlNode node, string key, Type type)
    {
        string found = node is YamlScalar scalar ? $"'{Short(scalar.Text)}'" : node is YamlList ? "a list" : "a map";
        errors.Add(node.At, $"'{key}' is {found}, expected {StepSetting.Describe(type, schema)}");
        return null;
    }

    private static string Short(string text) => text.Length <= 60 ? text : text[..57] + "...";

    /// <summary>A single value stands for a list of one.</summary>
    private object? List(Type type, Type item, YamlNode node, string key, ArtifactKind? input)
    {
        if (node is YamlMap && schema.FamilyOf(item) is null) return Wrong(node, key, type);
        List<YamlNode> nodes = node is YamlList list ? list.Items : [node];
        var values = Array.CreateInstance(item, nodes.Count);
        bool whole = true;
        for (int i = 0; i < nodes.Count; i++)
        {
            string name = string.Create(CultureInfo.InvariantCulture, $"{key}[{i}]");
            object? value = nodes[i] is YamlScalar { IsNull: true } ? Wrong(nodes[i], name, item)
                : Value(item, nodes[i], name, input);
            whole &= value is not null;
            if (value is not null) values.SetValue(value, i);
        }
        if (!whole) return null;
        return type.IsGenericType && type.GetGenericTypeDefinition() == typeof(List<>) ? Activator.CreateInstance(type, values)
            : values;
    }

    private object? Map(Type mapped, YamlNode node, string key)
    {
        if (node is not YamlMap map) return Wrong(node, key, typeof(Dictionary<,>).MakeGenericType(typeof(string), mapped));
        var values = (IDictionary)Activator.CreateInstance(typeof(Dictionary<,>).MakeGenericType(typeof(string), mapped))!;
        foreach (var (name, value) in map.Entries)
            if (Value(mapped, value, $"{key}.{name.Text}", null) is { } bound) values.Add(name.Text, bound);
        return values.Count == map.Entries.Count ? values : null;
    }

    /// <summary>A map with the discriminator, or only the name for one with all defaults.</summary>
    private object? Member(SettingsFamily family, YamlNode node, string key)
    {
        var map = node as YamlMap ?? new YamlMap(node.At);
        var name = node as YamlScalar ?? map[family.Discriminator] as YamlScalar;
        if (name is null)
        {
            errors.Add(node.At, $"'{key}' needs '{family.Discriminator}': one of {string.Join(", ", family.Members.Keys)}");
            return null;
        }
        if (family.Members.TryGetValue(name.Text, out var type))
            return Record(type, map, $"{family.Discriminator} '{name.Text}'", family.Discriminator);
        string? suggestion = NearestWord.Of(name.Text, family.Members.Keys);
        string valid = suggestion is null ? $"; there are {string.Join(", ", family.Members.Keys)}" : "";
        errors.Add(name.At, $"no {family.Discriminator} '{Short(name.Text)}'{valid}", suggestion);
        return null;
    }

    /// <summary>Checks the validation attributes of a property.</summary>
    private bool Allowed(PropertyInfo property, object? value, Place at, string key)
    {
        bool allowed = true;
        foreach (var attribute in property.GetCustomAttributes<ValidationAttribute>())
        {
            string? problem = attribute is RangeAttribute range && value is not IEnumerable ? OutOfRange(range, value)
                : attribute.IsValid(value) ? null : attribute.FormatErrorMessage(key);
            if (problem is null) continue;
            errors.Add(at, attribute is RangeAttribute
                ? $"'{key}' is {RecipeWriter.Inline(RecipeWriter.Value(value!, schema))}, {problem}" : problem);
            allowed = false;
        }
        return allowed;
    }

    private static string? OutOfRange(RangeAttribute range, object? value)
    {
        if (value is null) return null;
        double low = Number(range.Minimum), high = Number(range.Maximum), number = Number(value);
        bool below = range.MinimumIsExclusive ? number <= low : number < low;
        bool above = range.MaximumIsExclusive ? number >= high : number > high;
        if (!below && !above) return null;
        string least = (range.MinimumIsExclusive ? "more than " : "at least ") + Text(range.Minimum);
        string most = (range.MaximumIsExclusive ? "less than " : "at most ") + Text(range.Maximum);
        // A limit of the type or beyond is no limit a reader wants to see.
        bool bounded = Math.Abs(high) < int.MaxValue, floored = Math.Abs(low) < int.MaxValue;
        return "must be " + (bounded && floored ? $"{least} and {most}" : floored ? least : most);
    }

    /// <summary>A float counts as the decimal it was written as: 0.1 is within [0, 0.1].</summary>
    private static double Number(object value) => value switch
    {
        float single => double.Parse(single.ToString(CultureInfo.InvariantCulture), CultureInfo.InvariantCulture),
        TimeSpan time => time.TotalSeconds,
        string text => TimeSpan.TryParse(text, CultureInfo.InvariantCulture, out var time) && text.Contains(':')
            ? time.TotalSeconds : double.Parse(text, CultureInfo.InvariantCulture),
        _ => Convert.ToDouble(value, CultureInfo.InvariantCulture),
    };

    private static string Text(object limit) => Convert.ToString(limit, CultureInfo.InvariantCulture)!;

    /// <summary>Rules between settings: <see cref="Step.Validate"/>, or a method of that name and type on any other settings
    /// record.</summary>
    private void Validate(object record, YamlMap map)
    {
        var method = record.GetType().GetMethod(nameof(Step.Validate), Type.EmptyTypes);
        if (method is null || !method.ReturnType.IsAssignableTo(typeof(IEnumerable<(string, string)>))) return;
        foreach (var (property, message) in (IEnumerable<(string Property, string Message)>)method.Invoke(record, null)!)
        {
            string key = StepSetting.SnakeCase(property);
            errors.Add(map[key]?.At ?? map.At, message.Contains(key) ? message : $"'{key}': {message}");
        }
    }
}
