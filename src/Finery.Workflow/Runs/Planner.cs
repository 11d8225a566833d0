using System.Text.Json.Nodes;
using Finery.Workflow.Recipes;
using Finery.Workflow.Steps;

namespace Finery.Workflow.Runs;

/// <summary>Decides step by step, in the order of the recipe, what is to be done. Reads only.</summary>
/// <param name="recipe">The recipe.</param>
/// <param name="folder">Its run folder, which need not exist.</param>
/// <param name="options">What to force.</param>
/// <param name="schema">Kinds of settings.</param>
/// <param name="stop">Ends the hashing of large inputs.</param>
internal sealed class Planner(Recipe recipe, RunFolder folder, RunOptions options, RecipeSchema schema, CancellationToken stop)
{
    private readonly Dictionary<(string Step, string Output), OutputRecord> _outputs = [];
    private readonly Dictionary<string, IReadOnlyList<FileRecord>> _external = new(StringComparer.Ordinal);

    /// <summary>A step's plan and what running it needs.</summary>
    /// <param name="Plan">For the user.</param>
    /// <param name="Status">What <c>step.json</c> says when the step begins.</param>
    /// <param name="Earlier">What it says now; null if nothing useful.</param>
    public sealed record Decision(StepPlan Plan, StepStatus Status, StepStatus? Earlier);

    /// <summary>Decides about a step. The steps before it have been decided, and <see cref="Finished"/> called for those that
    /// ran.</summary>
    /// <exception cref="IOException">A file that belongs to the key cannot be read.</exception>
    /// <exception cref="RecipeException">A file that belongs to the key is gone.</exception>
    public Decision Decide(RecipeStep step)
    {
        var inputs = Inputs(step).ToArray();
        var ingredients = Ingredients(step, inputs);
        bool known = inputs.All(input => input.Record is not null);
        string? key = known ? RunJson.Hash(ingredients) : null;
        var (earlier, damaged) = Earlier(step.Name);
        var (action, reason) = Choose(step, inputs, ingredients, key, earlier, damaged);
        var status = new StepStatus
        {
            Name = step.Name,
            Type = step.Type,
            Version = step.Step.Version,
            State = StepState.Running,
            Key = key ?? "",
            Ingredients = ingredients,
            Settings = RecipeWriter.Settings(step.Step, schema),
            Started = DateTimeOffset.UtcNow,
            Seconds = action == PlannedAction.Resume ? earlier!.Seconds : 0,
            Attempt = action == PlannedAction.Resume ? earlier!.Attempt + 1 : 1,
            Inputs = [.. inputs.Select(input => input.Record).OfType<InputRecord>()],
        };
        return new Decision(new StepPlan(step.Name, step.Type, action, reason, key, ingredients), status, earlier);
    }

    /// <summary>Digests of what a step has written, for its <c>step.json</c> and for the steps that read it.</summary>
    /// <exception cref="StepFailedException">A declared output is not there.</exception>
    public IReadOnlyList<OutputRecord> Finished(RecipeStep step)
    {
        var records = new List<OutputRecord>();
        foreach (var output in step.Step.Outputs)
        {
            string path = Path.Combine(folder.StepFolder(step.Name), output.Name);
            if (!File.Exists(path) && !Directory.Exists(path))
                throw new StepFailedException(ExitCode.Failure,
                    $"step type '{step.Type}' did not write its output '{output.Name}'");
            var files = Fingerprint.Files(path, stop);
            records.Add(new OutputRecord(output.Name, Artifact(output.Kind), Fingerprint.Of(files), files));
            _outputs[(step.Name, output.Name)] = records[^1];
        }
        return records;
    }

    private static string Artifact(ArtifactKind kind) => StepSetting.SnakeCase(kind.ToString());

    private (PlannedAction Action, string Reason) Choose(
        RecipeStep step, (string Setting, string Source, InputRecord? Record)[] inputs, JsonObject ingredients, string? key,
        StepStatus? earlier, string? damaged)
    {
        if (options.Force.Contains(step.Name) || options.Force.Contains("*")) return (PlannedAction.Run, "forced");
        if (damaged is not null) return (PlannedAction.Run, damaged);
        if (earlier is null) return (PlannedAction.Run, "new");
        if (KeyDifference.Between(earlier.Ingredients, ingredients) is { } difference) return (PlannedAction.Run, difference);
        if (key is null)
        {
            var open = inputs.Where(input => input.Record is null).Select(input => input.Source).Distinct();
            return (PlannedAction.MayRun, $"depends on {string.Join(", ", open)}, which will be made again");
        }
        // The ingredients agree, so this step.json was not written by a run.
        if (key != earlier.Key) return (PlannedAction.Run, $"{RunFolder.StepFile} is damaged: its key does not belong to it");
        if (earlier.State != StepState.Finished) return (PlannedAction.Resume, Unfinished(earlier));
        string? damage = Damage(step, earlier);
        return damage is null ? (PlannedAction.Cached, "finished before, nothing it depends on has changed")
            : (PlannedAction.Run, damage);
    }

