using System.Text.Json.Nodes;
using Finery.Models;
using Finery.Models.Llama;
using Finery.Models.Weights;

namespace Finery.Cli.Commands;

/// <summary>What a model's configuration and files of weights say, as figures.</summary>
internal static class ModelInspection
{
    private const int ShownElements = 8;

    // Blocks of 32 weights share a 16-bit scale in the common integer formats.
    private static readonly (string Type, double Bits, int CacheBits)[] Storages =
        [("f32", 32, 32), ("bf16", 16, 16), ("int8", 8.5, 16), ("q4", 4.5, 16)];

    /// <summary>A folder with <c>config.json</c>, with or without weights.</summary>
    public static JsonObject OfFolder(string folder, InspectSettings settings)
    {
        var config = ModelConfig.Load(folder);
        var facts = OfConfig(config, settings);
        if (GenerationConfig.Load(folder) is { } generation) facts["generation"] = OfGeneration(generation);
        if (!SafeTensorsFolder.IsIn(folder)) return facts;
        using var weights = SafeTensorsFolder.Open(folder);
        try
        {
            LlamaCheckpoint.Check(config, weights, folder);
        }
        catch (InvalidDataException exception)
        {
            facts[Inspection.Problem] = exception.Message;
        }
        facts["weights"] = OfWeights(weights, settings);
        return facts;
    }

    /// <summary>The configuration alone: nothing of the model's size is allocated.</summary>
    public static JsonObject OfConfig(ModelConfig config, InspectSettings settings)
    {
        int length = settings.SequenceLength ?? config.SequenceLength;
        var parts = config.ParameterParts;
        return new JsonObject
        {
            ["parameters"] = config.ParameterCount,
            ["parameters_of"] = new JsonObject
            {
                ["embedding"] = parts.Embedding,
                ["attention"] = parts.Attention,
                ["mlp"] = parts.FeedForward,
                ["norms"] = parts.Norms,
                ["head"] = parts.Head,
            },
            ["layers"] = config.LayerCount,
            ["layers_without_rope"] = Enumerable.Range(0, config.LayerCount).Count(layer => !config.UsesRope(layer)),
            ["embedding_size"] = config.EmbeddingSize,
            ["heads"] = config.HeadCount,
            ["kv_heads"] = config.KvHeadCount,
            ["head_size"] = config.HeadSize,
            ["feed_forward_size"] = config.FeedForwardSize,
            ["vocab_size"] = config.VocabSize,
            ["context"] = config.SequenceLength,
            ["tied_embeddings"] = config.TieEmbeddings,
            ["rope_theta"] = config.RopeTheta,
            ["rope_scaling"] = config.RopeScaling?.ToString(),
            ["stored_type"] = config.StoredType?.ToString(),
            ["flops_per_token"] = new JsonObject
            {
                ["sequence_length"] = length,
                ["training_full"] = config.TrainingFlopsPerToken(length),
                ["training_causal"] = config.CausalTrainingFlopsPerToken(length),
                ["generation_matmuls"] = 2.0 * config.MatmulWeights,
            },
            ["memory"] = new JsonArray([.. Storages.Select(storage => OfMemory(config, length, storage))]),
        };
    }

    /// <summary>Sampling settings.</summary>
    public static JsonObject OfGeneration(GenerationConfig config) => new()
    {
        ["do_sample"] = config.Samples,
        ["temperature"] = config.Temperature,
        ["top_k"] = config.TopK,
        ["top_p"] = config.TopP,
        ["repetition_penalty"] = config.RepetitionPenalty,
        ["bos"] = config.BosId,
        ["eos"] = new JsonArray([.. config.EosIds.Select(id => JsonValue.Create(id))]),
        ["pad"] = config.PadId,
    };

    /// <summary>One or several safetensors files.</summary>
    public static JsonObject OfWeights(SafeTensorsFolder weights, InspectSettings settings)
    {
        var metadata = new JsonObject();
        foreach (var (key, value) in weights.Files.Values.SelectMany(file => file.Metadata)) metadata[key] = value;
        var tensors = weights.Files
            .SelectMany(file => file.Value.Entries
                .OrderBy(entry => entry.Value.Begin).ThenBy(entry => entry.Key, StringComparer.Ordinal)
                .Select(entry => new StoredTensor(entry.Key, entry.Value.Type, entry.Value.Shape, entry.Value.End - entry.Value.Begin,
                    () => file.Value.Map(entry.Key), weights.Files.Count > 1 ? file.Key : null)))
            .ToList();
        var facts = new JsonObject
        {
            ["files"] = weights.Files.Count,
            ["bytes"] = weights.Files.Values.Sum(file => file.Bytes),
            ["metadata"] = metadata,
        };
        if (weights.StatedBytes is { } stated && stated != tensors.Sum(tensor => tensor.Bytes)) facts["index_states_bytes"] = stated;
        AddTensors(facts, tensors, settings);
        return facts;
    }

