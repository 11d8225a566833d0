using System.Globalization;
using Finery.Data.Batches;
using Finery.Tensors;
using Finery.Training;
using Finery.Training.Losses;
using Finery.Training.Optimizers;
using Xunit;

namespace Finery.Tests.Training;

public class TrainingLoopTests
{
    /// <summary>Next-token loss that is spoilt at chosen steps.</summary>
    private sealed class SpoiltLoss(Func<long, bool> spoilLoss, Func<long, bool> spoilGradient) : TrainingLoss
    {
        private readonly NextTokenLoss _inner = new();

        public TrainingLoop? Loop { get; set; }

        public override string Description => "spoilt";

        public override bool WeightsKnown => true;

        public override void Prepare(PackedBatch batch, int first, Span<float> weights)
        {
            _inner.Prepare(batch, first, weights);
            if (spoilGradient(Loop!.Step)) weights[batch.Targets.AsSpan().IndexOfAnyExcept(-1)] = float.NaN;
        }

        public override double Evaluate(PackedBatch batch, int first, ReadOnlySpan<float> losses, Span<float> weights) =>
            spoilLoss(Loop!.Step) ? double.PositiveInfinity : _inner.Evaluate(batch, first, losses, batch.Weights.AsSpan(first, losses.Length));
    }

    private static double[] Losses(TrainingLoop loop)
    {
        var losses = new List<double>();
        loop.OnStep = (in StepMetrics metrics, ReadOnlySpan<double> _) => losses.Add(metrics.Loss);
        loop.Run();
        return [.. losses];
    }

    [Fact]
    public void A_tiny_model_learns_a_few_sequences_by_heart()
    {
        using var tiny = new TinyModel();
        using var loop = tiny.Loop(new() { Steps = 150 }, new PackedExamples(TinyModel.Examples(3), 16, 3, seed: 1), peak: 1e-2);
        var losses = Losses(loop);
        Assert.Equal(Math.Log(29), losses[0], 0.3);
        Assert.True(losses[^1] < 0.1, $"final loss {losses[^1]}");
    }

    [Fact]
    public void Masked_prompts_and_unequal_micro_batches_are_averaged_over_targets()
    {
        var loss = new NextTokenLoss();
        var batch = new PackedBatch(1, 4);
        new[] { 0f, 0f, 0.5f, 0.5f }.CopyTo(batch.Weights, 0);
        var weights = new float[4];
        loss.Prepare(batch, 0, weights);
        Assert.Equal(0.375, loss.Evaluate(batch, 0, [2f, 1f, 0.5f, 0.25f], weights));
        Assert.Equal(0.375, loss.Evaluate(batch, 0, [9f, 9f, 0.5f, 0.25f], weights));

        batch.Weights.AsSpan().Fill(0.25f);
        loss.Prepare(batch, 0, weights);
        Assert.Equal(1.75, loss.Evaluate(batch, 0, [4f], weights.AsSpan(0, 1)) + loss.Evaluate(batch, 1, [1f, 1f, 1f], weights.AsSpan(1)));
    }

    [Fact]
    public void Four_micro_batches_of_one_row_are_one_of_four()
    {
        using TinyModel whole = new(), cut = new();
        using var wholeLoop = whole.Loop(new() { Steps = 8 });
        using var cutLoop = cut.Loop(new() { Steps = 8, MicroBatches = 4 });
        double[] one = Losses(wholeLoop), four = Losses(cutLoop);
        for (int i = 0; i < one.Length; i++) Assert.Equal(one[i], four[i], 2e-5);
        Assert.True(cutLoop.ActivationBytes < wholeLoop.ActivationBytes / 3);
    }

    [Fact]
    public void One_thread_and_two_give_the_same_bits()
    {
        using TinyModel one = new(threads: 1), two = new(threads: 2);
        using var first = one.Loop(new() { Steps = 10 });
        using var second = two.Loop(new() { Steps = 10 });
        Assert.Equal(Losses(first), Losses(second));
        Assert.Equal(one.Weights(), two.Weights());
    }