    private static string Unfinished(StepStatus earlier) => earlier.State switch
    {
        StepState.Interrupted => "was interrupted",
        StepState.Failed => "failed before",
        _ => "incomplete: its process was killed",
    };

    private (StepStatus? Status, string? Damaged) Earlier(string step)
    {
        try
        {
            var status = folder.Step(step);
            return status is not null || !Directory.Exists(folder.StepFolder(step)) ? (status, null) : (null, "incomplete");
        }
        catch (RunFolderException)
        {
            return (null, $"{RunFolder.StepFile} is damaged");
        }
    }

    private JsonObject Ingredients(RecipeStep step, (string Setting, string Source, InputRecord? Record)[] inputs)
    {
        string[] external = [.. step.Step.ExternalFiles()];
        var files = Fingerprint.Digest(Fingerprint.WithoutCommonFolder(external), stop);
        return new JsonObject
        {
            ["type"] = step.Type,
            ["version"] = step.Step.Version,
            ["seed"] = StepRecorder.SeedOf(recipe.Seed, step),
            ["settings"] = RecipeWriter.Settings(step.Step, schema, forKey: true),
            ["inputs"] = new JsonArray([.. inputs.Select(input =>
                new JsonObject { ["setting"] = input.Setting, ["sha256"] = input.Record?.Fingerprint })]),
            ["files"] = new JsonObject(files.Select(file => KeyValuePair.Create(file.Path, (JsonNode?)file.Sha256))),
        };
    }

    /// <summary>The artifacts a step reads, in order; without record where a step before it will make them.</summary>
    private IEnumerable<(string Setting, string Source, InputRecord? Record)> Inputs(RecipeStep step)
    {
        foreach (var (setting, artifact) in step.Inputs())
        {
            string output = Path.GetFileName(artifact.Path);
            string source = artifact.Producer is null ? artifact.Path : $"{artifact.Producer}.{output}";
            InputRecord? record = null;
            if (artifact.Producer is null)
            {
                if (!_external.TryGetValue(artifact.Path, out var files))
                    _external[artifact.Path] = files = Fingerprint.Files(artifact.Path, stop);
                record = new InputRecord(setting, source, Fingerprint.Of(files), files.Sum(file => file.Bytes));
            }
            else if (_outputs.TryGetValue((artifact.Producer, output), out var made))
            {
                record = new InputRecord(setting, source, made.Fingerprint, made.Files.Sum(file => file.Bytes));
            }
            yield return (setting, source, record);
        }
    }

    /// <summary>Compares the outputs of a finished step with what it recorded; intact ones become known to the steps after
    /// it.</summary>
    private string? Damage(RecipeStep step, StepStatus recorded)
    {
        var intact = new List<OutputRecord>();
        foreach (var output in step.Step.Outputs)
        {
            string path = Path.Combine(folder.StepFolder(step.Name), output.Name);
            string damaged = $"output damaged: {step.Name}/{output.Name}";
            var expected = recorded.Outputs.FirstOrDefault(record => record.Name == output.Name
                && record.Kind == Artifact(output.Kind));
            if (expected is null) return $"{damaged} is not recorded in {RunFolder.StepFile}";
            if (!File.Exists(path) && !Directory.Exists(path)) return $"{damaged} is missing";
            var files = Fingerprint.Files(path, stop);
            var found = files.ToDictionary(file => file.Path, StringComparer.Ordinal);
            foreach (var file in expected.Files)
            {
                string name = file.Path.Length == 0 ? damaged : $"{damaged}/{file.Path}";
                if (!found.Remove(file.Path, out var now)) return $"{name} is missing";
                if (now.Bytes != file.Bytes)
                    return FormattableString.Invariant($"{name} has {now.Bytes} bytes, not {file.Bytes}");
                if (now.Sha256 != file.Sha256) return $"{name} has other content";
            }
            if (found.Count > 0)
                return $"{damaged}/{found.Keys.Order(StringComparer.Ordinal).First()} was not written by the step";
            intact.Add(new OutputRecord(output.Name, expected.Kind, Fingerprint.Of(files), files));
        }
        foreach (var record in intact) _outputs[(step.Name, record.Name)] = record;
        return null;
    }
}
