using Finery.Training.Monitoring;
using Xunit;

namespace Finery.Tests.Training.Monitoring;

/// <summary>Faults injected into a real, tiny training run (pretraining reference 11, case 25).</summary>
public class RepairedTrainingTests
{
    private const long Steps = 400;

    private static double Final(MiniLoop loop) => loop.Losses.TakeLast(20).Average();

    [Fact]
    public void A_gradient_of_fifty_times_its_size_is_skipped_without_a_trace_in_the_optimizer()
    {
        using var loop = new MiniLoop(new(), null, Steps) { GradientFault = step => step == 300 ? 50 : 1 };
        loop.Run(0, 300);
        var weights = loop.Weights();
        long updates = loop.Optimizer.Updates;
        loop.Run(300, 301);
        Assert.Equal(weights, loop.Weights());
        Assert.Equal(updates, loop.Optimizer.Updates);
        Assert.Equal((300, RepairRung.Spike), (loop.Events[^1].Step, loop.Events[^1].Rung));
        loop.Run(301, Steps);
        Assert.True(loop.Ladder.IsHealthy);
    }

    [Fact]
    public void Gradients_that_are_not_finite_are_skipped_and_the_run_ends_as_well_as_without_them()
    {
        using MiniLoop plain = new(new(), null, Steps), spoilt = new(new(), null, Steps) { GradientFault = step => step is 200 or 201 ? float.NaN : 1 };
        plain.Run(0, Steps);
        spoilt.Run(0, Steps);
        Assert.Equal([200L, 201L], spoilt.Events.Where(happened => happened.Rung == RepairRung.NonFinite).Select(happened => happened.Step));
        Assert.InRange(Final(spoilt), 0, Final(plain) * 1.2 + 0.05);
    }

    [Fact]
    public void Ten_steps_at_a_hundredfold_learning_rate_are_repaired()
    {
        bool spent = false;
        using var loop = new MiniLoop(new(), null, Steps);
        // The fault is in the run, not in the data: it does not come again after a rollback.
        loop.RateFault = step =>
        {
            spent |= step >= 310;
            return !spent && step >= 300 ? 100 : 1;
        };
        using var plain = new MiniLoop(new(), null, Steps);
        plain.Run(0, Steps);
        Assert.Equal(RepairAction.Continue, loop.Run(0, Steps).Action);
        Assert.NotEmpty(loop.Events);
        Assert.True(loop.Ladder.IsHealthy, string.Join("\n", loop.Events));
        Assert.InRange(Final(loop), 0, Final(plain) * 1.5 + 0.1);
    }

    [Fact]
    public void Without_repair_a_hundredfold_learning_rate_stops_the_run()
    {
        // So small a run has spikes of its own.
        using var loop = new MiniLoop(new() { Mode = RepairMode.Stop, Spikes = new() { Enabled = false } }, null, Steps) { RateFault = step => step >= 300 ? 100 : 1 };
        var decision = loop.Run(0, Steps);
        Assert.Equal(RepairAction.Stop, decision.Action);
        Assert.InRange(decision.Onset, 300, 330);
        Assert.Contains("repair is off", decision.Diagnosis);
    }

    [Fact]
    public void A_healthy_run_is_not_touched_by_the_ladder()
    {
        using var loop = new MiniLoop(new(), null, Steps);
        loop.Run(0, Steps);
        Assert.DoesNotContain(loop.Events, happened => happened.Rung is RepairRung.Reduce or RepairRung.Rollback or RepairRung.Stop or RepairRung.NonFinite);
        Assert.True(loop.Events.Count <= 8, string.Join("\n", loop.Events));
    }
}
