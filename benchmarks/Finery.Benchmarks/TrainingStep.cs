using Finery.Data.Batches;
using Finery.Models;
using Finery.Models.Llama;
using Finery.Tensors;
using Finery.Training;
using Finery.Training.Losses;
using Finery.Training.Monitoring;
using Finery.Training.Optimizers;
using Finery.Training.Schedules;

namespace Finery.Benchmarks;

/// <summary>Whole training steps of the peer script's two models: the real loop with forward, backward, clipping and AdamW, on random
/// tokens, one document a row.</summary>
internal static class TrainingStep
{
    /// <summary>The configurations of <c>pytorch_train_step.py</c>.</summary>
    public static readonly IReadOnlyDictionary<string, (ModelConfig Config, int Rows)> Models = new Dictionary<string, (ModelConfig, int)>
    {
        ["nano"] = (new ModelConfig
        {
            EmbeddingSize = 256, LayerCount = 6, HeadCount = 8, KvHeadCount = 4, HeadSize = 32, FeedForwardSize = 768, VocabSize = 8192,
            SequenceLength = 256,
        }, 16),
        ["smol"] = (new ModelConfig
        {
            EmbeddingSize = 576, LayerCount = 30, HeadCount = 9, KvHeadCount = 3, HeadSize = 64, FeedForwardSize = 1536, VocabSize = 49152,
            SequenceLength = 512,
        }, 2),
    };

    /// <summary>Model FLOPs of a token as the peer script counts them: <c>6 N + 6 L D T</c>.</summary>
    public static double FlopsPerToken(ModelConfig config) =>
        6.0 * config.ParameterCount + 6.0 * config.LayerCount * config.EmbeddingSize * config.SequenceLength;

    /// <summary>Runs steps one by one; the first has been done.</summary>
    /// <param name="name">A key of <see cref="Models"/>.</param>
    /// <param name="kernels">Does the work.</param>
    /// <param name="type">Of weights and activations.</param>
    public static IEnumerable<StepMetrics> Run(string name, Kernels kernels, DType type = DType.F32) =>
        Run(Models[name].Config, Models[name].Rows, kernels, type);

    /// <summary>The same of any model.</summary>
    public static IEnumerable<StepMetrics> Run(
        ModelConfig config, int rows, Kernels kernels, DType type = DType.F32, MonitoringSettings? monitoring = null)
    {
        using var model = new LlamaModel(config, seed: 0, trainable: true, type);
        using var optimizer = new AdamW(model.Parameters, new());
        using var loop = new TrainingLoop(
            kernels, model, new RandomBatches(rows, config.SequenceLength, config.VocabSize), new NextTokenLoss(), optimizer,
            new WarmupStableDecay { Peak = 1e-3, WarmupSteps = 0, DecaySteps = 0 }, new() { Steps = int.MaxValue, Monitoring = monitoring });
        StepMetrics last = default;
        loop.OnStep = (in StepMetrics metrics, ReadOnlySpan<double> _) => last = metrics;
        loop.ShouldStop = () => true;
        loop.Run();
        while (true)
        {
            loop.Run();
            yield return last;
        }
    }

    /// <summary>Random tokens and targets, one document a row.</summary>
    private sealed class RandomBatches(int rows, int length, int vocabulary) : IBatchSource
    {
        public int Rows => rows;

        public int Length => length;

        public string Fingerprint => "random";

        public PackedBatch CreateBatch() => new(rows, length);

        public double EpochAt(long step) => 0;

        public void Fill(long step, PackedBatch batch)
        {
            var random = new Random((int)step);
            for (int i = 0; i < batch.Count; i++)
            {
                (batch.Ids[i], batch.Targets[i]) = (random.Next(vocabulary), random.Next(vocabulary));
                (batch.Positions[i], batch.Starts[i]) = (i % length, i - i % length);
            }
            Array.Fill(batch.Weights, 1f / batch.Count);
        }
    }
}
