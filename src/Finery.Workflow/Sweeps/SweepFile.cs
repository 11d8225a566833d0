using Finery.Workflow.Recipes;

namespace Finery.Workflow.Sweeps;

/// <summary>Reads sweeps. What is wrong with one, or with the recipe it sweeps, is returned, all of it; nothing is run or
/// written.</summary>
public static class SweepFile
{
    /// <summary>Most trials of a sweep.</summary>
    public const int MaxTrials = 10_000;

    /// <summary>Reads a sweep file and expands it.</summary>
    /// <param name="path">The file.</param>
    /// <param name="runFolder">Folder the run will have.</param>
    /// <param name="overrides"><c>step.key=value</c> for the recipe, before anything is swept; <c>key=value</c> for the sweep
    /// itself, such as <c>seeds=[1, 2]</c>.</param>
    /// <param name="schema">Step types and kinds of settings; null for all that Finery has.</param>
    public static SweepResult Load(string path, string runFolder, IEnumerable<string> overrides, RecipeSchema? schema = null)
    {
        schema ??= RecipeSchema.Default;
        var (text, problem) = RecipeFile.ReadText(path);
        if (text is null) return new(null, [problem! with { Message = problem.Message.Replace("recipe", "sweep") }]);
        var errors = new RecipeErrors(path, text);
        if (YamlTree.Read(text, path, errors) is not YamlMap map)
        {
            if (errors.Count == 0) errors.Add(new Place(path, 1, 1), "a sweep is a map with 'name', 'recipe', 'metric' and more");
            return new(null, errors.Sorted());
        }
        var changes = overrides.Select(change => Override.Parse(change, "--set " + change)).ToList();
        foreach (var change in changes.Where(change => change.Path.Length == 1))
            if (change.Read(errors) is { } value) map.Set(new YamlScalar(change.At, change.Path[0], plain: true), value);

        var settings = (SweepSettings)new RecordBinder(errors, schema, NoArtifact).Record(typeof(SweepSettings), map, "a sweep");
        if (errors.Count > 0) return new(null, errors.Sorted());
        if (Recipe(settings, map, path, errors) is not { } recipe) return new(null, errors.Sorted());
        foreach (var change in changes.Where(change => change.Path.Length > 1))
            change.Apply(recipe, errors, repeatsMakeLists: false);
        if (errors.Count > 0) return new(null, errors.Sorted());
        var sweep = new SweepExpansion(settings, map, recipe, schema, errors, Path.GetFullPath(runFolder)).Expand();
        return errors.Count > 0 ? new(null, errors.Sorted())
            : new(sweep! with { Recipe = sweep.Recipe with { Source = Path.GetFullPath(path) } }, []);
    }

    private static YamlMap? Recipe(SweepSettings settings, YamlMap map, string path, RecipeErrors errors)
    {
        if (settings.Recipe is not { } name)
        {
            var inline = new YamlMap(map["steps"]!.At);
            foreach (string key in new[] { "name", "seed", "steps" })
                if (map[key] is { } value) inline.Set(new YamlScalar(value.At, key, plain: true), value);
            return inline;
        }
        string file = Path.Combine(Path.GetDirectoryName(Path.GetFullPath(path))!, name);
        // As the user would type it, where that is shorter.
        if (Path.GetRelativePath(Environment.CurrentDirectory, file) is { } relative
            && !relative.StartsWith("..", StringComparison.Ordinal))
            file = relative;
        var (text, problem) = RecipeFile.ReadText(file);
        if (text is null)
        {
            errors.Add(map["recipe"]!.At, $"'{file}': {problem!.Message}");
            return null;
        }
        errors.AddFile(file, text);
        var root = YamlTree.Read(text, file, errors);
        if (root is not YamlMap && errors.Count == 0)
            errors.Add(new Place(file, 1, 1), "a recipe is a map with 'name', 'seed' and 'steps'");
        return root as YamlMap;
    }

    private static Steps.Artifact? NoArtifact(YamlScalar reference, Steps.ArtifactKind kind) =>
        throw new InvalidOperationException("a sweep has no inputs");
}
