using Finery.Models;
using Finery.Models.Llama;
using Finery.Tensors;

namespace Finery.Tests.Models;

/// <summary>Small models that still use every feature: grouped heads, a head size that is not D / H, ragged widths.</summary>
internal static class TinyModels
{
    public static ModelConfig Config { get; } = new()
    {
        VocabSize = 61, EmbeddingSize = 20, LayerCount = 2, HeadCount = 4, KvHeadCount = 2, HeadSize = 6, FeedForwardSize = 28,
        SequenceLength = 160, BosId = 1, EosId = 2,
    };

    /// <summary>A model whose weights are large enough that its predictions differ from token to token.</summary>
    public static LlamaModel Create(ModelConfig? config = null, ulong seed = 7, bool trainable = false)
    {
        var model = new LlamaModel(config ?? Config, seed, trainable);
        foreach (var parameter in model.Parameters)
        {
            if (parameter.Weight.Shape.Length == 1) continue;
            foreach (ref float weight in parameter.Weight.Floats) weight *= 8;
        }
        return model;
    }

    public static int[] Ids(int count, int vocabulary = 61, int seed = 3)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, count).Select(_ => random.Next(vocabulary))];
    }

    /// <summary>Logits [N, V] of one document by the uncached forward pass.</summary>
    public static float[] Logits(LlamaModel model, Kernels kernels, int[] ids, int[]? starts = null)
    {
        using var arena = new Arena("test");
        var inputs = new ModelInputs(arena, ids.Length);
        ids.CopyTo(inputs.Ids.Integers);
        for (int i = 0; i < ids.Length; i++)
        {
            inputs.Starts.Integers[i] = starts?[i] ?? 0;
            inputs.Positions.Integers[i] = i - inputs.Starts.Integers[i];
        }
        var tape = new Tape(kernels, arena, gradients: false);
        var logits = model.Logits(tape, model.Hidden(tape, inputs));
        tape.Forward();
        return logits.Floats.ToArray();
    }
}
