using Finery.Tensors;
using Finery.Training.Monitoring;
using Xunit;

namespace Finery.Tests.Training.Monitoring;

public class RepairLadderTests
{
    private const long Steps = 400, Warmup = 20;

    private static RepairLadder Ladder(RepairSettings? settings = null, List<RepairEvent>? events = null) =>
        new(settings ?? new(), Steps, Warmup) { OnEvent = events is null ? null : events.Add };

    /// <summary>A loss that falls from 6 to 3 and a norm around 1, both with noise.</summary>
    private static (double Loss, double Norm) Normal(long step)
    {
        double loss = 3 + 3 * Math.Exp(-step / 80.0) + 0.03 * CounterRandom.Normal(7, (ulong)step);
        return (loss, Math.Abs(1 + 0.1 * CounterRandom.Normal(8, (ulong)step)));
    }

    private static RepairAction[] Run(RepairLadder ladder, long from, long to, Func<long, (double Loss, double Norm)> values)
    {
        var actions = new List<RepairAction>();
        for (long step = from; step < to; step++)
        {
            var (loss, norm) = values(step);
            actions.Add(ladder.Decide(step, loss, norm, double.IsFinite(loss + norm)).Action);
        }
        return [.. actions];
    }

    [Fact]
    public void A_healthy_run_is_left_alone()
    {
        var events = new List<RepairEvent>();
        var ladder = Ladder(events: events);
        Assert.All(Run(ladder, 0, Steps, Normal), action => Assert.Equal(RepairAction.Continue, action));
        Assert.Empty(events);
        Assert.True(ladder.IsHealthy);
        Assert.Equal(0, ladder.SpikeScore);
        Assert.Equal(1, ladder.RateScale(200));
        Assert.Equal(123, ladder.BatchOf(123));
    }

    [Fact]
    public void A_gradient_fifty_times_too_large_at_step_300_is_skipped_and_logged()
    {
        var events = new List<RepairEvent>();
        var ladder = Ladder(events: events);
        var actions = Run(ladder, 0, Steps, step => step == 300 ? (Normal(step).Loss, 50 * Normal(step).Norm) : Normal(step));
        Assert.Equal(RepairAction.SkipUpdate, actions[300]);
        Assert.Equal(1, actions.Count(action => action != RepairAction.Continue));
        Assert.Equal([(300L, RepairRung.Spike), (301L, RepairRung.Recovered)], events.Select(happened => (happened.Step, happened.Rung)));
        Assert.Contains("gradient norm", events[0].Reason);
        Assert.Equal(new RepairChange("steps skipped", 0, 1), events[0].Changes[0]);
        Assert.Equal(1 / 400.0, ladder.SpikeScore);
        Assert.True(ladder.IsHealthy);
    }

    [Fact]
    public void An_outlier_stays_out_of_the_window_so_that_the_next_is_seen_too()
    {
        var ladder = Ladder(new() { Spikes = new() { LossInARow = 100 } });
        var actions = Run(ladder, 0, Steps, step => step is >= 300 and < 305 ? (9, 1) : Normal(step));
        Assert.All(actions[300..305], action => Assert.Equal(RepairAction.SkipUpdate, action));
        Assert.Equal(RepairAction.Continue, actions[305]);
    }

