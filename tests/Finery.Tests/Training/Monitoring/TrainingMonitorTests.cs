using Finery.Training.Monitoring;
using Xunit;

namespace Finery.Tests.Training.Monitoring;

public class TrainingMonitorTests
{
    private static Dictionary<string, double> Measure(MiniLoop loop, long from, long to, long wanted)
    {
        var seen = new Dictionary<string, double>();
        loop.Monitor!.OnValues = (step, values) =>
        {
            if (step != wanted) return;
            foreach (var (name, value) in values) seen.Add(name, value);
        };
        loop.Run(from, to);
        return seen;
    }

    [Fact]
    public void Watching_a_run_changes_no_bit_of_it()
    {
        using MiniLoop plain = new(new(), null, 60), watched = new(new(), new() { EverySteps = 3 }, 60);
        plain.Run(0, 60);
        watched.Run(0, 60);
        Assert.Equal(plain.Weights(), watched.Weights());
        Assert.Equal(plain.Losses, watched.Losses);
    }

    [Fact]
    public void Every_K_steps_all_series_are_there_and_finite()
    {
        using var loop = new MiniLoop(new(), new() { EverySteps = 5, ProbeRows = 2, SampleTokens = 16 }, 60);
        var values = Measure(loop, 0, 21, 20);
        foreach (string kind in new[] { "embedding", "qkv", "o", "gate_up", "down", "norms", "layer0", "layer1" })
        {
            foreach (string norm in new[] { "weight_norm", "gradient_norm", "update_norm", "update_ratio" })
                Assert.True(values[$"monitor/{kind}/{norm}"] > 0, $"{kind} {norm}");
        }
        Assert.Equal(0, values.Count(value => !double.IsFinite(value.Value)));
        Assert.InRange(values["monitor/norms/weight_mean"], 0.9, 1.1);
        Assert.InRange(values["monitor/qkv/weight_kurtosis"], 1, 12);
        Assert.InRange(values["monitor/layer1/effective_rank"], 1, 16);
        Assert.InRange(values["monitor/layer0/attention_entropy_mean"], 0, Math.Log(16));
        Assert.True(values["monitor/layer0/attention_entropy_min"] <= values["monitor/layer0/attention_entropy_mean"]);
        Assert.InRange(values["monitor/layer0/dead_units"], 0, 1);
        Assert.True(values["monitor/layer1/moved_since_start"] > values["monitor/layer1/moved"]);
        Assert.InRange(values["monitor/logz_mean"], 1, 10);
        Assert.Equal(values["monitor/max_logit"], Enumerable.Range(0, 2).SelectMany(layer =>
            Enumerable.Range(0, 2).Select(head => values[$"monitor/layer{layer}/head{head}/max_logit"])).Max(), 0.5);
        Assert.Equal(loop.Losses[20], values["monitor/loss/all"]);
    }

    [Fact]
    public void An_update_is_measured_as_the_change_of_the_weight()
    {
        using var loop = new MiniLoop(new(), new() { EverySteps = 1 }, 60);
        var before = loop.Model.Parameters[0].Weight.Floats.ToArray();
        var values = Measure(loop, 0, 1, 0);
        var after = loop.Model.Parameters[0].Weight.Floats.ToArray();
        double update = Math.Sqrt(before.Zip(after).Sum(pair => Math.Pow((double)pair.Second - pair.First, 2)));
        double weight = Math.Sqrt(after.Sum(x => (double)x * x));
        Assert.Equal(update, values["monitor/embedding/update_norm"], 1e-12);
        Assert.Equal(update / weight, values["monitor/embedding/update_ratio"], 1e-12);
    }

