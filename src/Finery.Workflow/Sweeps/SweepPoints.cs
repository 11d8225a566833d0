using System.Globalization;
using Finery.Tensors;
using Finery.Workflow.Recipes;

namespace Finery.Workflow.Sweeps;

/// <summary>A change a trial makes to the recipe.</summary>
/// <param name="Key">Path as written, for errors.</param>
/// <param name="Value">What it is set to.</param>
internal sealed record SweepChange(YamlScalar Key, YamlNode Value)
{
    /// <summary>Path without a leading <c>steps</c>.</summary>
    public string[] Path => Key.Text.Split('.') is ["steps", _, ..] path ? path[1..] : Key.Text.Split('.');

    public Override ToOverride() => new(Path, null, Key.Text) { Node = Value, At = Key.At };
}

/// <summary>The variants of a sweep, and the combinations of its parameters.</summary>
internal sealed class SweepPoints(SweepSettings settings, RecipeSchema schema, RecipeErrors errors)
{
    // Digits that a drawn value keeps: more would only be harder to read.
    private const int Digits = 4;

    /// <summary>Changes by variant; one of no name and no changes if there are no variants.</summary>
    public List<(string Name, List<SweepChange> Changes)> Variants()
    {
        if (settings.Variants is null) return [("", [])];
        var variants = new List<(string, List<SweepChange>)>();
        foreach (var (key, node) in Map(settings.Variants, "variants", "names with overrides").Entries)
        {
            if (!RecipeReader.ValidName(key.Text))
                errors.Add(key.At, $"'{key.Text}' cannot name a variant: use letters, digits, - and _");
            var changes = node is YamlScalar { IsNull: true } ? new YamlMap(node.At)
                : Map(node, key.Text, "settings and their values");
            variants.Add((key.Text, [.. changes.Entries.Select(entry => new SweepChange(entry.Key, entry.Value))]));
        }
        return variants.Count > 0 ? variants : [("", [])];
    }

    /// <summary>Combinations of values, one change a parameter.</summary>
    public List<List<SweepChange>> Combinations()
    {
        if (settings.Parameters is null) return [[]];
        var parameters = new List<(YamlScalar Key, SweepParameter Values)>();
        foreach (var (key, node) in Map(settings.Parameters, "parameters", "settings and their values").Entries)
            if (Parameter(key, node) is { } parameter) parameters.Add((key, parameter));
        if (errors.Count > 0) return [];
        return settings.Method == SweepMethod.Grid ? Grid(parameters)
            : [.. Enumerable.Range(0, settings.Trials).Select(trial => parameters
                .Select(parameter => Draw(parameter.Key, parameter.Values, (ulong)trial)).ToList())];
    }

    private SweepParameter? Parameter(YamlScalar key, YamlNode node)
    {
        int before = errors.Count;
        if (node is YamlList list) node = new YamlMap(list.At) { Entries = { (new YamlScalar(list.At, "values", plain: true), list) } };
        if (node is not YamlMap map)
        {
            errors.Add(node.At, $"'{key.Text}' needs 'values', a list, or 'min' and 'max'");
            return null;
        }
        var parameter = (SweepParameter)new RecordBinder(errors, schema, (_, _) => null)
            .Record(typeof(SweepParameter), map, $"parameter '{key.Text}'");
        if (errors.Count > before) return null;
        if (settings.Method == SweepMethod.Grid && parameter.Values is null)
        {
            errors.Add(map.At, $"'{key.Text}' has bounds, which 'method: random' draws between; a grid needs 'values'");
            return null;
        }
        return parameter;
    }

    private List<List<SweepChange>> Grid(List<(YamlScalar Key, SweepParameter Values)> parameters)
    {
        var points = new List<List<SweepChange>> { new() };
        foreach (var (key, parameter) in parameters)
        {
            var values = ((YamlList)parameter.Values!).Items;
            if ((long)points.Count * values.Count > SweepFile.MaxTrials)
            {
                errors.Add(key.At, $"the grid has more than {SweepFile.MaxTrials} points");
                return [];
            }
            points = [.. points.SelectMany(point => values.Select(value => point.Append(new SweepChange(key, value)).ToList()))];
        }
        return points;
    }

    /// <summary>A function of seed, parameter and number of the draw alone: more trials leave the earlier ones as they
    /// are.</summary>
    private SweepChange Draw(YamlScalar key, SweepParameter parameter, ulong trial)
    {
        double share = CounterRandom.Uniform(CounterRandom.Key(settings.Seed, key.Text), trial);
        if (parameter.Values is YamlList values) return new(key, values.Items[(int)(share * values.Items.Count)]);
        double min = parameter.Min!.Value, max = parameter.Max!.Value;
        bool whole = min == Math.Truncate(min) && max == Math.Truncate(max) && parameter.Scale == SweepScale.Linear;
        double value = whole ? Math.Floor(min + share * (max - min + 1))
            : parameter.Scale == SweepScale.Log ? min * Math.Pow(max / min, share) : min + share * (max - min);
        string text = value.ToString(whole ? "F0" : $"G{Digits}", CultureInfo.InvariantCulture);
        return new(key, new YamlScalar(key.At, text, plain: true));
    }

    private YamlMap Map(YamlNode node, string what, string expected)
    {
        if (node is YamlMap map) return map;
        errors.Add(node.At, $"'{what}' must be a map of {expected}");
        return new YamlMap(node.At);
    }
}
