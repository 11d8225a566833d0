using Finery.Data.Batches;
using Finery.Models;
using Finery.Tensors;
using Finery.Training.Optimizers;
using Finery.Training.Scaling;
using Xunit;

namespace Finery.Tests.Training.Scaling;

// Pretraining reference 6 and 11, case 26.
public class CoordinateCheckTests
{
    private static ModelConfig Config(int width, bool update, int layers = 2) => new()
    {
        VocabSize = 61, EmbeddingSize = width, LayerCount = layers, HeadCount = width / 16, KvHeadCount = width / 32, HeadSize = 16,
        FeedForwardSize = 3 * width, SequenceLength = 64,
        MaximalUpdate = update ? new() { BaseEmbeddingSize = 64 } : null,
    };

    private static PackedExamples Source()
    {
        var examples = new TrainingExample[64];
        for (int i = 0; i < examples.Length; i++)
        {
            int[] ids = new int[32];
            for (int t = 0; t < ids.Length; t++) ids[t] = t == 0 ? 0 : 1 + (ids[t - 1] * 7 + i * 11 + t * t) % 60;
            examples[i] = new(ids, [.. ids.Select(_ => true)]);
        }
        return new(examples, 32, 8, seed: 3);
    }

    private static CoordinateCheck Check(bool update, int steps, params int[] widths)
    {
        using var kernels = new CpuKernels();
        return CoordinateCheck.Run(
            kernels, [.. widths.Select(width => Config(width, update))], Source(), steps,
            model => new AdamW(model.Parameters, new() { WeightDecay = 0, Groups = model.Config.ParameterGroups(0) }), learningRate: 1e-2, seed: 1);
    }

    [Fact]
    public void Activations_keep_their_size_at_small_widths()
    {
        CoordinateCheck update = Check(true, 6, 64, 128, 256), standard = Check(false, 6, 64, 128, 256);
        foreach (var (name, check) in new[] { ("muP", update), ("SP", standard) })
        {
            foreach (var layer in check.Layers.Append(check.Logits))
                Console.WriteLine($"{name} {layer.Name}: {string.Join(" ", layer.Slopes.Select(slope => slope.ToString("F3")))} | {string.Join(" ", layer.Means[^1].Select(mean => mean.ToString("F3")))}");
        }
        Assert.True(Math.Abs(update.Steepest) < 0.05, $"muP {update.Steepest}");
        Assert.True(Math.Abs(standard.Steepest) > 0.2, $"SP {standard.Steepest}");
    }
}
