using Finery.Workflow.Runs;
using Finery.Workflow.Runs.Report;
using Finery.Workflow.Sweeps;
using Xunit;

namespace Finery.Tests.Workflow.Sweeps;

public sealed class SweepRunTests : IDisposable
{
    private const string Head = "name: test\nrecipe: base.yaml\nmetric: pretrain.final_loss\n";

    private const string Variants = "variants: {slow: , fast: {pretrain.optimizer: fast}}\n";

    private readonly SweepFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private byte[] Json => File.ReadAllBytes(Path.Combine(_folder.Run, SweepRecord.FileName));

    [Fact]
    public void The_best_combination_is_found_with_its_spread()
    {
        var sweep = _folder.Expand(Head + "parameters: {pretrain.learning_rate: [0.01, 0.1, 1]}\nseeds: [1, 2, 3]\n");
        var (result, record) = _folder.Execute(sweep);
        Assert.Equal(ExitCode.Ok, result.ExitCode);
        Assert.Equal([false, true, false], record.Groups.Select(group => group.Best));
        var best = record.Groups[1];
        double[] values = [.. record.TrialsOf(best).Select(trial => trial.Value!.Value)];
        Assert.Equal(3, best.Count);
        Assert.Equal(values.Average(), best.Mean!.Value, 12);
        double deviation = Math.Sqrt(values.Sum(value => Math.Pow(value - values.Average(), 2)) / 2);
        Assert.Equal(deviation, best.StandardDeviation!.Value, 12);
        Assert.Equal(deviation / Math.Sqrt(3), best.StandardError!.Value, 12);
        var read = SweepRecord.Load(RunFolder.Open(_folder.Run))!;
        Assert.Equal(best.Mean, read.Groups.Single(group => group.Best).Mean);

        RunReport.Write(RunFolder.Open(_folder.Run));
        string report = File.ReadAllText(Path.Combine(_folder.Run, RunReport.FileName));
        Assert.Contains("<td>best</td>", report);
        Assert.Contains("pretrain.learning_rate", report);
    }

    [Fact]
    public void A_trial_that_fails_or_diverges_is_the_worst_and_stops_no_other()
    {
        var sweep = _folder.Expand(Head + "parameters: {pretrain.learning_rate: [100, 0.1, -1]}\nvariants: {a: , b: {pretrain.optimizer: broken}}\n");
        var (result, record) = _folder.Execute(sweep);
        Assert.Equal([TrialState.Diverged, TrialState.Finished, TrialState.Diverged, TrialState.Failed, TrialState.Failed, TrialState.Failed],
            record.Trials.Select(trial => trial.State));
        Assert.Contains("it diverged", record.Trials[0].Error);
        Assert.Contains("it broke", record.Trials[3].Error);
        Assert.Equal("0.1", (string?)record.Groups.Single(group => group.Best).Parameters["pretrain.learning_rate"]);
        Assert.Equal(ExitCode.Partial, SweepOutcome.ExitCodeOf(record, result));
        // Divergence is a result.
        var other = record with { Trials = [.. record.Trials.Where(trial => trial.State != TrialState.Failed)] };
        Assert.Equal(ExitCode.Ok, SweepOutcome.ExitCodeOf(other, result));
    }

    [Fact]
    public void A_combination_that_lost_a_trial_ranks_behind_one_that_did_not()
    {
        GroupRecord Group(string variant, double? mean, int lost) => new(variant, [], 2, lost, Best: false, mean);
        var ranked = SweepRecord.Ranked([Group("a", 1, 1), Group("b", 3, 0), Group("c", null, 3), Group("d", 2, 0)], SweepGoal.Minimize);
        Assert.Equal(["d", "b", "a"], ranked.Select(group => group.Variant));
    }