    /// <summary>A GGUF file; long arrays abbreviated.</summary>
    public static JsonObject OfGguf(string path, InspectSettings settings)
    {
        using var file = GgufFile.Open(path);
        var values = new JsonObject();
        foreach (var (key, value) in file.Values) values[key] = OfValue(value);
        var facts = new JsonObject { ["bytes"] = file.Bytes, ["alignment"] = file.Alignment, ["values"] = values };
        AddTensors(facts, [.. file.Tensors.Values.Select(tensor =>
            new StoredTensor(tensor.Name, tensor.Type, tensor.Shape, tensor.Bytes, () => file.Map(tensor.Name), null))], settings);
        return facts;
    }

    private static JsonObject OfMemory(ModelConfig config, int length, (string Type, double Bits, int CacheBits) storage)
    {
        double weights = config.ParameterCount * storage.Bits / 8, token = config.CacheElementsPerToken * storage.CacheBits / 8.0;
        return new JsonObject
        {
            ["type"] = storage.Type,
            ["bits_per_weight"] = storage.Bits,
            ["weight_bytes"] = (long)weights,
            ["cache_bytes_per_token"] = (long)token,
            ["context"] = length,
            ["cache_bytes"] = (long)(token * length),
            ["total_bytes"] = (long)(weights + token * length),
        };
    }

    private static void AddTensors(JsonObject facts, List<StoredTensor> tensors, InspectSettings settings)
    {
        facts["elements"] = tensors.Sum(tensor => tensor.Elements);
        facts["types"] = new JsonArray([.. tensors.GroupBy(tensor => tensor.Type).OrderBy(group => group.Key, StringComparer.Ordinal)
            .Select(group => new JsonObject
            {
                ["type"] = group.Key,
                ["tensors"] = group.Count(),
                ["elements"] = group.Sum(tensor => tensor.Elements),
                ["bytes"] = group.Sum(tensor => tensor.Bytes),
            })]);
        var statistics = new TensorStatistics?[tensors.Count];
        if (settings.Values)
        {
            MappedBytes[] bytes = [.. tensors.Select(tensor => tensor.Map())];
            Parallel.For(0, tensors.Count, i => statistics[i] = TensorStatistics.Of(tensors[i].Type, bytes[i]));
        }
        facts["tensors"] = new JsonArray([.. tensors.Select((tensor, i) => OfTensor(tensor, settings.Values, statistics[i]))]);
    }

    private static JsonObject OfTensor(StoredTensor tensor, bool withValues, TensorStatistics? values)
    {
        var facts = new JsonObject
        {
            ["name"] = tensor.Name,
            ["type"] = tensor.Type,
            ["shape"] = new JsonArray([.. tensor.Shape.Select(size => JsonValue.Create(size))]),
            ["bytes"] = tensor.Bytes,
        };
        if (tensor.File is not null) facts["file"] = tensor.File;
        if (!withValues) return facts;
        facts["non_finite"] = values?.NonFinite;
        facts["min"] = Finite(values?.Min);
        facts["max"] = Finite(values?.Max);
        facts["mean"] = Finite(values?.Mean);
        facts["deviation"] = Finite(values?.Deviation);
        return facts;
    }

    // JSON has no NaN.
    private static double? Finite(double? value) => value is { } number && double.IsFinite(number) ? number : null;

    private static JsonNode OfValue(object value)
    {
        if (value is not Array array) return Scalar(value);
        var shown = new JsonArray([.. array.Cast<object>().Take(ShownElements).Select(Scalar)]);
        return array.Length <= ShownElements ? shown : new JsonObject { ["count"] = array.Length, ["first"] = shown };
    }

    private static JsonNode Scalar(object value) => value switch
    {
        string text => JsonValue.Create(text),
        bool flag => JsonValue.Create(flag),
        float number => double.IsFinite(number) ? JsonValue.Create(number) : JsonValue.Create(number.ToString(null, null)),
        double number => double.IsFinite(number) ? JsonValue.Create(number) : JsonValue.Create(number.ToString(null, null)),
        ulong number => JsonValue.Create(number),
        _ => JsonValue.Create(Convert.ToInt64(value, null)),
    };

    private sealed record StoredTensor(
        string Name, string Type, IReadOnlyList<long> Shape, long Bytes, Func<MappedBytes> Map, string? File)
    {
        public long Elements => Shape.Aggregate(1L, (product, size) => product * size);
    }
}
