using Finery.Data.Batches;
using Finery.Models;
using Finery.Models.Layers;
using Finery.Models.Llama;
using Finery.Tensors;
using Finery.Training.Losses;
using Finery.Training.Optimizers;

namespace Finery.Tests.Training.Scaling;

/// <summary>Sequences by a rule and models of any width to learn them.</summary>
internal static class MaximalUpdateTask
{
    public const int BaseWidth = 64;

    /// <summary>Weights of the base width begin with deviation <c>d^-0.5</c>.</summary>
    public static Initialization Initialization { get; } = new() { Deviation = 0.125 };

    public static ModelConfig Config(int width, bool update) => new()
    {
        VocabSize = 61, EmbeddingSize = width, LayerCount = 2, HeadCount = width / 16, KvHeadCount = width / 32, HeadSize = 16,
        FeedForwardSize = 3 * width, SequenceLength = 64,
        MaximalUpdate = update ? new() { BaseEmbeddingSize = BaseWidth } : null,
    };

    public static PackedExamples Source(int count = 64)
    {
        var examples = new TrainingExample[count];
        for (int i = 0; i < examples.Length; i++)
        {
            int[] ids = new int[32];
            for (int t = 1; t < ids.Length; t++) ids[t] = 1 + (ids[t - 1] * 7 + i * 11 + t * t) % 60;
            examples[i] = new(ids, [.. ids.Select(_ => true)]);
        }
        return new(examples, 32, 8, seed: 3);
    }

    public static Optimizer AdamW(LlamaModel model) =>
        new AdamWOptimizerSettings { WeightDecay = 0 }.ForMaximalUpdate(model.Config).Create(model.Parameters);

    /// <summary>Mean loss of the last steps of a short run, its rate falling to zero.</summary>
    public static double FinalLoss(Kernels kernels, ModelConfig config, int steps, double rate, ulong seed)
    {
        using var model = new LlamaModel(config, seed, trainable: true, initialization: Initialization);
        using var optimizer = AdamW(model);
        // No sequence comes twice: what a wide model knows by heart it knows at several rates alike.
        var source = Source(8 * steps);
        var batch = source.CreateBatch();
        using var pass = new NextTokenLoss().CreatePass(kernels, model, batch.Count, Recompute.None);
        double sum = 0;
        int counted = steps / 10;
        for (int step = 0; step < steps; step++)
        {
            source.Fill(step, batch);
            double loss = pass.Run(batch, 0);
            if (step >= steps - counted) sum += double.IsFinite(loss) ? loss : 99;
            optimizer.Step(kernels, rate * (1 - (double)step / steps), 1);
        }
        return sum / counted;
    }
}