    [Theory]
    [InlineData(1)]
    [InlineData(4)]
    [InlineData(7)]
    public void An_interrupted_run_ends_bitwise_where_an_uninterrupted_one_does(int stopAfter)
    {
        using var folder = new TemporaryFolder();
        using TinyModel whole = new(), before = new(), after = new();
        using var wholeLoop = whole.Loop(new() { Steps = 10 });
        var wholeLosses = Losses(wholeLoop);

        using var stop = new CancellationTokenSource();
        using var beforeLoop = before.Loop(new() { Steps = 10, CheckpointFolder = folder.Path, CheckpointEverySteps = 3 });
        beforeLoop.OnStep = (in StepMetrics metrics, ReadOnlySpan<double> _) =>
        {
            if (metrics.Step + 1 == stopAfter) stop.Cancel();
        };
        var interrupted = beforeLoop.Run(stop.Token);
        Assert.Equal((TrainingOutcome.Interrupted, (long)stopAfter), (interrupted.Outcome, interrupted.Steps));

        using var afterLoop = after.Loop(new() { Steps = 10, CheckpointFolder = folder.Path });
        Assert.True(afterLoop.Resume());
        double smoothed = 0;
        var losses = new List<double>();
        afterLoop.OnStep = (in StepMetrics metrics, ReadOnlySpan<double> _) =>
        {
            losses.Add(metrics.Loss);
            smoothed = metrics.SmoothedLoss;
        };
        var finished = afterLoop.Run();
        Assert.Equal(wholeLosses[stopAfter..], losses);
        Assert.Equal(whole.Weights(), after.Weights());
        Assert.Equal(whole.OptimizerState(), after.OptimizerState());
        Assert.Equal((TrainingOutcome.Completed, 640L, (long)stopAfter), (finished.Outcome, finished.TokensSeen, finished.ResumedFrom));
        Assert.Equal(smoothed, finished.SmoothedLoss);
    }

    [Fact]
    public void A_killed_run_with_a_damaged_newest_checkpoint_still_ends_the_same()
    {
        using var folder = new TemporaryFolder();
        using TinyModel whole = new(), killed = new(), after = new();
        using var wholeLoop = whole.Loop(new() { Steps = 10 });
        wholeLoop.Run();

        using var killedLoop = killed.Loop(new() { Steps = 10, CheckpointFolder = folder.Path, CheckpointEverySteps = 2 });
        killedLoop.OnStep = (in StepMetrics metrics, ReadOnlySpan<double> _) =>
        {
            if (metrics.Step == 7) throw new InvalidOperationException("killed");
        };
        Assert.Throws<InvalidOperationException>(() => killedLoop.Run());
        string newest = new CheckpointFolder(folder.Path).Files[0];
        File.WriteAllBytes(newest, File.ReadAllBytes(newest)[..^1000]);

        using var afterLoop = after.Loop(new() { Steps = 10, CheckpointFolder = folder.Path });
        var warnings = new List<string>();
        afterLoop.OnWarning = warnings.Add;
        Assert.True(afterLoop.Resume());
        Assert.Equal(4, afterLoop.Step);
        Assert.Single(warnings);
        afterLoop.Run();
        Assert.Equal(whole.Weights(), after.Weights());
    }

