using Finery.Models.Layers;
using Finery.Tensors;

namespace Finery.Models.Llama;

// Changes of a model that is trained already.
public sealed partial class LlamaModel
{
    /// <summary>Prepares the model for another context length, as between the stages of long-context training (pretraining reference 3):
    /// computes the rotary tables anew and changes <see cref="Config"/>; no weight is touched. What was recorded before, of training or
    /// of generation, must be recorded again.</summary>
    /// <param name="sequenceLength">Longest context from now on.</param>
    /// <param name="ropeTheta">Base of the rotary frequencies.</param>
    /// <param name="scaling">Change of the frequencies, or null.</param>
    /// <exception cref="ArgumentException">A value is impossible; nothing has changed.</exception>
    public void ChangeContext(int sequenceLength, double ropeTheta, RopeScaling? scaling = null)
    {
        var config = Config with { SequenceLength = sequenceLength, RopeTheta = ropeTheta, RopeScaling = scaling };
        config.ThrowIfInvalid();
        // Tables that are outgrown stay until the model goes: tapes still hold them.
        if (sequenceLength > _rope.Cos.Rows) _rope = new RopeTable(_arena, config, sequenceLength);
        else if (!_arena.IsOutline) _rope.Fill(config);
        Config = config;
    }

    /// <summary>The same function in the standard parametrisation, so that other programs compute it: multipliers become part of weights
    /// (embedding table, <c>o_proj</c> and <c>down_proj</c>, queries, final gain). Exact to the bit where every multiplier is a power of
    /// two, otherwise to a rounding of each weight. Not to be trained further: learning rates belong to the parametrisation.</summary>
    /// <returns>A new model in F32; its caller disposes it.</returns>
    public LlamaModel Folded()
    {
        var folded = new LlamaModel(Config with { MaximalUpdate = null }, trainable: false, DType.F32, new Arena("folded"))
        {
            Generation = Generation,
        };
        folded.CopyWeightsFrom(this);
        double embedding = MaximalUpdate.EmbeddingFactor(Config), branch = MaximalUpdate.BranchFactor(Config);
        double query = Config.Attention.Scale == 0 ? 1 : Config.Attention.Scale * Math.Sqrt(Config.HeadSize);
        // The tied head is the table, which has grown by the embedding's multiplier.
        double head = MaximalUpdate.LogitsFactor(Config) / (Config.TieEmbeddings ? embedding : 1);
        Multiply(folded._weights.Embedding, embedding);
        Multiply(folded._weights.Norm, head);
        foreach (var layer in folded._weights.Layers)
        {
            Multiply(layer.QueryNorm ?? layer.Qkv.Slice(0, Config.HeadCount * Config.HeadSize), query);
            Multiply(layer.Output, branch);
            Multiply(layer.Down, branch);
        }
        return folded;
    }

    private static void Multiply(Tensor weight, double factor)
    {
        if (factor == 1) return;
        foreach (ref float value in weight.Floats) value = (float)(value * factor);
    }
}
