using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Finery.Workflow.Runs;

namespace Finery.Workflow.Sweeps;

/// <summary>Gathers what the trials of a sweep came to from its run folder.</summary>
public static class SweepOutcome
{
    /// <summary>Writes <c>sweep.json</c>.</summary>
    public static SweepRecord Write(Sweep sweep, RunFolder run)
    {
        var record = Collect(sweep, run);
        AtomicFile.WriteJson(Path.Combine(run.Path, SweepRecord.FileName), record);
        return record;
    }

    /// <summary>What the command exits with: a failed or diverged trial is a result, as long as others have one.</summary>
    /// <param name="record">The results.</param>
    /// <param name="run">How the run ended.</param>
    public static ExitCode ExitCodeOf(SweepRecord record, RunResult run)
    {
        if (run.ExitCode is ExitCode.Ok or ExitCode.Interrupted or ExitCode.Usage) return run.ExitCode;
        if (record.Trials.All(trial => trial.State != TrialState.Finished)) return run.ExitCode;
        return record.Trials.All(trial => trial.State is TrialState.Finished or TrialState.Diverged) ? ExitCode.Ok
            : ExitCode.Partial;
    }

    internal static SweepRecord Collect(Sweep sweep, RunFolder run)
    {
        var states = run.Status().Steps.ToDictionary(step => step.Name, step => step.State);
        var trials = sweep.Trials.Select(trial => Trial(sweep, trial, run, states)).ToArray();
        var groups = new List<GroupRecord>();
        foreach (var group in trials.GroupBy(trial => (trial.Variant, Parameters: trial.Parameters.ToJsonString())))
        {
            double[] values = [.. group.Select(trial => trial.Value).OfType<double>()];
            var (mean, deviation, error) = Statistics.Of(values);
            groups.Add(new(group.Key.Variant, (JsonObject)group.First().Parameters.DeepClone(), values.Length,
                group.Count(trial => trial.State is TrialState.Diverged or TrialState.Failed), Best: false,
                Finite(mean), Finite(deviation), Finite(error)));
        }
        var best = SweepRecord.Ranked(groups, sweep.Goal).FirstOrDefault();
        var record = new SweepRecord
        {
            Name = sweep.Name, Metric = sweep.Metric.ToString(), Goal = sweep.Goal, Curve = sweep.Curve, Trials = trials,
            Groups = [.. groups.Select(group => group == best ? group with { Best = true } : group)], Claims = [],
        };
        return record with { Claims = [.. sweep.Claims.Select(claim => new ClaimJudge(record, sweep.Metric, run).Judge(claim))] };
    }

    internal static double? Finite(double value) => double.IsFinite(value) ? value : null;

    private static TrialRecord Trial(Sweep sweep, SweepTrial trial, RunFolder run, IReadOnlyDictionary<string, StepState> states)
    {
        TrialRecord Record(TrialState state, double? value = null, string? error = null) => new(
            trial.Name, trial.Variant, (JsonObject)trial.Parameters.DeepClone(), trial.Seed, trial.Steps, state, value, error);
        string metric = trial.Steps[sweep.Metric.Step];
        if (states[metric] is StepState.Finished or StepState.Cached)
        {
            var summary = run.Step(metric)?.Summary ?? [];
            if (Figure(summary, sweep.Metric.Key) is not { } value)
                return Record(TrialState.Failed,
                    error: $"step '{metric}' reports no '{sweep.Metric.Key}'; it has {string.Join(", ", summary.Select(entry => entry.Key))}");
            return double.IsFinite(value) ? Record(TrialState.Finished, value)
                : Record(TrialState.Diverged, error: $"{sweep.Metric} is {value}");
        }
        string? failed = trial.Steps.Values.FirstOrDefault(step => states[step] == StepState.Failed);
        if (failed is null) return Record(TrialState.Pending);
        var status = run.Step(failed);
        return Record(status?.ExitCode == (int)ExitCode.Diverged ? TrialState.Diverged : TrialState.Failed,
            error: $"step '{failed}': {status?.Error}");
    }

    /// <summary>A number in a summary; dots lead into objects and lists.</summary>
    private static double? Figure(JsonObject summary, string key)
    {
        JsonNode? node = summary;
        foreach (string part in key.Split('.'))
        {
            node = node switch
            {
                JsonObject map => map[part],
                JsonArray list when int.TryParse(part, NumberStyles.None, CultureInfo.InvariantCulture, out int index)
                    && index < list.Count
                    => list[index],
                _ => null,
            };
        }
        if (node is not JsonValue value) return null;
        return value.GetValueKind() switch
        {
            JsonValueKind.Number => value.GetValue<JsonElement>().GetDouble(),
            // Not-a-number and infinities are written in quotes.
            JsonValueKind.String when double.TryParse(value.GetValue<string>(), CultureInfo.InvariantCulture,
                out double named) => named,
            _ => null,
        };
    }
}
