using System.Text;

namespace Finery.Workflow.Recipes;

/// <summary>Reads recipes. What is wrong with one is returned, all of it; nothing is run or written.</summary>
public static class RecipeFile
{
    /// <summary>Reads a recipe file. Relative paths in it, as in settings, start from the current directory.</summary>
    /// <param name="path">The file: UTF-8, at most a megabyte.</param>
    /// <param name="runFolder">Folder the run will have: outputs of steps get their paths below it.</param>
    /// <param name="overrides"><c>step.key=value</c> (also <c>name=</c>, <c>seed=</c>, <c>step.list.0.key=</c>), applied before
    /// anything is checked. A value that begins with a bracket, brace or quote is YAML, any other is text as it is.</param>
    /// <param name="schema">Step types and kinds of settings; null for all that Finery has.</param>
    public static RecipeResult Load(string path, string runFolder, IEnumerable<string> overrides, RecipeSchema? schema = null)
    {
        var (text, problem) = ReadText(path);
        if (text is null) return new(null, [problem!]);
        var result = Parse(text, path, runFolder, overrides, schema);
        return result.Recipe is null ? result : result with { Recipe = result.Recipe with { Source = Path.GetFullPath(path) } };
    }

    /// <summary>Text of a recipe, or of another file of its kind.</summary>
    internal static (string? Text, RecipeError? Problem) ReadText(string path)
    {
        try
        {
            var file = new FileInfo(path);
            // A character takes at most four bytes, and what is longer as bytes alone is refused by its length in characters.
            if (file.Exists && file.Length > 4 * YamlTree.MaxLength) return Unreadable(path, "is too long for a recipe");
            return (new UTF8Encoding(false, throwOnInvalidBytes: true).GetString(File.ReadAllBytes(path)).TrimStart('\uFEFF'), null);
        }
        catch (DecoderFallbackException e)
        {
            return Unreadable(path, $"is not UTF-8 (byte {e.Index}); save it as UTF-8");
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            return Unreadable(path, "no such recipe file");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return Unreadable(path, $"cannot be read: {e.Message}");
        }
    }

    /// <summary>As <see cref="Load"/>, from a string.</summary>
    public static RecipeResult Parse(
        string yaml, string fileName, string runFolder, IEnumerable<string> overrides, RecipeSchema? schema = null) =>
        Read(yaml, fileName, runFolder, overrides.Select(text => Override.Parse(text, "--set " + text)), schema);

    /// <summary>A recipe of one step, for the verb of the same name.</summary>
    /// <param name="type">Name in the step catalogue; also names the step and the recipe.</param>
    /// <param name="seed">Seed of the recipe.</param>
    /// <param name="runFolder">Folder the run will have.</param>
    /// <param name="settings"><c>key=value</c>, the value as for an override; a key that comes several times makes a list. Errors
    /// call them <c>--key value</c>.</param>
    /// <param name="schema">Step types and kinds of settings; null for all that Finery has.</param>
    public static RecipeResult ForStep(
        string type, ulong seed, string runFolder, IEnumerable<string> settings, RecipeSchema? schema = null)
    {
        var flags = settings.Select(text =>
        {
            var (key, value) = Override.Split(text);
            return Override.Parse($"{type}.{key}={value}", value is null ? "--" + Dashes(key) : $"--{Dashes(key)} {value}");
        });
        return Read(FormattableString.Invariant($"name: {type}\nseed: {seed}\nsteps: {{{type}: {{}}}}\n"), type, runFolder,
            flags, schema, true);
    }

    /// <summary>Text of a recipe that comes with Finery, such as <c>quickstart.yaml</c>.</summary>
    /// <exception cref="FileNotFoundException">There is none of that name; the message lists the names.</exception>
    public static string Bundled(string name)
    {
        var assembly = typeof(RecipeFile).Assembly;
        using var stream = assembly.GetManifestResourceStream(name)
            ?? throw new FileNotFoundException(
                $"No recipe '{name}' comes with Finery; there are {string.Join(", ", BundledNames)}.");
        using var reader = new StreamReader(stream, Encoding.UTF8);
        return reader.ReadToEnd();
    }

    /// <summary>Names for <see cref="Bundled"/>.</summary>
    public static IReadOnlyList<string> BundledNames =>
        [.. typeof(RecipeFile).Assembly.GetManifestResourceNames()
            .Where(name => name.EndsWith(".yaml", StringComparison.Ordinal)).Order(StringComparer.Ordinal)];

    private static string Dashes(string key) => key.Replace('_', '-');

    private static (string? Text, RecipeError? Problem) Unreadable(string path, string message) =>
        (null, new(path, 0, 0, message, null, null));

    private static RecipeResult Read(
        string yaml, string fileName, string runFolder, IEnumerable<Override> overrides, RecipeSchema? schema,
            bool repeatsMakeLists = false)
    {
        var errors = new RecipeErrors(fileName, yaml);
        var root = YamlTree.Read(yaml, fileName, errors);
        if (root is not YamlMap map)
        {
            if (root is not null) errors.Add(root.At, "a recipe is a map with 'name', 'seed' and 'steps'");
            return new(null, errors.Sorted());
        }
        foreach (var change in overrides) change.Apply(map, errors, repeatsMakeLists);
        var recipe = new RecipeReader(errors, schema ?? RecipeSchema.Default, Path.GetFullPath(runFolder)).Read(map);
        return new(errors.Count == 0 ? recipe : null, errors.Sorted());
    }
}
