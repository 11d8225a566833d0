using Finery.Data.Batches;
using Finery.Training;
using Finery.Training.Losses;
using Finery.Training.Monitoring;
using Finery.Training.Schedules;
using Xunit;

namespace Finery.Tests.Training;

/// <summary>Faults put into runs of the real loop: what is repaired, what stops, and that neither depends on interruptions.</summary>
public class TrainingRepairTests
{
    private const int Steps = 400;

    private static readonly FaultInjection LargeGradient = new() { Step = 300, GradientScale = 50 };

    private static readonly FaultInjection NotANumber = new() { Step = 200, NotANumber = true };

    private static readonly FaultInjection HighRate = new() { Step = 250, Steps = 10, RateScale = 100 };

    private static TrainingLoop Loop(TinyModel tiny, string? folder, RepairSettings repair, params FaultInjection[] faults) => new(
        tiny.Kernels, tiny.Model, new PackedExamples(TinyModel.Examples(24), 16, 12, seed: 3), new NextTokenLoss(), tiny.Optimizer,
        new WarmupStableDecay { Peak = 3e-3, WarmupSteps = 20, DecaySteps = 100 },
        new() { Steps = Steps, CheckpointFolder = folder, CheckpointEverySteps = folder is null ? 0 : 20, Repair = repair, Faults = faults });

    /// <summary>Mean loss of the last tenth.</summary>
    private static double Final(TrainingLoop loop)
    {
        double sum = 0;
        loop.OnStep = (in StepMetrics metrics, ReadOnlySpan<double> _) => sum += metrics.Step >= Steps * 9 / 10 ? metrics.Loss : 0;
        loop.Run();
        return sum / (Steps / 10);
    }

    public static TheoryData<string> Faults => ["gradient", "nan", "rate"];

    private static FaultInjection Fault(string name) => name switch { "gradient" => LargeGradient, "nan" => NotANumber, _ => HighRate };

    [Theory]
    [MemberData(nameof(Faults))]
    public void A_repaired_run_learns_as_well_as_a_clean_one(string name)
    {
        using TemporaryFolder cleanFolder = new(), folder = new();
        using TinyModel clean = new(), spoilt = new();
        using var cleanLoop = Loop(clean, cleanFolder.Path, new());
        using var spoiltLoop = Loop(spoilt, folder.Path, new(), Fault(name));
        var events = new List<RepairEvent>();
        spoiltLoop.OnRepair = events.Add;
        double expected = Final(cleanLoop), reached = Final(spoiltLoop);
        Assert.NotEmpty(events);
        Assert.True(reached < expected + 0.15, $"{reached}, clean {expected}: {string.Join("\n", events)}");
    }

    [Fact]
    public void The_large_gradient_is_skipped_and_leaves_no_trace()
    {
        using var folder = new TemporaryFolder();
        using var tiny = new TinyModel();
        using var loop = Loop(tiny, folder.Path, new(), LargeGradient);
        var weights = new List<byte[]>();
        var skipped = new List<long>();
        loop.OnStep = (in StepMetrics metrics, ReadOnlySpan<double> _) =>
        {
            if (metrics.Step is 299 or 300) weights.Add([.. tiny.Weights(), .. tiny.OptimizerState()]);
            if (metrics.Skipped) skipped.Add(metrics.Step);
        };
        loop.Run();
        Assert.Contains(300, skipped);
        Assert.Equal(weights[0], weights[1]);
        Assert.Equal(Steps - skipped.Count, tiny.Optimizer.Updates);
    }

    [Theory]
    [MemberData(nameof(Faults))]
    public void Without_repair_the_run_stops_with_a_diagnosis(string name)
    {
        using var folder = new TemporaryFolder();
        using var tiny = new TinyModel();
        using var loop = Loop(tiny, folder.Path, new() { Mode = RepairMode.Stop, Spikes = new() { Sigmas = 15 } }, Fault(name));
        var error = Assert.Throws<DivergedException>(() => loop.Run());
        Assert.Contains("repair is off", error.Message, StringComparison.Ordinal);
        string bundle = File.ReadAllText(error.Bundle!);
        Assert.Contains("\"points\"", bundle, StringComparison.Ordinal);
        Assert.Contains("model.norm.weight", bundle, StringComparison.Ordinal);
        Assert.InRange(loop.Step, Fault(name).Step, Fault(name).Step + 30);
    }

    [Fact]
    public void A_rolled_back_run_that_is_killed_again_and_again_ends_with_the_same_bits()
    {
        var repair = new RepairSettings { Reduce = new() { Enabled = false } };
        using TemporaryFolder wholeFolder = new(), folder = new();
        using var whole = new TinyModel();
        using var wholeLoop = Loop(whole, wholeFolder.Path, repair, HighRate);
        wholeLoop.Run();
        Assert.True(wholeLoop.Attempt > 0, "the fault was to cause a rollback");

        var random = new Random(5);
        int attempts = 0;
        while (true)
        {
            using var tiny = new TinyModel();
            using var loop = Loop(tiny, folder.Path, repair, HighRate);
            loop.Resume();
            int killAfter = ++attempts > 12 ? int.MaxValue : random.Next(5, 70);
            int done = 0;
            loop.OnStep = (in StepMetrics _, ReadOnlySpan<double> _) =>
            {
                if (++done == killAfter) throw new InvalidOperationException("killed");
            };
            try
            {
                loop.Run();
            }
            catch (InvalidOperationException killed) when (killed.Message == "killed")
            {
                continue;
            }
            Assert.Equal(whole.Weights(), tiny.Weights());
            Assert.Equal(whole.OptimizerState(), tiny.OptimizerState());
            Assert.Equal(wholeLoop.Attempt, loop.Attempt);
            return;
        }
    }

    [Fact]
    public void A_run_without_a_checkpoint_to_go_back_to_stops()
    {
        using var tiny = new TinyModel();
        using var loop = Loop(tiny, null, new() { NonFinite = new() { Enabled = false } }, NotANumber);
        Assert.Contains("no healthy checkpoint", Assert.Throws<DivergedException>(() => loop.Run()).Message, StringComparison.Ordinal);
    }
}
