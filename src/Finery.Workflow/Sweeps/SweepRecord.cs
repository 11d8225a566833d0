using System.Text.Json;
using System.Text.Json.Nodes;
using Finery.Workflow.Runs;

namespace Finery.Workflow.Sweeps;

/// <summary>Where a trial is.</summary>
public enum TrialState
{
    /// <summary>Not run, or not to its end.</summary>
    Pending,

    /// <summary>Has its metric.</summary>
    Finished,

    /// <summary>Training diverged, or the metric is no finite number: counts as worst.</summary>
    Diverged,

    /// <summary>A step failed for another reason: counts as worst.</summary>
    Failed,
}

/// <summary>One trial and its result.</summary>
/// <param name="Name">Name of the trial.</param>
/// <param name="Variant">Name of the variant; empty if there are none.</param>
/// <param name="Parameters">Values by path.</param>
/// <param name="Seed">Seed of the trial.</param>
/// <param name="Steps">Name in the run by name in the recipe.</param>
/// <param name="State">Where it is.</param>
/// <param name="Value">The metric; null unless finished.</param>
/// <param name="Error">Why there is none.</param>
public sealed record TrialRecord(
    string Name, string Variant, JsonObject Parameters, ulong Seed, IReadOnlyDictionary<string, string> Steps, TrialState State,
    double? Value = null, string? Error = null);

/// <summary>Trials that differ by nothing but their seed.</summary>
/// <param name="Variant">Name of the variant.</param>
/// <param name="Parameters">Values by path.</param>
/// <param name="Count">Finished trials.</param>
/// <param name="Lost">Failed or diverged ones.</param>
/// <param name="Best">Whether none is better. Groups that lost a trial rank behind those that did not.</param>
/// <param name="Mean">Of the finished.</param>
/// <param name="StandardDeviation">Of the finished; null below two.</param>
/// <param name="StandardError">Of the mean; null below two.</param>
public sealed record GroupRecord(
    string Variant, JsonObject Parameters, int Count, int Lost, bool Best, double? Mean = null, double? StandardDeviation = null,
    double? StandardError = null);

/// <summary>What became of a claim.</summary>
/// <param name="Statement">The finding in words.</param>
/// <param name="Verdict"><c>reproduced</c>, <c>not reproduced at this scale</c>, or <c>undecided</c>.</param>
/// <param name="Pairs">Seed pairs.</param>
/// <param name="Criterion">What had to be reached.</param>
/// <param name="Detail">What was compared.</param>
/// <param name="Measured">Mean over seed pairs; null if there is none, or the end was never reached.</param>
/// <param name="StandardError">Of the mean; null below two pairs.</param>
public sealed record ClaimRecord(
    string Statement, string Verdict, int Pairs, string Criterion, string Detail, double? Measured = null,
        double? StandardError = null)
{
    /// <summary>The verdict of a claim that holds here.</summary>
    public const string Reproduced = "reproduced";

    /// <summary>The verdict of a claim that does not hold here.</summary>
    public const string NotReproduced = "not reproduced at this scale";

    /// <summary>The verdict where results are missing.</summary>
    public const string Undecided = "undecided";
}

/// <summary>What <c>sweep.json</c> holds: no times, so that equal sweeps give equal bytes.</summary>
public sealed record SweepRecord
{
    /// <summary>Name of the file in the run folder.</summary>
    public const string FileName = "sweep.json";

    /// <summary>Name of the sweep.</summary>
    public required string Name { get; init; }

    /// <summary>What is compared, <c>step.key</c>.</summary>
    public required string Metric { get; init; }

    /// <summary>Which is better.</summary>
    public required SweepGoal Goal { get; init; }

    /// <summary>The loss while training.</summary>
    public required SweepMetric Curve { get; init; }

    /// <summary>Every trial.</summary>
    public required IReadOnlyList<TrialRecord> Trials { get; init; }

    /// <summary>Every combination.</summary>
    public required IReadOnlyList<GroupRecord> Groups { get; init; }

    /// <summary>Every claim.</summary>
    public required IReadOnlyList<ClaimRecord> Claims { get; init; }

    /// <summary>The text of <c>sweep.json</c>.</summary>
    public string ToJson() => JsonSerializer.Serialize(this, RunJson.Indented);

    /// <summary>Trials of a group.</summary>
    public IEnumerable<TrialRecord> TrialsOf(GroupRecord group) => Trials.Where(trial =>
        trial.Variant == group.Variant && JsonNode.DeepEquals(trial.Parameters, group.Parameters));

    /// <summary>The best group of a variant.</summary>
    public GroupRecord? BestOf(string variant) => Ranked(Groups.Where(group => group.Variant == variant), Goal).FirstOrDefault();

    /// <summary>Groups with results, best first.</summary>
    internal static IEnumerable<GroupRecord> Ranked(IEnumerable<GroupRecord> groups, SweepGoal goal) => groups
        .Where(group => group.Mean is not null)
        .OrderBy(group => group.Lost).ThenBy(group => goal == SweepGoal.Minimize ? group.Mean : -group.Mean);

    /// <summary>Reads <c>sweep.json</c> of a run folder; null if it is not that of a sweep.</summary>
    /// <exception cref="RunFolderException">It cannot be read.</exception>
    public static SweepRecord? Load(RunFolder run)
    {
        string path = Path.Combine(run.Path, FileName);
        if (!File.Exists(path)) return null;
        try
        {
            return JsonSerializer.Deserialize<SweepRecord>(AtomicFile.Read(path), RunJson.Indented);
        }
        catch (Exception e) when (e is JsonException or IOException or UnauthorizedAccessException)
        {
            throw new RunFolderException($"{path} cannot be read: {e.Message}");
        }
    }
}
