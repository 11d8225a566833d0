using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Finery.Workflow.Recipes;
using Finery.Workflow.Runs;
using Finery.Workflow.Steps;

namespace Finery.Workflow.Sweeps;

/// <summary>
/// Makes one recipe of all trials. Every trial is the swept recipe with its changes; a step that is the same in several trials
/// (settings, inputs and seed) stands once. The steps that some trial changes, and those that read them, take their seed from
/// the trial's and their own name in the swept recipe: trials of one seed differ by what they change and by nothing else.
/// </summary>
internal sealed class SweepExpansion(
    SweepSettings settings, YamlMap map, YamlMap recipe, RecipeSchema schema, RecipeErrors errors, string runFolder)
{
    private const int LongestLabel = 40, LongestName = 64;

    private readonly Dictionary<string, string> _names = new(StringComparer.Ordinal);
    private readonly HashSet<string> _taken = new(StringComparer.OrdinalIgnoreCase);

    /// <returns>The sweep; null if something was reported.</returns>
    public Sweep? Expand()
    {
        var points = new SweepPoints(settings, schema, errors);
        var variants = points.Variants();
        var combinations = points.Combinations();
        CheckChanges(variants, combinations);
        if (errors.Count > 0) return null;

        // Without names of its own a trial reads like the recipe: errors are about what the user wrote.
        var plans = new List<(string Variant, List<SweepChange> Point, Recipe Recipe, YamlMap Tree)>();
        foreach (var (variant, changes) in variants)
        {
            foreach (var point in combinations)
            {
                var tree = recipe.Clone();
                foreach (var change in point.Concat(changes)) change.ToOverride().Apply(tree, errors, repeatsMakeLists: false);
                plans.Add((variant, point, new RecipeReader(errors, schema, runFolder).Read(tree), tree));
            }
        }
        if (errors.Count > 0) return null;
        var first = plans[0].Recipe;
        var metric = Metric(settings.Metric, "metric", first);
        var curve = Curve(first, metric);
        CheckClaims(variants);
        if (errors.Count > 0) return null;
        var changed = Changed(variants, combinations, first, metric!);
        if (!changed.Contains(metric!.Step))
            errors.Add(map["metric"]!.At, $"no parameter or variant changes step '{metric.Step}' or what it reads, so all trials would be equal");
        ulong[] seeds = settings.Seeds.Count > 0 ? [.. settings.Seeds] : [first.Seed];
        if ((long)seeds.Length * plans.Count > SweepFile.MaxTrials)
            errors.Add(map.At, $"{(long)seeds.Length * plans.Count} trials; at most {SweepFile.MaxTrials} are possible");
        if (errors.Count > 0) return null;

        var steps = new List<RecipeStep>();
        var known = new HashSet<string>();
        var trials = new List<SweepTrial>();
        var labels = Labels(combinations);
        foreach (string step in first.Steps.Select(step => step.Name)) _taken.Add(step);
        foreach (ulong seed in seeds)
        {
            foreach (var (variant, point, plain, tree) in plans)
            {
                string label = Label(variant, labels[point], seed);
                var names = Names(plain, changed, seed, label);
                foreach (var (step, own) in new RecipeReader(errors, schema, runFolder, names).Read(tree).Steps.Zip(plain.Steps))
                {
                    if (!known.Add(step.Name)) continue;
                    ulong paired = own.Seed ?? StepRecorder.SeedOf(seed, own.Name);
                    steps.Add(changed.Contains(own.Name) ? step with { Seed = paired } : step);
                }
                var parameters = new JsonObject(point.Select(change => KeyValuePair.Create(change.Key.Text, Json(change.Value))));
                trials.Add(new SweepTrial(label, variant, parameters, seed, names));
            }
        }
        return new Sweep
        {
            Name = settings.Name,
            Metric = metric,
            Goal = settings.Goal,
            Curve = curve!,
            Claims = Claims,
            Trials = trials,
            Recipe = new Recipe
            {
                Name = settings.Name, Seed = first.Seed, Steps = steps,
                Resolved = RecipeReader.Resolved(settings.Name, first.Seed, steps, schema),
            },
        };
    }

    private IReadOnlyList<SweepClaim> Claims => settings.Claim is { } one ? [one, .. settings.Claims] : settings.Claims;

    private void CheckChanges(List<(string Name, List<SweepChange> Changes)> variants, List<List<SweepChange>> combinations)
    {
        var swept = combinations.FirstOrDefault()?.Select(change => string.Join('.', change.Path)).ToHashSet() ?? [];
        foreach (var change in variants.SelectMany(variant => variant.Changes).Concat(combinations.FirstOrDefault() ?? []))
        {
            if (change.Path.Length == 1)
                errors.Add(change.Key.At, $"'{change.Key.Text}' is no setting of a step; expected step.key{(change.Key.Text == "seed" ? ", or 'seeds'" : "")}");
        }
        foreach (var change in variants.SelectMany(variant => variant.Changes)
            .Where(change => swept.Contains(string.Join('.', change.Path))))
            errors.Add(change.Key.At, $"'{change.Key.Text}' is a parameter of the sweep; a variant cannot set it too");
    }

    private SweepMetric? Metric(string text, string key, Recipe first)
    {
        int dot = text.IndexOf('.');
        string step = dot < 0 ? text : text[..dot];
        if (dot < 0 || dot == text.Length - 1)
        {
            errors.Add(map[key]!.At, $"'{key}' is '{text}', expected step.key, such as pretrain.final_loss");
            return null;
        }
        if (first.Steps.Any(known => known.Name == step)) return new(step, text[(dot + 1)..]);
        errors.Add(map[key]!.At, $"no step '{step}'; there are {string.Join(", ", first.Steps.Select(known => known.Name))}",
            NearestWord.Of(step, first.Steps.Select(known => known.Name)));
        return null;
    }

    private SweepMetric? Curve(Recipe first, SweepMetric? metric)
    {
        if (settings.Curve is { } text) return Metric(text, "curve", first);
        if (metric is null) return null;
        // The metric's own step, or the training before it.
        int at = first.Steps.ToList().FindIndex(step => step.Name == metric.Step);
        var training = first.Steps.Take(at + 1).LastOrDefault(step => step.Step is ITrainingStep);
        return new(training?.Name ?? metric.Step, "loss");
    }

    private void CheckClaims(List<(string Name, List<SweepChange> Changes)> variants)
    {
        var names = variants.Select(variant => variant.Name).ToArray();
        foreach (var claim in Claims)
        {
            var at = (map["claims"] ?? map["claim"])!.At;
            foreach (string name in new[] { claim.Better, claim.Than }.OfType<string>().Where(name => !names.Contains(name)))
                errors.Add(at, $"the claim names the variant '{name}'; there are {string.Join(", ", names)}",
                    NearestWord.Of(name, names));
            if (claim.Better == claim.Than) errors.Add(at, "the claim compares a variant with itself");
        }
    }

    /// <summary>Steps that a trial changes, and all that read from them.</summary>
    private static HashSet<string> Changed(
        List<(string Name, List<SweepChange> Changes)> variants, List<List<SweepChange>> combinations, Recipe first,
            SweepMetric metric)
    {
        var changed = variants.SelectMany(variant => variant.Changes).Concat(combinations[0]).Select(change => change.Path[0])
            .ToHashSet();
        // Only seeds differ: of whatever is random in training.
        if (changed.Count == 0) changed.UnionWith(first.Steps.Where(step => step.Step is ITrainingStep).Select(step => step.Name));
        if (changed.Count == 0) changed.Add(metric.Step);
        foreach (var step in first.Steps)
            if (step.Inputs().Any(input => input.Artifact.Producer is { } producer && changed.Contains(producer)))
                changed.Add(step.Name);
        return changed;
    }

    /// <summary>Name in the run of every step of a trial: that of the trial that has the same step, or a new one.</summary>
    private Dictionary<string, string> Names(Recipe trial, HashSet<string> changed, ulong seed, string label)
    {
        var names = new Dictionary<string, string>();
        foreach (var step in trial.Steps)
        {
            names[step.Name] = step.Name;
            if (!changed.Contains(step.Name)) continue;
            var inputs = step.Inputs().Select(input => input.Artifact.Producer is { } producer ? names[producer] : "");
            string content = string.Join('\n', [step.Name, .. inputs, (step.Seed ?? seed).ToString(CultureInfo.InvariantCulture),
                RecipeWriter.Settings(step.Step, schema).ToJsonString()]);
            if (!_names.TryGetValue(content, out string? name)) _names[content] = name = NewName(step.Name, label);
            names[step.Name] = name;
        }
        return names;
    }

    private string NewName(string step, string label)
    {
        string name = $"{step}-{label}";
        if (name.Length > LongestName)
            name = $"{step[..Math.Min(step.Length, LongestName - 10)]}-{Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(name)))[..8]}";
        string unique = name;
        for (int i = 2; !_taken.Add(unique); i++)
            unique = string.Create(CultureInfo.InvariantCulture, $"{name[..Math.Min(name.Length, 60)]}-{i}");
        return unique;
    }

    /// <summary>Combinations by their values, or by number where those are long or not unique; nothing for a single one.</summary>
    private static Dictionary<List<SweepChange>, string> Labels(List<List<SweepChange>> combinations)
    {
        string[] values = [.. combinations.Select(point => string.Join('-', point.Select((change, i) => Short(change.Value, i))))];
        var often = values.GroupBy(value => value).Where(same => same.Count() > 1).Select(same => same.Key).ToHashSet();
        string Label(int i) => values[i].Length > LongestLabel || often.Contains(values[i])
            ? string.Create(CultureInfo.InvariantCulture, $"p{i + 1}") : values[i];
        return combinations.Select((point, i) => (point, Text: combinations.Count > 1 ? Label(i) : ""))
            .ToDictionary(pair => pair.point, pair => pair.Text);
    }

    private string Label(string variant, string values, ulong seed)
    {
        string seeded = settings.Seeds.Count > 0 ? string.Create(CultureInfo.InvariantCulture, $"s{seed}") : "";
        string label = string.Join('-', new[] { variant, values, seeded }.Where(part => part.Length > 0));
        return label.Length > 0 ? label : "only";
    }

    /// <summary>A value as part of a folder's name.</summary>
    private static string Short(YamlNode value, int index) => value is YamlScalar scalar && scalar.Text.Length > 0
        ? string.Concat(scalar.Text.Select(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' ? c : '_'))
        : string.Create(CultureInfo.InvariantCulture, $"v{index}");

    private static JsonNode? Json(YamlNode value) => value switch
    {
        YamlScalar { IsNull: true } => null,
        YamlScalar scalar => scalar.Text,
        YamlList list => new JsonArray([.. list.Items.Select(Json)]),
        YamlMap nested => new JsonObject(nested.Entries.Select(entry => KeyValuePair.Create(entry.Key.Text, Json(entry.Value)))),
        _ => null,
    };
}
