using System.Globalization;

namespace Finery.Workflow.Recipes;

/// <summary>A change to a recipe from the command line.</summary>
/// <param name="Path">Keys from the root, without <c>steps</c>.</param>
/// <param name="Value">Text after the equals sign; null if there is none.</param>
/// <param name="Shown">How errors call it.</param>
internal sealed record Override(string[] Path, string? Value, string Shown)
{
    /// <summary>The value where it comes from a file rather than the command line.</summary>
    public YamlNode? Node { get; init; }

    /// <summary>What errors point at.</summary>
    public Place At { get; init; } = new(Shown, 0, 0);

    public static (string Key, string? Value) Split(string text)
    {
        int equals = text.IndexOf('=');
        return equals < 0 ? (text, null) : (text[..equals].Trim(), text[(equals + 1)..].Trim());
    }

    public static Override Parse(string text, string shown)
    {
        var (key, value) = Split(text);
        string[] path = key.Split('.');
        return new(path is ["steps", _, ..] ? path[1..] : path, value, shown);
    }

    public void Apply(YamlMap recipe, RecipeErrors errors, bool repeatsMakeLists)
    {
        if (Read(errors) is not { } value) return;
        if (Path is ["name" or "seed"])
        {
            recipe.Set(new YamlScalar(At, Path[0], plain: true), value);
            return;
        }
        if (recipe["steps"] is not YamlMap steps) return;
        if (Path.Length < 2 || steps[Path[0]] is null)
        {
            var names = steps.Entries.Select(entry => entry.Key.Text);
            string? suggestion = NearestWord.Of(Path[0], names);
            string there = suggestion is null ? $"; there are {string.Join(", ", names)}" : "";
            errors.Add(At, Path.Length < 2 ? "names no setting; expected step.key=value" : $"no step '{Path[0]}'{there}",
                suggestion);
            return;
        }
        if (steps[Path[0]] is YamlScalar { IsNull: true } empty)
            steps.Set(new YamlScalar(empty.At, Path[0], plain: true), new YamlMap(empty.At));
        Replace(steps[Path[0]]!, 1, value, errors, repeatsMakeLists);
    }

    /// <returns>The value as a tree of its own, or null if it was reported.</returns>
    public YamlNode? Read(RecipeErrors errors)
    {
        if (Node is not null) return Node.Clone();
        if (Value is null || Path.Contains(""))
        {
            errors.Add(At, "expected step.key=value, such as pretrain.learning_rate=3e-4");
            return null;
        }
        return Value is ['[' or '{' or '"' or '\'', ..] ? YamlTree.Read(Value, Shown, errors)
            : new YamlScalar(At, Value, plain: true);
    }

    private void Replace(YamlNode node, int depth, YamlNode value, RecipeErrors errors, bool repeatsMakeLists)
    {
        string key = Path[depth].Replace('-', '_');
        bool last = depth == Path.Length - 1;
        if (node is YamlList list)
        {
            if (!int.TryParse(key, NumberStyles.None, CultureInfo.InvariantCulture, out int index) || index >= list.Items.Count)
                errors.Add(At, $"'{string.Join('.', Path[..depth])}' is a list of {list.Items.Count}; expected a number from 0 for '{key}'");
            else if (last) list.Items[index] = value;
            else Replace(list.Items[index], depth + 1, value, errors, repeatsMakeLists);
        }
        else if (node is not YamlMap map)
        {
            errors.Add(At, $"'{string.Join('.', Path[..depth])}' is a single value and has no '{key}'");
        }
        else if (last)
        {
            if (repeatsMakeLists && map[key] is { } earlier) value = Append(earlier, value);
            map.Set(new YamlScalar(At, key, plain: true), value);
        }
        else
        {
            if (map[key] is null) map.Set(new YamlScalar(At, key, plain: true), new YamlMap(At));
            Replace(map[key]!, depth + 1, value, errors, repeatsMakeLists);
        }
    }

    private YamlList Append(YamlNode earlier, YamlNode value)
    {
        if (earlier is not YamlList list)
        {
            list = new YamlList(At);
            list.Items.Add(earlier);
        }
        if (value is YamlList values) list.Items.AddRange(values.Items);
        else list.Items.Add(value);
        return list;
    }
}
