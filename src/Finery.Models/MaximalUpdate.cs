using System.Text.Json;
using static Finery.Models.JsonFields;

namespace Finery.Models;

/// <summary>Maximal update parametrisation for Adam (muP), and CompleteP where a base depth is given (pretraining reference 6). With
/// <c>m_d = d / d_base</c> and <c>m_L = L / L_base</c>: embeddings are multiplied by <see cref="EmbeddingMultiplier"/>, logits by
/// <see cref="LogitsMultiplier"/> <c>/ m_d</c>, attention scores by <c>1/hd</c>, residual branches by <c>1/m_L</c>; hidden matrices begin
/// with variance <c>/ m_d</c> and learn at <c>1/m_d</c> of the rate. Settings tuned at the base then hold at every size.</summary>
public sealed record MaximalUpdate
{
    /// <summary>d_base: width at which the settings were tuned.</summary>
    public required int BaseEmbeddingSize { get; init; }

    /// <summary>L_base: depth at which they were; null leaves depth alone.</summary>
    public int? BaseLayerCount { get; init; }

    /// <summary>alpha_in.</summary>
    public double EmbeddingMultiplier { get; init; } = 1;

    /// <summary>alpha_out.</summary>
    public double LogitsMultiplier { get; init; } = 1;

    /// <summary>What is wrong, or null.</summary>
    internal string? Fault =>
        BaseEmbeddingSize <= 0 || BaseLayerCount <= 0 ? "base width and depth must be positive."
        : !IsMultiplier(EmbeddingMultiplier) || !IsMultiplier(LogitsMultiplier) ? "multipliers must be positive and finite."
        : null;

    /// <summary>m_d.</summary>
    public double WidthRatio(ModelConfig config) => (double)config.EmbeddingSize / BaseEmbeddingSize;

    /// <summary>m_L; 1 without a base depth.</summary>
    public double DepthRatio(ModelConfig config) => BaseLayerCount is { } layers ? (double)config.LayerCount / layers : 1;

    /// <summary>Factor on embeddings.</summary>
    internal static float EmbeddingFactor(ModelConfig config) => (float)(config.MaximalUpdate?.EmbeddingMultiplier ?? 1);

    /// <summary>Factor on what the output head reads, and so on logits.</summary>
    internal static float LogitsFactor(ModelConfig config) =>
        config.MaximalUpdate is { } update ? (float)(update.LogitsMultiplier / update.WidthRatio(config)) : 1;

    /// <summary>Factor on what a branch adds to the residual stream.</summary>
    internal static float BranchFactor(ModelConfig config) =>
        config.MaximalUpdate is { } update ? (float)(1 / update.DepthRatio(config)) : 1;

    internal static MaximalUpdate Read(JsonElement json) => new()
    {
        BaseEmbeddingSize = Integer(json, "base_hidden_size"),
        BaseLayerCount = IntegerOrNull(json, "base_num_hidden_layers"),
        EmbeddingMultiplier = Number(json, "embedding_multiplier", 1),
        LogitsMultiplier = Number(json, "logits_multiplier", 1),
    };

    internal void Write(Utf8JsonWriter json, string key)
    {
        json.WriteStartObject(key);
        json.WriteNumber("base_hidden_size", BaseEmbeddingSize);
        JsonFields.Write(json, "base_num_hidden_layers", BaseLayerCount);
        json.WriteNumber("embedding_multiplier", EmbeddingMultiplier);
        json.WriteNumber("logits_multiplier", LogitsMultiplier);
        json.WriteEndObject();
    }

    private static bool IsMultiplier(double value) => value > 0 && double.IsFinite(value);
}