    [Fact]
    public void Stopped_and_started_again_it_ends_with_the_same_bytes()
    {
        var sweep = _folder.Expand(Head + Variants + "parameters: {pretrain.learning_rate: [0.1, 1]}\nseeds: [1, 2]\n"
            + "claim: {statement: faster, better: fast, than: slow, by: steps_to_reach}\n");
        _folder.Execute(sweep);
        byte[] whole = Json;
        Directory.Delete(_folder.Run, recursive: true);

        int done = 0;
        using var stop = new CancellationTokenSource();
        FakeCount.After.Value = _ =>
        {
            if (++done == 250) stop.Cancel();
        };
        var (result, record) = _folder.Execute(sweep, stop.Token);
        Assert.Equal(ExitCode.Interrupted, SweepOutcome.ExitCodeOf(record, result));
        Assert.Contains(record.Trials, trial => trial.State == TrialState.Finished);
        Assert.Contains(record.Trials, trial => trial.State == TrialState.Pending);
        Assert.Equal(ClaimRecord.Undecided, record.Claims[0].Verdict);
        FakeCount.After.Value = null;
        (result, _) = _folder.Execute(sweep);
        Assert.Contains(result.Steps, step => step.State == StepState.Cached);
        Assert.Equal(whole, Json);
    }

    [Fact]
    public void Added_seeds_run_alone()
    {
        _folder.Execute(_folder.Expand(Head + Variants + "seeds: [1]\n"));
        var (result, record) = _folder.Execute(_folder.Expand(Head + Variants + "seeds: [1, 2]\n"));
        Assert.Equal(4, record.Trials.Count(trial => trial.State == TrialState.Finished));
        Assert.Equal(["pretrain-slow-s2", "evaluate-slow-s2", "pretrain-fast-s2", "evaluate-fast-s2"],
            result.Steps.Where(step => step.State == StepState.Finished).Select(step => step.Name));
    }

    [Fact]
    public void A_metric_may_lie_deep_and_a_missing_one_names_what_there_is()
    {
        const string Rest = "recipe: base.yaml\nseeds: [1]\n";
        var (_, record) = _folder.Execute(_folder.Expand("name: x\nmetric: pretrain.rows.0.value\n" + Rest));
        Assert.Equal(TrialState.Finished, record.Trials[0].State);
        (_, record) = _folder.Execute(_folder.Expand("name: x\nmetric: pretrain.final_los\n" + Rest));
        Assert.Equal((TrialState.Failed, true), (record.Trials[0].State, record.Trials[0].Error!.Contains("it has final_loss, ")));
    }

    [Theory]
    [InlineData("by: difference", "reproduced")]
    [InlineData("by: difference, threshold: 0.5", "not reproduced at this scale")]
    [InlineData("by: ratio", "reproduced")]
    [InlineData("by: ratio, threshold: 0.9", "not reproduced at this scale")]
    [InlineData("by: steps_to_reach, threshold: 0.55", "reproduced")]
    [InlineData("by: steps_to_reach, threshold: 0.4", "not reproduced at this scale")]
    public void Claims_get_a_verdict_with_figure_and_criterion(string by, string verdict)
    {
        var sweep = _folder.Expand(Head + Variants + $"seeds: [1, 2, 3]\nclaims:\n- {{statement: fast is faster, better: fast, than: slow, {by}}}\n");
        var claim = Assert.Single(_folder.Execute(sweep).Record.Claims);
        Assert.Equal(verdict, claim.Verdict);
        Assert.Equal(3, claim.Pairs);
        Assert.NotNull(claim.Measured);
        Assert.NotNull(claim.StandardError);
        Assert.Contains("2 standard errors", claim.Criterion);
    }

    [Theory]
    [InlineData("", 0, "reproduced")]
    // Five percent below the law is 1 / .95 - 1 off.
    [InlineData(", pretrain.optimizer: fast", 0.0526316, "not reproduced at this scale")]
    public void A_law_of_small_runs_is_held_against_a_larger_one(string change, double off, string verdict)
    {
        var sweep = _folder.Expand($$"""
            name: test
            recipe: base.yaml
            metric: pretrain.lawful_loss
            seeds: [1, 2]
            variants:
              small: {pretrain.size: 100000}
              longer: {pretrain.size: 100000, pretrain.steps: 300}
              middle: {pretrain.size: 300000, pretrain.steps: 150}
              larger: {pretrain.size: 900000, pretrain.steps: 250}
              unseen: {pretrain.size: 4000000, pretrain.steps: 900{{change}}}
            claim: {statement: the law holds, by: prediction, better: unseen}

            """);
        var claim = Assert.Single(_folder.Execute(sweep).Record.Claims);
        Assert.Equal((verdict, 2), (claim.Verdict, claim.Pairs));
        Assert.Equal(off, claim.Measured!.Value, 5);
        Assert.Contains("at most 0.02", claim.Criterion);
    }