    [Fact]
    public void A_checkpoint_of_another_schedule_or_data_is_refused()
    {
        using var folder = new TemporaryFolder();
        using var tiny = new TinyModel();
        using var loop = tiny.Loop(new() { Steps = 4, CheckpointFolder = folder.Path });
        loop.Run();
        using var longer = tiny.Loop(new() { Steps = 5, CheckpointFolder = folder.Path });
        Assert.Contains("steps", Assert.Throws<CheckpointMismatchException>(() => longer.Resume()).Message, StringComparison.Ordinal);
        using var other = tiny.Loop(
            new() { Steps = 4, CheckpointFolder = folder.Path }, new PackedExamples(TinyModel.Examples(24), 16, 4, seed: 4));
        Assert.Contains("data", Assert.Throws<CheckpointMismatchException>(() => other.Resume()).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_step_that_is_not_finite_is_skipped_whole(bool inLoss)
    {
        using var tiny = new TinyModel();
        var loss = new SpoiltLoss(step => inLoss && step == 2, step => !inLoss && step == 2);
        using var loop = tiny.Loop(new() { Steps = 6 }, loss: loss);
        loss.Loop = loop;
        var weights = new List<byte[]>();
        var skipped = new List<bool>();
        var warnings = new List<string>();
        loop.OnWarning = warnings.Add;
        loop.OnStep = (in StepMetrics metrics, ReadOnlySpan<double> _) =>
        {
            weights.Add([.. tiny.Weights(), .. tiny.OptimizerState()]);
            skipped.Add(metrics.Skipped);
        };
        var result = loop.Run();
        Assert.Equal([false, false, true, false, false, false], skipped);
        Assert.Equal(weights[1], weights[2]);
        Assert.NotEqual(weights[2], weights[3]);
        Assert.Equal(5, tiny.Optimizer.Updates);
        Assert.Equal(1, result.SkippedSteps);
        string warning = Assert.Single(warnings);
        Assert.Contains("Step 2 was not applied", warning, StringComparison.Ordinal);
        Assert.Contains(inLoss ? "every value of the model" : "LinearCrossEntropy (forward) wrote NaN", warning, StringComparison.Ordinal);
        Assert.True(double.IsFinite(result.SmoothedLoss));
    }

    [Theory]
    [InlineData("model.layers.0.mlp.down_proj.weight", float.NaN)]
    [InlineData("model.layers.1.input_layernorm.weight", float.PositiveInfinity)]
    [InlineData("model.norm.weight", float.NaN)]
    public void Divergence_names_the_weight_that_is_not_finite(string name, float value)
    {
        using var tiny = new TinyModel();
        var weight = tiny.Model.NamedWeights.Single(weight => weight.Name == name).Tensor;
        weight.Floats[^1] = value;
        using var loop = tiny.Loop(new() { Steps = 20, MicroBatches = 2, Recompute = Recompute.Full });
        string message = Assert.Throws<DivergedException>(() => loop.Run()).Message;
        string place = $"row {weight.Rows - 1}, column {weight.Columns - 1}";
        Assert.Contains($"its input {weight} is {value.ToString(CultureInfo.InvariantCulture)} at {place}", message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(Recompute.Selective, 1)]
    [InlineData(Recompute.Full, 1)]
    [InlineData(Recompute.Full, 4)]
    public void Recomputation_changes_no_bit_and_takes_less_memory(Recompute recompute, int microBatches)
    {
        using TinyModel kept = new(), again = new(threads: 2);
        using var keptLoop = kept.Loop(new() { Steps = 8, MicroBatches = microBatches });
        using var againLoop = again.Loop(new() { Steps = 8, MicroBatches = microBatches, Recompute = recompute });
        Assert.Equal(Losses(keptLoop), Losses(againLoop));
        Assert.Equal(kept.Weights(), again.Weights());
        Assert.True(againLoop.ActivationBytes < keptLoop.ActivationBytes, $"{againLoop.ActivationBytes} bytes, {keptLoop.ActivationBytes}");
    }

    [Fact]
    public void Three_skips_in_a_row_are_divergence()
    {
        using var tiny = new TinyModel();
        var loss = new SpoiltLoss(step => step is 1 or 2 or >= 5, _ => false);
        using var loop = tiny.Loop(new() { Steps = 20 }, loss: loss);
        loss.Loop = loop;
        var error = Assert.Throws<DivergedException>(() => loop.Run());
        Assert.Equal(8, loop.Step);
        Assert.Contains("diverged", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Hooks_come_in_the_documented_order()
    {
        using var folder = new TemporaryFolder();
        using var tiny = new TinyModel();
        using var loop = tiny.Loop(new() { Steps = 6, EvaluateEverySteps = 2, CheckpointEverySteps = 2, CheckpointFolder = folder.Path });
        var calls = new List<string>();
        loop.OnStep = (in StepMetrics metrics, ReadOnlySpan<double> _) => calls.Add($"step {metrics.Step}");
        loop.OnEvaluation = steps => calls.Add($"evaluation {steps}");
        loop.OnCheckpoint = (steps, path) => calls.Add($"checkpoint {steps} {File.Exists(path)}");
        loop.ShouldStop = () => calls.Count >= 7;
        var result = loop.Run();
        Assert.Equal(
            ["checkpoint 0 True", "step 0", "step 1", "evaluation 2", "checkpoint 2 True", "step 2", "step 3", "evaluation 4", "checkpoint 4 True"], calls);
        Assert.Equal((TrainingOutcome.Stopped, 4L), (result.Outcome, result.Steps));
    }

    [Fact]
    public void Faults_of_settings_are_reported_together()
    {
        using var tiny = new TinyModel();
        var error = Assert.Throws<ArgumentException>(() => tiny.Loop(new() { Steps = 8, MicroBatches = 3, Clip = new GlobalNormClip { Norm = 0 } }));
        Assert.Contains("micro-batches", error.Message, StringComparison.Ordinal);
        Assert.Contains("Clipping", error.Message, StringComparison.Ordinal);
    }
}
