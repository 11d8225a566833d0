using System.Globalization;

namespace Finery.Models.Layers;

/// <summary>Published ways to draw initial weights (pretraining reference 1.5). Norm gains are 1 in all of them.</summary>
public enum InitializationScheme
{
    /// <summary>SmolLM3 and nanotron: normal; <c>o_proj</c> and <c>down_proj</c> divided by <c>sqrt(2 L)</c>.</summary>
    Smollm3,

    /// <summary>OLMo: normal cut at three deviations, everywhere the same.</summary>
    Truncated,

    /// <summary>torchtitan: <c>o_proj</c>, <c>down_proj</c> and <c>up_proj</c> of layer i divided by <c>sqrt(2 (i + 1))</c>, embeddings of
    /// deviation 1, the head (or a table tied to it) <c>d^-0.5</c> cut at three deviations.</summary>
    Torchtitan,

    /// <summary>nanochat: zero <c>o_proj</c> and <c>down_proj</c>, uniform input projections of deviation <c>d^-0.5</c>, embeddings of
    /// deviation 1, a head of .001 (a table tied to it keeps the deviation set).</summary>
    Nanochat,
}

/// <summary>How initial weights are drawn: settings of a model that is trained from nothing.</summary>
public sealed record Initialization
{
    /// <summary>Which published way.</summary>
    public InitializationScheme Scheme { get; init; }

    /// <summary>Standard deviation where the scheme does not fix another.</summary>
    public double Deviation { get; init; } = 0.02;

    /// <summary>Everything wrong with these settings; empty where nothing is.</summary>
    public IEnumerable<(string Property, string Message)> Validate()
    {
        if (!(Deviation > 0 && double.IsFinite(Deviation)))
            yield return (nameof(Deviation), $"The deviation is {Deviation.ToString(CultureInfo.InvariantCulture)}; it must be positive.");
        if (!Enum.IsDefined(Scheme)) yield return (nameof(Scheme), $"There is no scheme {Scheme}.");
    }

    /// <summary>What is wrong with these settings, for this model too.</summary>
    internal IEnumerable<string> Faults(ModelConfig config)
    {
        foreach (var (_, message) in Validate()) yield return message;
        if (config.MaximalUpdate is not null && Scheme is InitializationScheme.Torchtitan or InitializationScheme.Nanochat)
            yield return $"{Scheme.ToString().ToLowerInvariant()} sets deviations by width itself: take smollm3 or truncated with maximal_update.";
    }

    /// <summary>What the weights of a tensor are drawn from.</summary>
    /// <param name="name">Its name in a checkpoint.</param>
    /// <param name="config">Of its model.</param>
    internal WeightDistribution Of(string name, ModelConfig config)
    {
        bool embedding = name == "model.embed_tokens.weight", head = name == "lm_head.weight";
        if (!embedding && !head && !name.EndsWith("_proj.weight", StringComparison.Ordinal)) return new(WeightKind.Constant, 1);
        bool output = Is(name, "o_proj") || Is(name, "down_proj"), tied = config.TieEmbeddings;
        double fan = 1 / Math.Sqrt(config.EmbeddingSize);
        switch (Scheme)
        {
            case InitializationScheme.Torchtitan:
                if (embedding && !tied) return new(WeightKind.Normal, 1);
                if (embedding || head) return new(WeightKind.Normal, fan, 3 * fan);
                // Its cut at 2 is a hundred deviations away: none.
                return new(WeightKind.Normal, output || Is(name, "up_proj") ? Deviation / Math.Sqrt(2.0 * (Layer(name) + 1)) : Deviation);
            case InitializationScheme.Nanochat:
                if (output) return new(WeightKind.Constant, 0);
                if (embedding) return new(WeightKind.Normal, tied ? Deviation : 1);
                return head ? new(WeightKind.Normal, 0.001) : new(WeightKind.Uniform, Math.Sqrt(3) * fan);
        }
        double deviation = Deviation;
        if (config.MaximalUpdate is { } update)
        {
            // Hidden matrices only; CompleteP scales branches in the forward pass instead of their last projections.
            if (!embedding && !head) deviation /= Math.Sqrt(update.WidthRatio(config));
            output &= update.BaseLayerCount is null;
        }
        if (Scheme == InitializationScheme.Truncated) return new(WeightKind.Normal, deviation, 3 * deviation);
        return new(WeightKind.Normal, output ? deviation / Math.Sqrt(2.0 * config.LayerCount) : deviation);
    }

    private static bool Is(string name, string projection) => name.EndsWith($".{projection}.weight", StringComparison.Ordinal);

    /// <summary>i of <c>model.layers.{i}.</c></summary>
    private static int Layer(string name) => int.Parse(name.Split('.')[2], CultureInfo.InvariantCulture);
}