    [Theory]
    [InlineData("a: , b: {pretrain.steps: 50}", "1 other trials; a law needs 4")]
    [InlineData("a: , b: {pretrain.steps: 50}, c: {pretrain.steps: 60}, d: {pretrain.steps: 70}, e: {pretrain.steps: 80}", "one size")]
    public void A_law_that_cannot_be_fitted_leaves_its_claim_undecided(string variants, string why)
    {
        var sweep = _folder.Expand(Head + $"variants: {{{variants}}}\nseeds: [1]\nclaim: {{statement: x, by: prediction, better: a}}\n");
        var claim = Assert.Single(_folder.Execute(sweep).Record.Claims);
        Assert.Equal(ClaimRecord.Undecided, claim.Verdict);
        Assert.Contains(why, claim.Detail);
    }

    [Fact]
    public void The_worse_variant_never_reaches_the_better_one()
    {
        var sweep = _folder.Expand(Head + Variants + "seeds: [1]\nclaim: {statement: x, better: slow, than: fast, by: steps_to_reach}\n");
        var claim = Assert.Single(_folder.Execute(sweep).Record.Claims);
        Assert.Equal(ClaimRecord.NotReproduced, claim.Verdict);
        Assert.Null(claim.Measured);
        Assert.Contains("1 never got there", claim.Detail);
        Assert.Contains("one seed", claim.Criterion);
    }

    [Fact]
    public void A_claim_for_a_variant_that_diverges_is_not_reproduced()
    {
        var sweep = _folder.Expand(Head + "variants: {slow: , wild: {pretrain.learning_rate: 100}}\nclaim: {statement: x, better: wild, than: slow}\n");
        Assert.Equal(ClaimRecord.NotReproduced, Assert.Single(_folder.Execute(sweep).Record.Claims).Verdict);
    }

    [Theory]
    [InlineData("pretrain.learning_rate: 100", ClaimRecord.Reproduced)]
    [InlineData("pretrain.optimizer: broken", ClaimRecord.Undecided)]
    public void Divergence_is_worse_than_any_result_and_a_failure_says_nothing(string change, string verdict)
    {
        var sweep = _folder.Expand(Head + $"variants: {{slow: , wild: {{{change}}}}}\nseeds: [1, 2]\nclaim: {{statement: x, better: slow, than: wild}}\n");
        Assert.Equal(verdict, Assert.Single(_folder.Execute(sweep).Record.Claims).Verdict);
    }

    [Fact]
    public void A_curve_that_a_repair_took_back_counts_once()
    {
        _folder.Execute(_folder.Expand(Head + "seeds: [1]\n", "pretrain.steps=4"));
        var run = RunFolder.Open(_folder.Run);
        string metrics = Path.Combine(_folder.Run, "pretrain-s1", "metrics.jsonl");
        string[] rows = File.ReadAllLines(metrics);
        File.AppendAllLines(metrics, [rows[2].Replace("\"loss\":", "\"loss\":7"), rows[3]]);
        var curve = LossCurve.Of(run, "pretrain-s1", "loss");
        Assert.Equal([0, 1, 2, 3], curve.Select(row => row.Step));
        Assert.True(curve[2].Loss > 70);
    }

    [Fact]
    public void Both_curves_are_smoothed_alike()
    {
        // B ends at 1 after 100 rows; A falls in a line from 2 to 0 over 100 rows: its mean over 5 rows passes 1 two rows later than itself.
        var b = Enumerable.Range(0, 100).Select(i => ((double)i, 1.0)).ToArray();
        var a = Enumerable.Range(0, 101).Select(i => ((double)i, 2 - i / 50.0)).ToArray();
        Assert.Equal(5, LossCurve.Window(100));
        Assert.Equal(0.53, LossCurve.ShareToReach(a, b), 9);
        Assert.Equal(double.PositiveInfinity, LossCurve.ShareToReach(a[..40], b));
        Assert.True(double.IsNaN(LossCurve.ShareToReach([], b)));
    }
}
