using Finery.Training.Scaling;
using Finery.Workflow.Runs;
using Finery.Workflow.Scaling;

namespace Finery.Workflow.Sweeps;

/// <summary>Says of each claim whether the trials of a sweep bear it out.</summary>
/// <param name="record">Results.</param>
/// <param name="metric">The metric compared.</param>
/// <param name="run">Where curves and summaries are.</param>
internal sealed class ClaimJudge(SweepRecord record, SweepMetric metric, RunFolder run)
{
    // Three terms need three runs, and one more to say anything.
    private const int FewestRuns = 4;

    public ClaimRecord Judge(SweepClaim claim)
    {
        bool law = claim.By == ClaimMeasure.Prediction;
        bool pending = record.Trials.Any(trial => trial.State == TrialState.Pending
            && (law || trial.Variant == claim.Better || trial.Variant == claim.Than));
        if (pending) return Without(claim, ClaimRecord.Undecided, "not all of their trials have been run");
        if (record.BestOf(claim.Better) is not { } better)
            return Without(claim, ClaimRecord.NotReproduced, $"no trial of {claim.Better} came to an end");
        return law ? Predict(claim, better) : Compare(claim, better, claim.Than!);
    }

    private ClaimRecord Compare(SweepClaim claim, GroupRecord better, string other)
    {
        if (record.BestOf(other) is not { } than)
        {
            // Divergence is the worst there is to compare with; any other failure says nothing about training.
            bool diverged = record.Trials.Where(trial => trial.Variant == other).All(trial => trial.State == TrialState.Diverged);
            return diverged && better.Lost == 0
                ? Without(claim, ClaimRecord.Reproduced, $"every trial of {other} diverged, none of {claim.Better}{At(better)}")
                : Without(claim, ClaimRecord.Undecided, $"no trial of {other} came to an end");
        }
        var pairs = record.TrialsOf(better)
            .Join(record.TrialsOf(than), trial => trial.Seed, trial => trial.Seed, (a, b) => (A: a, B: b)).ToArray();
        string at = $"{claim.Better}{At(better)} with {other}{At(than)}, each at its best point, seed by seed";
        if (pairs.Any(pair => pair.A.Value is null))
            return Without(claim, ClaimRecord.NotReproduced, $"{at}; {better.Lost} trials of {claim.Better} failed or diverged");
        var whole = pairs.Where(pair => pair.B.Value is not null).ToArray();
        if (whole.Length < pairs.Length) at += $"; {pairs.Length - whole.Length} pairs without a result of {other} left out";
        double[] figures = [.. whole.Select(pair => claim.By switch
        {
            ClaimMeasure.Difference => record.Goal == SweepGoal.Minimize ? pair.B.Value!.Value - pair.A.Value!.Value
                : pair.A.Value!.Value - pair.B.Value!.Value,
            ClaimMeasure.Ratio => pair.A.Value!.Value / pair.B.Value!.Value,
            _ => LossCurve.ShareToReach(Losses(pair.A), Losses(pair.B)),
        })];
        if (figures.Any(double.IsNaN)) return Without(claim, ClaimRecord.Undecided, $"{at}; {record.Curve} has no curve");
        if (figures.Any(double.IsInfinity)) at += $"; {figures.Count(double.IsInfinity)} never got there";
        return With(claim, figures, at);
    }

    /// <summary>A law with published exponents (<see cref="ScalingLaw.Refit"/>: few runs do not determine five figures) fitted to the trials
    /// of all other variants and seeds, beside what each trial held out came to.</summary>
    private ClaimRecord Predict(SweepClaim claim, GroupRecord held)
    {
        ScalingPoint[] points = [.. record.Trials.Where(trial => trial.Variant != held.Variant)
            .Select(PointOf).OfType<ScalingRun>().Select(run => run.Point)];
        if (points.Length < FewestRuns)
            return Without(claim, ClaimRecord.Undecided, $"{points.Length} other trials; a law needs {FewestRuns}");
        ScalingLaw law;
        try
        {
            law = ScalingFit.Constants(points, ScalingLaw.Refit);
        }
        catch (ArgumentException e)
        {
            return Without(claim, ClaimRecord.Undecided, e.Message);
        }
        var errors = new List<double>();
        var said = new List<string>();
        foreach (var trial in record.TrialsOf(held))
        {
            if (PointOf(trial)?.Point is not { } point)
                return Without(claim, ClaimRecord.Undecided, $"{trial.Name} has no size, tokens and {record.Metric}");
            double predicted = law.Loss(point.Parameters, point.Tokens, point.UniqueTokens);
            errors.Add(Math.Abs(predicted / point.Loss - 1));
            said.Add(FormattableString.Invariant($"{predicted:0.###} for {point.Loss:0.###}"));
        }
        return With(claim, errors, $"{held.Variant}{At(held)} from the {points.Length} trials of all other variants: {string.Join(", ", said)}");
    }

    private ScalingRun? PointOf(TrialRecord trial) => trial.State != TrialState.Finished ? null
        : ScalingRuns.Of(trial.Name, run.Step(trial.Steps[metric.Step])?.Summary ?? [], metric.Key);

    private IReadOnlyList<(double Step, double Loss)> Losses(TrialRecord trial) =>
        LossCurve.Of(run, trial.Steps[record.Curve.Step], record.Curve.Key);

    private ClaimRecord With(SweepClaim claim, IReadOnlyList<double> figures, string detail)
    {
        var (reproduced, mean, error, criterion) = claim.Judge(figures, record.Goal);
        return new(claim.Statement, reproduced ? ClaimRecord.Reproduced : ClaimRecord.NotReproduced, figures.Count, criterion, detail,
            SweepOutcome.Finite(mean), SweepOutcome.Finite(error));
    }

    private ClaimRecord Without(SweepClaim claim, string verdict, string detail) =>
        new(claim.Statement, verdict, 0, claim.Judge([], record.Goal).Criterion, detail);

    private static string At(GroupRecord group) =>
        group.Parameters.Count == 0 ? "" : $" ({string.Join(", ", group.Parameters.Select(pair => $"{pair.Key}={pair.Value}"))})";
}
