using Finery.Tensors;
using Finery.Training;
using Finery.Training.Optimizers;
using Xunit;

namespace Finery.Tests.Training;

public class BFloat16TrainingTests
{
    public static TheoryData<MasterWeights> Masters => [MasterWeights.Split, MasterWeights.F32, MasterWeights.None];

    [Theory, MemberData(nameof(Masters))]
    public void Losses_follow_those_of_fp32(MasterWeights masters)
    {
        using TinyModel wide = new(), narrow = new(1, DType.BF16, masters);
        double[] expected = Losses(wide, 80), actual = Losses(narrow, 80);
        Assert.Equal(expected[0], actual[0], expected[0] * 1e-3);
        // It has learned something, and the ends agree.
        Assert.True(expected[^20..].Average() < expected[0] - 0.4, $"fp32 ends at {expected[^20..].Average()}");
        Assert.Equal(expected[^20..].Average(), actual[^20..].Average(), expected[0] * 1e-2);
    }

    [Theory, MemberData(nameof(Masters))]
    public void One_thread_and_two_give_the_same_bits(MasterWeights masters)
    {
        using TinyModel one = new(1, DType.BF16, masters), two = new(2, DType.BF16, masters);
        Assert.Equal(Losses(one, 8), Losses(two, 8));
        Assert.Equal(one.Weights(), two.Weights());
        Assert.Equal(one.OptimizerState(), two.OptimizerState());
    }

    [Theory, MemberData(nameof(Masters))]
    public void An_interrupted_run_ends_bitwise_where_an_uninterrupted_one_does(MasterWeights masters)
    {
        using var folder = new TemporaryFolder();
        using TinyModel whole = new(1, DType.BF16, masters), before = new(1, DType.BF16, masters), after = new(1, DType.BF16, masters);
        using var wholeLoop = whole.Loop(new() { Steps = 9 });
        wholeLoop.Run();

        using var stop = new CancellationTokenSource();
        using var beforeLoop = before.Loop(new() { Steps = 9, CheckpointFolder = folder.Path });
        beforeLoop.OnStep = (in StepMetrics metrics, ReadOnlySpan<double> _) =>
        {
            if (metrics.Step == 4) stop.Cancel();
        };
        beforeLoop.Run(stop.Token);
        using var afterLoop = after.Loop(new() { Steps = 9, CheckpointFolder = folder.Path });
        Assert.True(afterLoop.Resume());
        afterLoop.Run();
        Assert.Equal(whole.Weights(), after.Weights());
        Assert.Equal(whole.OptimizerState(), after.OptimizerState());
    }

    [Fact]
    public void A_checkpoint_of_another_precision_is_refused()
    {
        using var folder = new TemporaryFolder();
        using TinyModel wide = new(), narrow = new(1, DType.BF16), none = new(1, DType.BF16, MasterWeights.None);
        using var wideLoop = wide.Loop(new() { Steps = 3, CheckpointFolder = folder.Path });
        wideLoop.Run();
        using var narrowLoop = narrow.Loop(new() { Steps = 3, CheckpointFolder = folder.Path });
        Assert.Throws<CheckpointMismatchException>(() => narrowLoop.Resume());
        using var noneLoop = none.Loop(new() { Steps = 3, CheckpointFolder = folder.Path });
        Assert.Throws<CheckpointMismatchException>(() => noneLoop.Resume());
    }

    private static double[] Losses(TinyModel tiny, int steps)
    {
        using var loop = tiny.Loop(new() { Steps = steps });
        var losses = new List<double>();
        loop.OnStep = (in StepMetrics metrics, ReadOnlySpan<double> _) => losses.Add(metrics.Loss);
        loop.Run();
        return [.. losses];
    }
}
