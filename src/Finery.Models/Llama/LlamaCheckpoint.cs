using Finery.Models.Weights;

namespace Finery.Models.Llama;

/// <summary>The exact set of tensors a Hugging Face Llama checkpoint must have.</summary>
public static class LlamaCheckpoint
{
    private const int Named = 5;

    /// <summary>Names and shapes, from the configuration alone.</summary>
    public static IEnumerable<(string Name, int[] Shape)> Tensors(ModelConfig config)
    {
        int D = config.EmbeddingSize, F = config.FeedForwardSize;
        int q = config.HeadCount * config.HeadSize, kv = config.KvHeadCount * config.HeadSize;
        yield return ("model.embed_tokens.weight", [config.VocabSize, D]);
        for (int i = 0; i < config.LayerCount; i++)
        {
            string layer = $"model.layers.{i}.";
            yield return (layer + "input_layernorm.weight", [D]);
            yield return (layer + "self_attn.q_proj.weight", [q, D]);
            yield return (layer + "self_attn.k_proj.weight", [kv, D]);
            yield return (layer + "self_attn.v_proj.weight", [kv, D]);
            yield return (layer + "self_attn.o_proj.weight", [D, q]);
            if (config.QkNorm)
            {
                yield return (layer + "self_attn.q_norm.weight", [config.HeadSize]);
                yield return (layer + "self_attn.k_norm.weight", [config.HeadSize]);
            }
            yield return (layer + "post_attention_layernorm.weight", [D]);
            yield return (layer + "mlp.gate_proj.weight", [F, D]);
            yield return (layer + "mlp.up_proj.weight", [F, D]);
            yield return (layer + "mlp.down_proj.weight", [D, F]);
        }
        yield return ("model.norm.weight", [D]);
        if (!config.TieEmbeddings) yield return ("lm_head.weight", [config.VocabSize, D]);
    }

    /// <summary>Fails unless the checkpoint has exactly these tensors in these shapes.</summary>
    /// <param name="config">Says which.</param>
    /// <param name="checkpoint">Of one file or of shards.</param>
    /// <param name="folder">For errors.</param>
    /// <exception cref="InvalidDataException">A tensor is missing, unknown or has another shape; it is named.</exception>
    public static void Check(ModelConfig config, SafeTensorsFolder checkpoint, string folder)
    {
        // Stops at the first few missing names, so that an absurd layer count ends at once.
        var missing = Tensors(config).Where(tensor => !checkpoint.Contains(tensor.Name)).Take(Named + 1).ToList();
        if (missing.Count > 0)
        {
            string hint = missing[0].Name == "lm_head.weight" ? " (tie_word_embeddings is false)" : "";
            throw new InvalidDataException($"{folder}: missing tensors: {List([.. missing.Select(t => t.Name)])}{hint}.");
        }

        var known = Tensors(config).ToDictionary(tensor => tensor.Name, tensor => tensor.Shape, StringComparer.Ordinal);
        // Old exports store the rotary frequencies, which the configuration determines.
        string[] unknown = [.. checkpoint.Names.Where(name =>
            !known.ContainsKey(name) && !name.EndsWith("rotary_emb.inv_freq", StringComparison.Ordinal))];
        if (unknown.Length > 0)
        {
            string hint = config.TieEmbeddings && unknown.Contains("lm_head.weight") ? " (tie_word_embeddings is true)" : "";
            throw new InvalidDataException($"{folder}: unknown tensors: {List(unknown)}{hint}.");
        }
        foreach (var (name, shape) in known)
        {
            var found = checkpoint.Shape(name);
            if (!found.SequenceEqual(shape.Select(size => (long)size)))
            {
                throw new InvalidDataException(
                    $"{folder}: {name} has shape [{string.Join(", ", found)}]; "
                    + $"the configuration says [{string.Join(", ", shape)}].");
            }
        }
    }

    private static string List(string[] names) =>
        string.Join(", ", names.Take(Named)) + (names.Length > Named ? ", and more" : "");
}