    [Fact]
    public void There_are_no_spikes_before_warm_up_ends_or_the_window_is_half_full()
    {
        var ladder = new RepairLadder(new() { Spikes = new() { Window = 40 } }, Steps, warmupSteps: 50);
        var actions = Run(ladder, 0, 60, step => step is 10 or 49 or 50 ? (Normal(step).Loss, 60) : Normal(step));
        // The values of 10 and 49 are in the window by then, so 50 must be larger to stand out.
        Assert.All(actions, action => Assert.Equal(RepairAction.Continue, action));
        ladder = new RepairLadder(new() { Spikes = new() { Window = 40 } }, Steps, warmupSteps: 50);
        actions = Run(ladder, 0, 60, step => step is 50 ? (Normal(step).Loss, 60) : Normal(step));
        Assert.Equal(RepairAction.SkipUpdate, actions[50]);
        ladder = new RepairLadder(new() { Spikes = new() { Window = 40 } }, Steps, warmupSteps: 0);
        actions = Run(ladder, 0, 60, step => step is 20 ? (Normal(step).Loss, 60) : Normal(step));
        Assert.Equal(RepairAction.SkipUpdate, actions[20]);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void Steps_that_are_not_finite_are_skipped_while_they_are_few(int inARow)
    {
        var ladder = Ladder();
        var actions = Run(ladder, 0, Steps, step => step >= 200 && step < 200 + inARow ? (double.NaN, double.NaN) : Normal(step));
        for (int i = 0; i < inARow; i++) Assert.Equal(RepairAction.SkipUpdate, actions[200 + i]);
        Assert.Equal(RepairAction.Continue, actions[200 + inARow]);
        Assert.True(ladder.IsHealthy);
    }

    [Fact]
    public void Three_steps_in_a_row_that_are_not_finite_roll_back_past_their_data()
    {
        var ladder = Ladder();
        Run(ladder, 0, 200, Normal);
        for (long step = 200; step < 202; step++) Assert.Equal(RepairAction.SkipUpdate, ladder.Decide(step, double.NaN, 1, false).Action);
        Assert.False(ladder.IsHealthy);
        var decision = ladder.Decide(202, 3, double.PositiveInfinity, true);
        Assert.Equal(RepairAction.Rollback, decision.Action);
        Assert.Equal((200, 180, 199, 219), (decision.Onset, decision.RestoreBefore, decision.SkipFrom, decision.SkipTo));
        ladder.RolledBack(180);
        // The first keeps the rate; the batches passed over begin with that of the last update before.
        Assert.Equal((1, 1), (ladder.RateScale(180), ladder.RateScale(199)));
        Assert.Equal((180, 198, 219, 220), (ladder.BatchOf(180), ladder.BatchOf(198), ladder.BatchOf(199), ladder.BatchOf(200)));
        Assert.True(ladder.IsHealthy);
    }

    [Fact]
    public void A_loss_far_above_on_three_batches_in_a_row_rolls_back_at_once()
    {
        var ladder = Ladder();
        var actions = Run(ladder, 0, 303, step => step >= 300 ? (9, 1) : Normal(step));
        Assert.Equal([RepairAction.SkipUpdate, RepairAction.SkipUpdate, RepairAction.Rollback], actions[300..303]);
    }

    [Fact]
    public void A_gradient_that_grows_by_less_than_twice_is_no_spike()
    {
        // Norms of little noise: 1.9 is thirty deviations away.
        var actions = Run(Ladder(), 0, 310, step => (Normal(step).Loss, step >= 300 ? 1.9 : 1 + 0.03 * (step % 3 - 1)));
        Assert.All(actions, action => Assert.Equal(RepairAction.Continue, action));
    }

    [Fact]
    public void A_loss_that_climbs_after_a_hundredfold_rate_is_reduced_then_rolled_back_then_stopped()
    {
        var events = new List<RepairEvent>();
        var ladder = Ladder(events: events);
        Run(ladder, 0, 300, Normal);
        int rollbacks = 0;
        long step = 300;
        RepairDecision decision = default;
        for (int i = 0; i < 5000 && decision.Action != RepairAction.Stop; i++, step++)
        {
            // The damage grows for as long as nothing helps.
            var (loss, norm) = Normal(step);
            decision = ladder.Decide(step, step >= 300 ? loss + Math.Min(4, 0.5 * (step - 299)) : loss, norm, true);
            if (decision.Action != RepairAction.Rollback) continue;
            rollbacks++;
            Assert.InRange(decision.RestoreBefore, 0, 300);
            step = decision.RestoreBefore - 1;
            ladder.RolledBack(decision.RestoreBefore);
        }
        Assert.Equal(RepairAction.Stop, decision.Action);
        Assert.Equal(3, rollbacks);
        Assert.Contains("3 rollbacks", decision.Diagnosis);
        Assert.Contains(events, happened => happened.Rung == RepairRung.Reduce);
        var reduced = events.First(happened => happened.Rung == RepairRung.Reduce);
        Assert.InRange(reduced.Step, 300, 320);
        Assert.Equal([RepairRung.Rollback, RepairRung.Stop],
            events.Select(happened => happened.Rung).Where(rung => rung is RepairRung.Rollback or RepairRung.Stop).Distinct());
        Assert.NotEmpty(ladder.LastPoints);
        Assert.Equal(RepairAction.Stop, ladder.LastPoints[^1].Action);
    }

    [Fact]
    public void A_reduction_that_helps_closes_the_alarm()
    {
        var events = new List<RepairEvent>();
        var ladder = Ladder(new() { Spikes = new() { LossInARow = 100 } }, events);
        var actions = Run(ladder, 0, Steps, step => (Normal(step).Loss + (step is >= 300 and < 330 ? 2 : 0), Normal(step).Norm));
        Assert.Equal(1, actions.Count(action => action == RepairAction.SkipAndReduce));
        Assert.DoesNotContain(RepairAction.Rollback, actions);
        Assert.True(ladder.IsHealthy);
        Assert.Equal((0.5, 0.5), (ladder.RateScale(Steps), ladder.ClipScale));
        Assert.Equal(RepairRung.Recovered, events[^1].Rung);
    }

    [Fact]
    public void A_slow_rise_without_any_spike_is_noticed_by_the_smoothed_loss()
    {
        var settings = new RepairSettings { Spikes = new() { Enabled = false } };
        var ladder = Ladder(settings);
        var actions = Run(ladder, 0, Steps, step => (Normal(step).Loss + Math.Max(0, step - 200) * 0.02, 1));
        int at = Array.IndexOf(actions, RepairAction.SkipAndReduce);
        Assert.InRange(at, 230, 300);
    }

    [Fact]
    public void With_repair_off_the_first_sign_stops_the_run_with_a_diagnosis()
    {
        var ladder = Ladder(new() { Mode = RepairMode.Stop });
        Run(ladder, 0, 100, Normal);
        var decision = ladder.Decide(100, double.NaN, 1, false);
        Assert.Equal(RepairAction.Stop, decision.Action);
        Assert.Contains("repair is off", decision.Diagnosis);

        var events = new List<RepairEvent>();
        ladder = Ladder(new() { Mode = RepairMode.Stop }, events);
        var actions = Run(ladder, 0, 301, step => step == 300 ? (9, 9) : Normal(step));
        Assert.Equal(RepairAction.Stop, actions[^1]);
        Assert.DoesNotContain(actions[..^1], action => action != RepairAction.Continue);
        Assert.Equal(RepairRung.Stop, events[^1].Rung);
    }

    [Fact]
    public void A_run_that_endures_applies_every_finite_step()
    {
        var events = new List<RepairEvent>();
        var ladder = Ladder(new() { Mode = RepairMode.Endure }, events);
        Assert.DoesNotContain(Run(ladder, 0, 301, step => step == 300 ? (9, 9) : Normal(step)), action => action != RepairAction.Continue);
        Assert.Equal(RepairRung.Spike, events[0].Rung);
        Assert.DoesNotContain(Run(ladder, 301, 400, step => (Normal(step).Loss + 4, 1)), action => action != RepairAction.Continue);
        Assert.Equal(RepairAction.SkipUpdate, ladder.Decide(400, double.NaN, 1, false).Action);
        Assert.Equal(RepairAction.SkipUpdate, ladder.Decide(401, double.NaN, 1, false).Action);
        Assert.Equal(RepairAction.Stop, ladder.Decide(402, double.NaN, 1, false).Action);
    }

    [Fact]
    public void Rungs_that_are_off_are_passed_over()
    {
        var ladder = Ladder(new() { NonFinite = new() { Enabled = false } });
        Run(ladder, 0, 100, Normal);
        Assert.Equal(RepairAction.Rollback, ladder.Decide(100, double.NaN, 1, false).Action);
        ladder = Ladder(new() { NonFinite = new() { Enabled = false }, Rollback = new() { Enabled = false } });
        Run(ladder, 0, 100, Normal);
        Assert.Equal(RepairAction.Stop, ladder.Decide(100, double.NaN, 1, false).Action);
        ladder = Ladder(new() { Spikes = new() { Budget = 1 }, Reduce = new() { Enabled = false } });
        var actions = Run(ladder, 0, 302, step => step >= 300 ? (9, 1) : Normal(step));
        Assert.Equal([RepairAction.SkipUpdate, RepairAction.Rollback], actions[300..]);
        Assert.Equal(RepairAction.Stop, ladder.NoHealthyCheckpoint(301, 300).Action);
    }

    [Fact]
    public void A_run_saved_at_any_step_decides_as_the_uninterrupted_one()
    {
        (double, double) Values(long step) =>
            step is 120 or 290 ? (double.NaN, 1) : step is 150 or 151 or (>= 200 and < 212) ? (9, 4) : Normal(step);
        for (long cut = 110; cut < 260; cut += 7)
        {
            RepairLadder whole = Ladder(), first = Ladder(), second = Ladder();
            Run(whole, 0, cut, Values);
            Run(first, 0, cut, Values);
            second.Restore(first.Save());
            Assert.Equal(first.Save(), second.Save());
            Assert.Equal(Run(whole, cut, Steps, Values), Run(second, cut, Steps, Values));
            Assert.Equal(whole.Save(), second.Save());
            Assert.Equal(whole.SpikeScore, second.SpikeScore);
        }
    }

    [Fact]
    public void What_a_rollback_cost_survives_it_and_is_saved()
    {
        var ladder = Ladder();
        Run(ladder, 0, 200, Normal);
        for (long step = 200; step < 203; step++) ladder.Decide(step, double.NaN, 1, false);
        ladder.RolledBack(150);
        // The first keeps the rate.
        Assert.Equal((1, 1, 1), (ladder.Rollbacks, ladder.RateScale(150), ladder.RateScale(189)));
        var resumed = Ladder();
        resumed.Restore(ladder.Save());
        Assert.Equal((1, 220), (resumed.Rollbacks, resumed.BatchOf(200)));
        // Trouble again across the gap, on batches 198, 219 and 220: the ranges join, and the rate is halved after a new warm-up.
        Run(resumed, 150, 198, Normal);
        for (long step = 198; step < 201; step++) resumed.Decide(step, double.NaN, 1, false);
        resumed.RolledBack(150);
        Assert.Equal((196, 221, 222), (resumed.BatchOf(196), resumed.BatchOf(197), resumed.BatchOf(198)));
        var again = Ladder();
        again.Restore(resumed.Save());
        Assert.Equal((2, 0.5 / 20, 0.5, 1), (again.Rollbacks, again.RateScale(150), again.RateScale(189), again.RateScale(190)));
    }

    [Fact]
    public void Lengths_left_open_are_the_published_ones_in_long_runs_and_shorter_in_short_ones()
    {
        Assert.Equal(new(128, 50, 100, 100, 100, 500), RepairLengths.Of(new(), 1_000_000));
        Assert.Equal(new(50, 10, 20, 20, 20, 40), RepairLengths.Of(new(), 400));
        Assert.Equal(new(16, 5, 5, 5, 5, 10), RepairLengths.Of(new(), 10));
        Assert.Equal(7, RepairLengths.Of(new() { Rollback = new() { MarginSteps = 7 } }, 10).MarginSteps);
    }

    [Fact]
    public void A_change_of_data_is_no_spike_after_the_detector_was_armed_anew()
    {
        RepairLadder told = Ladder(), untold = Ladder();
        (double, double) Values(long step) => step < 300 ? Normal(step) : (Normal(step).Loss + 3, 1);
        Run(told, 0, 300, Values);
        Run(untold, 0, 300, Values);
        told.Rearm();
        Assert.All(Run(told, 300, Steps, Values), action => Assert.Equal(RepairAction.Continue, action));
        Assert.Contains(Run(untold, 300, Steps, Values), action => action != RepairAction.Continue);
    }
}
