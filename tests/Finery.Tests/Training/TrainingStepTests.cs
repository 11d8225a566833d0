using Finery.Data.Batches;
using Finery.Data.Batches.Mixing;
using Finery.Models.Llama;
using Finery.Tensors;
using Finery.Tensors.Profiling;
using Finery.Tests.Data.Tokenizers;
using Finery.Training;
using Finery.Training.Losses;
using Finery.Training.Optimizers;
using Finery.Training.Schedules;
using Xunit;

namespace Finery.Tests.Training;

/// <summary>What a step costs, in memory of the garbage collector and in work.</summary>
public class TrainingStepTests
{
    /// <summary>Bytes that all threads allocated during each of four stretches of ten steps, after the first few.</summary>
    private static long[] Allocated(int threads, IBatchSource source, Recompute recompute)
    {
        const int Steps = 44;
        using var kernels = new CpuKernels(threads);
        using var model = new LlamaModel(TinyModel.Config with { VocabSize = Samples.Tokenizer.VocabSize }, seed: 1, trainable: true);
        using var optimizer = new AdamW(model.Parameters, new());
        using var loop = new TrainingLoop(
            kernels, model, source, new NextTokenLoss(), optimizer, new WarmupStableDecay { Peak = 1e-3, DecaySteps = 1 },
            new() { Steps = Steps, MicroBatches = 2, PeakFlops = 1e12, EvaluateEverySteps = 5, Recompute = recompute });
        var allocated = new long[Steps];
        int evaluations = 0;
        loop.OnStep = (in StepMetrics metrics, ReadOnlySpan<double> _) => allocated[metrics.Step] = GC.GetTotalAllocatedBytes(precise: true);
        loop.OnEvaluation = _ => evaluations++;
        loop.ShouldStop = () => false;
        loop.Run();
        Assert.Equal(Steps / 5 + 1, evaluations);
        return [.. Enumerable.Range(0, 4).Select(i => allocated[10 * i + 13] - allocated[10 * i + 3])];
    }

    [Fact]
    public Task Steps_allocate_nothing_on_any_thread() => Alone.Run(typeof(TrainingStepTests), () =>
    {
        using var folder = new TemporaryFolder();
        new TokenShardWriter().Write(folder.Path, Samples.Texts(80), Samples.Tokenizer);
        using var shards = TokenShards.Open(folder.Path);
        foreach (int threads in new[] { 1, 2 })
        {
            foreach (var recompute in Enum.GetValues<Recompute>())
            {
                foreach (IBatchSource source in new IBatchSource[]
                {
                    new PackedExamples(TinyModel.Examples(24), 16, 4, seed: 3), MixedBatches.Of(shards, 16, 4, seed: 3),
                })
                {
                    // What every step, batch or evaluation makes shows in each stretch; what the runtime or the runner make once for
                    // themselves, in one.
                    long[] allocated = Allocated(threads, source, recompute);
                    Assert.True(allocated.Count(bytes => bytes == 0) >= 2, $"{source}, {threads} threads, {recompute}: {string.Join(", ", allocated)} bytes");
                }
            }
        }
    });

    /// <summary>Floating-point operations and bytes moved by one step, as the ops report them.</summary>
    private static (double Flops, double Bytes) Work(int rows, int layers)
    {
        var config = TinyModel.Config with { LayerCount = layers };
        var examples = Enumerable.Range(0, 8).Select(_ => new TrainingExample([.. Enumerable.Range(1, 16)], [.. Enumerable.Repeat(true, 16)]));
        using var kernels = new CpuKernels(1);
        using var model = new LlamaModel(config, seed: 1, trainable: true);
        using var optimizer = new AdamW(model.Parameters, new());
        using var loop = new TrainingLoop(
            kernels, model, new PackedExamples([.. examples], 16, rows, seed: 1), new NextTokenLoss(), optimizer,
            new WarmupStableDecay { Peak = 1e-3, DecaySteps = 1 }, new() { Steps = 1 });
        var profiler = kernels.Profiler = new OpProfiler();
        loop.Run();
        // Updates cost the same whatever the tokens.
        var costs = profiler.Costs().Where(cost => !cost.Outer && cost.Op is not ("AdamW" or "SumOfSquares")).ToList();
        return (costs.Sum(cost => cost.Flops), costs.Sum(cost => cost.Bytes));
    }

    [Fact]
    public void Work_is_linear_in_tokens_and_in_layers()
    {
        var (one, two, four, eight) = (Work(1, 2), Work(2, 2), Work(4, 2), Work(8, 2));
        Assert.Equal(2 * one.Flops, two.Flops, 1e-6 * one.Flops);
        Assert.Equal(8 * one.Flops, eight.Flops, 1e-6 * one.Flops);
        // Weights are read once a step, whatever the tokens.
        Assert.Equal(2 * (four.Bytes - two.Bytes), eight.Bytes - four.Bytes, 1e-6 * eight.Bytes);

        var (shallow, middle, deep) = (Work(4, 1), Work(4, 3), Work(4, 7));
        Assert.Equal(2 * (middle.Flops - shallow.Flops), deep.Flops - middle.Flops, 1e-6 * deep.Flops);
        Assert.Equal(2 * (middle.Bytes - shallow.Bytes), deep.Bytes - middle.Bytes, 1e-6 * deep.Bytes);
    }
}
