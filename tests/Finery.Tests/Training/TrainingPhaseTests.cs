using Finery.Data.Batches;
using Finery.Training;
using Finery.Training.Averaging;
using Finery.Training.Losses;
using Finery.Training.Optimizers;
using Finery.Training.Schedules;
using Xunit;

namespace Finery.Tests.Training;

public class TrainingPhaseTests
{
    private static PackedExamples Source(int length, int rows, ulong seed = 3) => new(TinyModel.Examples(24), length, rows, seed);

    private static TrainingPhase[] Phases(OptimizerStatePolicy policy = OptimizerStatePolicy.Keep, double? theta = 5e5) =>
    [
        new() { Steps = 5, Source = Source(16, 4) },
        new() { Steps = 4, Source = Source(16, 8), MicroBatches = 2, RateScale = Math.Sqrt(2) },
        new() { Steps = 6, Source = Source(32, 2), RopeTheta = theta, OptimizerState = policy, Schedule = new(new Constant { Peak = 1e-3 }, 9, 6) },
    ];

    private static TrainingLoop Loop(TinyModel tiny, IReadOnlyList<TrainingPhase> phases, TrainingLoopSettings? settings = null) => new(
        tiny.Kernels, tiny.Model, phases, new NextTokenLoss(), tiny.Optimizer, new WarmupStableDecay { Peak = 3e-3, WarmupSteps = 2, DecaySteps = 4 },
        settings ?? new());

    private static byte[] State(TinyModel tiny) => [.. tiny.Weights(), .. tiny.OptimizerState()];

    [Fact]
    public void Phases_change_batches_rate_and_rotation_where_they_begin()
    {
        using var tiny = new TinyModel();
        using var loop = Loop(tiny, Phases());
        var rates = new List<double>();
        var thetas = new List<double>();
        long tokens = 0;
        loop.OnStep = (in StepMetrics metrics, ReadOnlySpan<double> _) =>
        {
            rates.Add(metrics.LearningRate);
            thetas.Add(tiny.Model.Config.RopeTheta);
            tokens = metrics.TokensSeen;
        };
        Assert.Equal(15, loop.TotalSteps);
        loop.Run();
        Assert.Equal(3e-3, rates[4]);
        Assert.Equal(3e-3 * Math.Sqrt(2), rates[5], 15);
        Assert.All(rates[9..], rate => Assert.Equal(1e-3, rate));
        Assert.Equal((10000, 5e5), (thetas[8], thetas[9]));
        Assert.Equal(5 * 64 + 4 * 128 + 6 * 64, tokens);
    }

    [Theory]
    [InlineData(OptimizerStatePolicy.Keep)]
    [InlineData(OptimizerStatePolicy.Reset)]
    public void A_run_stopped_after_any_step_ends_with_the_same_bits(OptimizerStatePolicy policy)
    {
        var settings = new TrainingLoopSettings
        {
            Clip = new ZClip { Warmup = 3 }, Average = new() { Kind = AverageKind.Uniform, FromStep = 6, EverySteps = 2 },
            Monitoring = new() { EverySteps = 4 },
        };
        using var whole = new TinyModel();
        using var wholeLoop = Loop(whole, Phases(policy), settings);
        wholeLoop.Run();
        wholeLoop.Average!.CopyTo(whole.Model.Parameters);
        for (int stopAfter = 1; stopAfter <= 15; stopAfter++)
        {
            using var folder = new TemporaryFolder();
            using TinyModel before = new(), after = new(threads: 2);
            using var stop = new CancellationTokenSource();
            using (var loop = Loop(before, Phases(policy), settings with { CheckpointFolder = folder.Path, CheckpointEverySteps = 3 }))
            {
                loop.OnStep = (in StepMetrics metrics, ReadOnlySpan<double> _) =>
                {
                    if (metrics.Step + 1 == stopAfter) stop.Cancel();
                };
                loop.Run(stop.Token);
            }
            using var resumed = Loop(after, Phases(policy), settings with { CheckpointFolder = folder.Path, CheckpointEverySteps = 3 });
            Assert.True(resumed.Resume());
            Assert.Equal(stopAfter, resumed.Step);
            resumed.Run();
            resumed.Average!.CopyTo(after.Model.Parameters);
            Assert.Equal(State(whole), State(after));
            Assert.Equal(whole.Model.Config.ToJson(), after.Model.Config.ToJson());
            Assert.Equal(whole.Optimizer.Updates, after.Optimizer.Updates);
        }
    }

    [Fact]
    public void A_reset_state_is_that_of_a_fresh_optimizer()
    {
        using var tiny = new TinyModel();
        using var loop = Loop(tiny, Phases(OptimizerStatePolicy.Reset));
        loop.Run();
        Assert.Equal(6, tiny.Optimizer.Updates);
    }

    [Fact]
    public void Monitoring_changes_no_bit_and_may_be_switched_off_in_a_run()
    {
        using var folder = new TemporaryFolder();
        using TinyModel plain = new(), watched = new(), after = new();
        using var plainLoop = Loop(plain, Phases());
        plainLoop.Run();
        using var stop = new CancellationTokenSource();
        using (var loop = Loop(watched, Phases(), new() { Monitoring = new() { EverySteps = 2 }, CheckpointFolder = folder.Path }))
        {
            int measured = 0;
            loop.OnMonitor = (_, values) => measured += values.Length > 10 ? 1 : 0;
            loop.OnStep = (in StepMetrics metrics, ReadOnlySpan<double> _) =>
            {
                if (metrics.Step == 7) stop.Cancel();
            };
            loop.Run(stop.Token);
            Assert.Equal(4, measured);
        }
        using var resumed = Loop(after, Phases(), new() { CheckpointFolder = folder.Path });
        Assert.True(resumed.Resume());
        resumed.Run();
        Assert.Equal(State(plain), State(after));
    }

    [Fact]
    public void Other_phases_are_another_run()
    {
        using var folder = new TemporaryFolder();
        using var tiny = new TinyModel();
        using (var loop = Loop(tiny, Phases(), new() { CheckpointFolder = folder.Path })) loop.Run();
        using var other = Loop(tiny, Phases(theta: 1e6), new() { CheckpointFolder = folder.Path });
        Assert.Contains("phases", Assert.Throws<CheckpointMismatchException>(() => other.Resume()).Message, StringComparison.Ordinal);
    }
}