    [Fact]
    public void Between_measurements_only_what_is_cheap_is_told_and_nothing_is_allocated()
    {
        using var loop = new MiniLoop(new(), new() { EverySteps = 1000 }, 1000);
        int cheap = 0;
        loop.Monitor!.OnValues = (_, values) => cheap = values.Length;
        loop.Run(0, 12);
        Assert.Equal(3, cheap);
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (long step = 12; step < 40; step++)
        {
            loop.Monitor.Begin(step);
            loop.Monitor.AddLoss(0, 1, 1);
            for (int i = 0; i < loop.Model.Parameters.Count; i++)
            {
                loop.Monitor.BeforeUpdate(loop.Model.Parameters[i]);
                loop.Monitor.AfterUpdate(loop.Model.Parameters[i]);
            }
            loop.Monitor.End(step, 1, 1, 0.1);
            loop.Ladder.Decide(step, 2, 1, true);
        }
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    [Fact]
    public void A_monitor_with_restored_state_measures_as_the_one_it_is_of()
    {
        using var loop = new MiniLoop(new(), new() { EverySteps = 5, DeadWindow = 2 }, 60);
        loop.Run(0, 11);
        using var resumed = loop.Watch(new() { EverySteps = 5, DeadWindow = 2 });
        foreach (var (mine, theirs) in resumed.State.Zip(loop.Monitor!.State)) theirs.Tensor.Bytes.CopyTo(mine.Tensor.Bytes);
        loop.Run(11, 15);
        var rows = new List<Dictionary<string, double>>();
        foreach (var monitor in new[] { loop.Monitor, resumed })
        {
            monitor.OnValues = (_, values) => rows.Add(values.ToArray().ToDictionary(value => value.Name, value => value.Value));
            monitor.Begin(15);
            monitor.End(15, 1, 1, 0.1);
        }
        string[] probed = [.. rows[0].Keys.Where(name => name.Contains("/layer0/") && !name.Contains("norm") && !name.Contains("ratio") && !name.Contains("max_logit"))];
        Assert.Contains("monitor/layer0/moved_since_start", probed);
        Assert.All(probed, name => Assert.Equal(rows[0][name], rows[1][name]));
        Assert.True(rows[1]["monitor/layer0/moved"] > 0);
    }

    [Fact]
    public void A_collapsed_model_is_reported_once_with_place_value_and_advice()
    {
        using var loop = new MiniLoop(new() { Mode = RepairMode.Endure }, new() { EverySteps = 1, Alerts = new() { MaxLogitAbove = 3, UpdateRatioBelow = 0 } }, 60) { Rate = 0 };
        foreach (var parameter in loop.Model.Parameters.Where(parameter => parameter.Name.Contains("qkv")))
            foreach (ref float weight in parameter.Weight.Floats) weight *= 100;
        foreach (var parameter in loop.Model.Parameters.Where(parameter => parameter.Name.Contains("gate_up")))
            parameter.Weight.Floats.Clear();
        var alerts = new List<TrainingAlert>();
        loop.Monitor!.OnAlert = alerts.Add;
        loop.Run(0, 10);
        Assert.Equal(2, alerts.Count(alert => alert.What == "share of dead units"));
        var logit = alerts.First(alert => alert.What == "largest attention logit");
        Assert.StartsWith("Step 1: largest attention logit of layer 0, head 0 is ", logit.ToString());
        Assert.Contains("above 3: ", logit.ToString());
    }

    [Fact]
    public void An_alarm_that_trembles_on_its_limit_is_told_once_and_again_after_it_was_well_inside()
    {
        var alarm = new Alarm("x", "y", 10, above: true, "do", confirm: 2);
        bool[] told = [.. new[] { 11.0, 9.5, 11, 11, 9.5, 11, 11, 8, 11, 11, double.NaN }.Select((value, step) => alarm.Check(step, value) is not null)];
        Assert.Equal([false, false, false, true, false, false, false, false, false, true, false], told);
        Assert.Null(new Alarm("x", "y", 10, above: false, "do", confirm: 1).Check(0, double.NaN));
    }

    [Fact]
    public void Values_that_are_not_finite_are_counted_and_reported_at_once()
    {
        using var loop = new MiniLoop(new(), new() { EverySteps = 1 }, 60);
        var alerts = new List<TrainingAlert>();
        loop.Monitor!.OnAlert = alerts.Add;
        loop.Run(0, 3);
        Assert.DoesNotContain(alerts, alert => alert.What.Contains("not finite"));
        loop.Model.Parameters[0].Weight.Floats.Fill(float.NaN);
        loop.Monitor.Begin(3);
        loop.Monitor.End(3, 1, 1, 0.1);
        var alert = Assert.Single(alerts, alert => alert.What.Contains("not finite"));
        Assert.StartsWith("Step 3: number of values that are not finite of weights, gradients and activations is ", alert.ToString());
    }
}
