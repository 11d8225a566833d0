using System.Globalization;
using Finery.Data.Batches;
using Finery.Models;
using Finery.Models.Llama;
using Finery.Tensors;
using Finery.Training;
using Finery.Training.Losses;
using Finery.Training.Optimizers;
using Finery.Training.Schedules;
using Xunit;

namespace Finery.Tests.Training;

public class MemoryEstimateTests
{
    private static readonly ModelConfig Small = new()
    {
        VocabSize = 512, EmbeddingSize = 64, LayerCount = 3, HeadCount = 4, KvHeadCount = 2, HeadSize = 16, FeedForwardSize = 160,
        SequenceLength = 128,
    };

    private static PackedExamples Source(ModelConfig config, int rows) => new(
        [.. Enumerable.Range(0, 3 * rows).Select(i => new TrainingExample(
            [.. Enumerable.Range(0, config.SequenceLength).Select(t => (i + 7 * t) % config.VocabSize)],
            [.. Enumerable.Repeat(true, config.SequenceLength)]))],
        config.SequenceLength, rows, seed: 1);

    /// <summary>Native bytes of a real run of a few steps, by part.</summary>
    private static MemoryEstimate Measured(ModelConfig config, int rows, Recompute recompute, int threads, DType precision = DType.F32)
    {
        using var kernels = new CpuKernels(threads);
        using var model = new LlamaModel(config, seed: 1, trainable: true, precision);
        using var optimizer = new AdamW(model.Parameters, new());
        using var loop = new TrainingLoop(
            kernels, model, Source(config, rows), new NextTokenLoss(), optimizer, new WarmupStableDecay { Peak = 1e-3, DecaySteps = 1 },
            new() { Steps = 2, Recompute = recompute });
        loop.Run();
        long gradients = model.Parameters.Sum(parameter => parameter.Weight.Gradient!.ByteLength);
        return new(
            model.Bytes - gradients, gradients, optimizer.State.Sum(state => state.Tensor.ByteLength), loop.ActivationBytes, 0,
            kernels.ScratchBytes);
    }

    [Theory]
    [InlineData(Recompute.None, 1, DType.F32)]
    [InlineData(Recompute.Selective, 2, DType.F32)]
    [InlineData(Recompute.Full, 2, DType.F32)]
    [InlineData(Recompute.None, 2, DType.BF16)]
    [InlineData(Recompute.Full, 2, DType.BF16)]
    public void The_estimate_is_what_a_run_allocates(Recompute recompute, int threads, DType precision)
    {
        var measured = Measured(Small, 8, recompute, threads, precision);
        var estimate = MemoryEstimate.OfTraining(Small, 8 * 128, recompute, precision, threads: threads);
        Assert.Equal(measured with { Scratch = 0 }, estimate with { Scratch = 0 });
        Assert.InRange(estimate.Total, 0.97 * measured.Total, 1.05 * measured.Total);
    }

    [Fact]
    public void Recomputation_keeps_what_the_reference_says()
    {
        // With many layers the activations kept of each layer are what counts; pretraining reference 8, in four bytes instead of two.
        long Bytes(int layers, Recompute recompute) =>
            MemoryEstimate.OfTraining(Small with { LayerCount = layers }, 1024, recompute).Activations;
        double PerLayer(Recompute recompute) => (Bytes(40, recompute) - Bytes(20, recompute)) / (20.0 * 1024);
        int d = 64, q = 64, kv = 32, ff = 160, heads = 4;
        Assert.Equal(4 * (4 * d + 2 * q + 2 * kv + 3 * ff) + 4 * (heads + 2), PerLayer(Recompute.None), 1.0);
        Assert.Equal(4 * (2 * d + 2 * q + 2 * kv + 2 * ff) + 4 * heads, PerLayer(Recompute.Selective), 1.0);
        Assert.Equal(4 * d, PerLayer(Recompute.Full), 1.0);
    }

    [Fact]
    public void Memory_is_linear_in_tokens_and_inference_grows_by_its_cache()
    {
        long Tokens(int tokens) => MemoryEstimate.OfTraining(Small, tokens).Activations;
        Assert.InRange(Tokens(4096) / (double)Tokens(1024), 3.99, 4.01);
        var (little, much) = (MemoryEstimate.OfInference(Small, 64), MemoryEstimate.OfInference(Small, 128));
        Assert.Equal(64 * 2 * 3 * 32 * sizeof(float), much.Total - little.Total);
        Assert.Equal(Small.ParameterCount * sizeof(float), little.Weights, 20_000.0);
    }

    [Fact]
    public void Billions_of_parameters_are_estimated_without_allocating()
    {
        // SmolLM3: 3.08 billion parameters.
        var config = new ModelConfig
        {
            VocabSize = 128256, EmbeddingSize = 2048, LayerCount = 36, HeadCount = 16, KvHeadCount = 4, HeadSize = 128,
            FeedForwardSize = 11008, SequenceLength = 4096, NoRopeInterval = 4,
        };
        var estimate = MemoryEstimate.OfTraining(config, 12288, Recompute.None, DType.BF16, new AdamWOptimizerSettings { Masters = MasterWeights.F32 });
        Assert.Equal(18.0 * config.ParameterCount, (double)(estimate.Weights + estimate.Gradients + estimate.OptimizerState), 1e7);
        // Split masters: 16 bytes a parameter, the reference says.
        var split = MemoryEstimate.OfTraining(config, 12288, Recompute.None, DType.BF16);
        Assert.Equal(2.0 * config.ParameterCount, (double)(estimate.Total - split.Total), 1e7);
        Assert.Contains("GiB", estimate.WhyNot(1L << 30)!, StringComparison.Ordinal);
        Assert.Null(estimate.WhyNot(estimate.Total));
    }

    [Fact]
    public Task The_process_grows_by_what_is_estimated()
    {
        Assert.SkipUnless(File.Exists("/proc/self/status"), "needs /proc");
        return Alone.Run(typeof(MemoryEstimateTests), () =>
        {
            var config = Small with { VocabSize = 4096, EmbeddingSize = 256, LayerCount = 6, HeadCount = 8, HeadSize = 32, FeedForwardSize = 768 };
            // The first run loads code; of the second only memory is new.
            Measured(Small, 2, Recompute.None, 2);
            long before = Resident();
            Measured(config, 8, Recompute.None, 2);
            double grown = Peak() - before, estimate = MemoryEstimate.OfTraining(config, 8 * 128, threads: 2).Total;
            Assert.InRange(estimate, 0.95 * grown, 1.05 * grown);
        });
    }

    private static long Resident() => Status("VmRSS");

    private static long Peak() => Status("VmHWM");

    private static long Status(string name) => 1024 * long.Parse(
        File.ReadLines("/proc/self/status").Single(line => line.StartsWith(name, StringComparison.Ordinal)).Split(' ', '\t', StringSplitOptions.RemoveEmptyEntries)[1],
        CultureInfo.InvariantCulture);
}
