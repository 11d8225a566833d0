using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Finery.Workflow.Steps;

namespace Finery.Workflow.Recipes;

/// <summary>Turns the tree of a recipe into typed steps with resolved references.</summary>
/// <param name="errors">Where errors go.</param>
/// <param name="schema">What recipes can name.</param>
/// <param name="runFolder">Full path of the run folder.</param>
/// <param name="names">Other names the steps shall have in the run folder; null for their own.</param>
internal sealed partial class RecipeReader(
    RecipeErrors errors, RecipeSchema schema, string runFolder, IReadOnlyDictionary<string, string>? names = null)
{
    private static readonly string[] Keys = ["name", "seed", "steps"];

    /// <summary>Names Windows reserves for devices.</summary>
    private static readonly HashSet<string> Devices = new(
        ["con", "prn", "aux", "nul", .. Enumerable.Range(1, 9).SelectMany(i => new[] { $"com{i}", $"lpt{i}" })],
            StringComparer.OrdinalIgnoreCase);

    /// <summary>Outputs of the steps read so far; null where they cannot be known because the step is wrong.</summary>
    private readonly Dictionary<string, IReadOnlyList<StepOutput>?> _outputs = [];

    private readonly List<(string From, string To, Place At)> _forward = [];
    private readonly HashSet<(string From, string To)> _references = [];
    private string[] _stepNames = [];
    private string _current = "";

    /// <returns>The recipe; of use only if nothing was reported.</returns>
    public Recipe Read(YamlMap root)
    {
        foreach (var (key, _) in root.Entries)
        {
            if (Keys.Contains(key.Text)) continue;
            errors.Add(key.At, $"a recipe has no '{key.Text}'; it has {string.Join(", ", Keys)}", NearestWord.Of(key.Text, Keys));
        }
        string name = Name(root);
        ulong seed = Seed(root);
        var steps = new List<RecipeStep>();
        if (root["steps"] is YamlMap { Entries.Count: > 0 } map)
        {
            _stepNames = [.. map.Entries.Select(entry => entry.Key.Text)];
            foreach (var (key, node) in map.Entries)
                if (Step(key, node) is { } step) steps.Add(step);
            ReportForward();
        }
        else if (root["steps"] is not YamlRefused)
        {
            errors.Add(root["steps"]?.At ?? root.At, "a recipe needs 'steps': a map from step names to settings");
        }
        return new Recipe { Name = name, Seed = seed, Steps = steps, Resolved = Resolved(name, seed, steps, schema) };
    }

    private string Name(YamlMap root)
    {
        if (root["name"] is YamlScalar { IsNull: false } name)
        {
            if (!ValidName(name.Text)) errors.Add(name.At, $"'{name.Text}' cannot name a recipe: {NameRule}");
            return name.Text;
        }
        if (root["name"] is not YamlRefused) errors.Add(root["name"]?.At ?? root.At, "a recipe needs a 'name'");
        return "";
    }

    private ulong Seed(YamlMap root)
    {
        const ulong Default = 42;
        return SeedIn(root) ?? Default;
    }

    private ulong? SeedIn(YamlMap map)
    {
        if (map["seed"] is null or YamlRefused) return null;
        if (map["seed"] is YamlScalar scalar && ScalarText.Read(typeof(ulong), scalar.Text, out _, out _) is ulong seed)
            return seed;
        errors.Add(map["seed"]!.At, $"'seed' must be a whole number from 0 to {ulong.MaxValue}");
        return null;
    }

    private string NameInRun(string step) => names?.GetValueOrDefault(step) ?? step;

    private const string NameRule = "use letters, digits, - and _, at most 64, beginning with a letter or digit";

    /// <summary>Whether a step or recipe can have the name, which is also that of a folder.</summary>
    public static bool ValidName(string name) => NamePattern().IsMatch(name) && !Devices.Contains(name);

    private RecipeStep? Step(YamlScalar key, YamlNode node)
    {
        _current = key.Text;
        if (!ValidName(key.Text)) errors.Add(key.At, $"'{key.Text}' cannot name a step: {NameRule}");
        // Folders of both would be one on macOS and Windows.
        string? twin = _outputs.Keys.FirstOrDefault(other => other.Equals(key.Text, StringComparison.OrdinalIgnoreCase));
        if (twin is not null) errors.Add(key.At, $"'{key.Text}' differs from step '{twin}' only in case; choose another name");
        _outputs[key.Text] = null;

        if (node is YamlScalar { IsNull: true }) node = new YamlMap(key.At);
        if (node is not YamlMap map)
        {
            if (node is not YamlRefused) errors.Add(node.At, $"step '{key.Text}' must be a map of settings");
            return null;
        }
        var typeNode = map["type"];
        string type = typeNode is YamlScalar named ? named.Text : key.Text;
        if (!schema.Steps.TryGetValue(type, out var record))
        {
            string? suggestion = NearestWord.Of(type, schema.Steps.Keys);
            string there = suggestion is null
                ? $"; there are {string.Join(", ", schema.Steps.Keys.Order(StringComparer.Ordinal))}" : "";
            errors.Add(typeNode?.At ?? key.At, $"no step type '{type}'{there}", suggestion);
            return null;
        }
        int before = errors.Count;
        // Errors about the step as a whole belong to the line of its name.
        var settings = new YamlMap(key.At);
        settings.Entries.AddRange(map.Entries);
        string what = type == key.Text ? $"step '{key.Text}'" : $"step '{key.Text}' ({type})";
        var step = (Step)new RecordBinder(errors, schema, Resolve).Record(record, settings, what, "type", "seed");
        ulong? seed = map["seed"] is YamlScalar { IsNull: true } ? null : SeedIn(map);
        bool whole = errors.Count == before;
        _outputs[key.Text] = Outputs(step, whole);
        // Under other names it is read again, and its files have been looked for.
        if (whole && names is null) CheckFiles(step, key);
        return new RecipeStep(NameInRun(key.Text), type, step, key.At.Line) { Seed = seed };
    }

    /// <summary>What a step with errors would write is only a guess, but a good one: it lets the steps after it be
    /// checked.</summary>
    private static IReadOnlyList<StepOutput>? Outputs(Step step, bool whole)
    {
        try
        {
            return step.Outputs;
        }
        catch (Exception) when (!whole)
        {
            return null;
        }
    }

    private void CheckFiles(Step step, YamlScalar key)
    {
        try
        {
            foreach (string file in step.ExternalFiles())
            {
                if (File.Exists(file)) continue;
                errors.Add(key.At, $"step '{key.Text}' reads '{file}', which does not exist");
                break;
            }
        }
        catch (RecipeException e)
        {
            errors.Add(key.At, $"step '{key.Text}': {e.Message}");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            errors.Add(key.At, $"step '{key.Text}' cannot read its files: {e.Message}");
        }
    }

    private Artifact? Resolve(YamlScalar reference, ArtifactKind kind)
    {
        string text = reference.Text;
        string wanted = StepSetting.SnakeCase(kind.ToString());
        if (text.Contains('/') || text.Contains('\\') || text.StartsWith('.')) return Existing(reference, kind);
        int dot = text.IndexOf('.');
        string name = dot < 0 ? text : text[..dot];
        if (!_stepNames.Contains(name))
        {
            string hint = File.Exists(text) || Directory.Exists(text) ? $"; for the path of that name write ./{text}" : "";
            errors.Add(reference.At, $"no step '{name}' to take {wanted} from{hint}",
                NearestWord.Of(name, _stepNames.Where(other => other != _current)));
            return null;
        }
        _references.Add((_current, name));
        if (name == _current || !_outputs.TryGetValue(name, out var outputs))
        {
            _forward.Add((_current, name, reference.At));
            return null;
        }
        // A wrong producer has been reported; its consumer is not to blame.
        if (outputs is null) return new Artifact(kind, Path.Combine(runFolder, name), name);
        var output = dot < 0
            ? outputs.FirstOrDefault(output => output.Kind == kind)
            : outputs.FirstOrDefault(output => output.Name == text[(dot + 1)..]);
        if (output is not null && output.Kind == kind)
            return new Artifact(kind, Path.Combine(runFolder, NameInRun(name), output.Name), NameInRun(name));
        string has = string.Join(", ",
            outputs.Select(output => $"{output.Name} ({StepSetting.SnakeCase(output.Kind.ToString())})"));
        string found = output is not null ? $"'{text}' is {StepSetting.SnakeCase(output.Kind.ToString())}, expected {wanted}"
            : dot < 0 ? $"step '{name}' writes no {wanted}" : $"step '{name}' has no output '{text[(dot + 1)..]}'";
        string? suggestion = dot < 0 || output is not null ? null
            : NearestWord.Of(text[(dot + 1)..], outputs.Select(output => output.Name));
        errors.Add(reference.At, $"{found}; it writes {has}", suggestion is null ? null : $"{name}.{suggestion}");
        return null;
    }

    private Artifact? Existing(YamlScalar reference, ArtifactKind kind)
    {
        string path = reference.Text.Contains('\0') ? "" : Path.GetFullPath(reference.Text);
        if (File.Exists(path) || Directory.Exists(path)) return new Artifact(kind, path);
        errors.Add(reference.At, $"'{reference.Text}' does not exist (looked for {path})");
        return null;
    }

    private void ReportForward()
    {
        foreach (var (from, to, at) in _forward)
        {
            if (from == to) errors.Add(at, $"step '{from}' cannot be its own input");
            else if (PathBetween(to, from) is { } path)
                errors.Add(at, $"the steps form a cycle: {string.Join(" -> ", (string[])[from, .. path])}");
            else errors.Add(at, $"step '{to}' comes later; steps run in the order of the file, so move '{to}' above '{from}'");
        }
    }

    /// <summary>Steps from one to another along references, both included; null if there is no way.</summary>
    private List<string>? PathBetween(string from, string to)
    {
        var ways = new Dictionary<string, List<string>> { [from] = [from] };
        var queue = new Queue<string>([from]);
        while (queue.TryDequeue(out string? at))
        {
            if (at == to) return ways[at];
            foreach (var (_, next) in _references.Where(reference => reference.From == at))
                if (ways.TryAdd(next, [.. ways[at], next])) queue.Enqueue(next);
        }
        return null;
    }

    /// <summary>The whole recipe with every default written out.</summary>
    public static JsonObject Resolved(string name, ulong seed, IEnumerable<RecipeStep> steps, RecipeSchema schema)
    {
        var resolved = new JsonObject();
        foreach (var step in steps)
        {
            var settings = new JsonObject { ["type"] = step.Type };
            if (step.Seed is { } own) settings["seed"] = own;
            foreach (var (key, value) in RecipeWriter.Settings(step.Step, schema)) settings[key] = value?.DeepClone();
            resolved[step.Name] = settings;
        }
        return new JsonObject { ["name"] = name, ["seed"] = seed, ["steps"] = resolved };
    }

    [GeneratedRegex("^[A-Za-z0-9][A-Za-z0-9_-]{0,63}\\z", RegexOptions.CultureInvariant)]
    private static partial Regex NamePattern();
}
