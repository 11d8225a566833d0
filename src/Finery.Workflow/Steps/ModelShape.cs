using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using Finery.Models;

namespace Finery.Workflow.Steps;

/// <summary>Shape of a model, as recipes give it: from its sizes, or from a published model scaled down by one dial.</summary>
public sealed record ModelShape
{
    /// <summary>A published model to take all proportions from (<see cref="ModelPresets"/>), and with them its way of rotation and tying.</summary>
    [Description("a published model to take the proportions of: llama3.1-405b, smollm3-3b, ...")]
    public string? Preset { get; init; }

    /// <summary>Width and depth as a share of the published ones.</summary>
    [Description("with preset: width and depth as a share of the published ones"), Range(0.0, 1.0, MinimumIsExclusive = true)]
    public double Dial { get; init; } = 1;

    /// <summary>Decoder layers.</summary>
    [Description("decoder layers")]
    public int Layers { get; init; } = 4;

    /// <summary>Model width D.</summary>
    [Description("width of the residual stream")]
    public int Width { get; init; } = 128;

    /// <summary>Query heads.</summary>
    [Description("query heads")]
    public int Heads { get; init; } = 4;

    /// <summary>Key and value heads.</summary>
    [Description("key and value heads")]
    public int KvHeads { get; init; } = 2;

    /// <summary>Width of the gated feed-forward layer.</summary>
    [Description("width of the gated feed-forward layer")]
    public int FeedForward { get; init; } = 352;

    /// <summary>Width of a head; null for the model's width over its heads.</summary>
    [Description("width of a head; by default the model's width over its heads")]
    public int? HeadSize { get; init; }

    /// <summary>Whether the output head is the embedding table.</summary>
    [Description("use the embedding table as the output head")]
    public bool? TieEmbeddings { get; init; }

    /// <summary>Base of the rotary frequencies.</summary>
    [Description("base of the rotary frequencies"), Range(1.0, 1e12)]
    public double? RopeTheta { get; init; }

    /// <summary>Every how many layers one has no rotary embedding; 0 for none.</summary>
    [Description("every how many layers one has no rotary embedding (SmolLM3: 4); 0 for none")]
    public int? NoRopeInterval { get; init; }

    /// <summary>Whether queries and keys are normalised.</summary>
    [Description("normalise queries and keys, head by head")]
    public bool QkNorm { get; init; }

    /// <summary>Bound on attention scores; 0 for none.</summary>
    [Description("bound on attention scores; 0 for none"), Range(0.0, 1e6)]
    public double AttentionSoftcap { get; init; }

    /// <summary>Bound on logits; 0 for none.</summary>
    [Description("bound on logits; 0 for none"), Range(0.0, 1e6)]
    public double LogitSoftcap { get; init; }

    /// <summary>muP or CompleteP.</summary>
    [Description("keep the best learning rate the same for all widths (muP) and depths (CompleteP)")]
    public MaximalUpdate? MaximalUpdate { get; init; }

    /// <summary>Reasons why there is no such model; empty where there is.</summary>
    public IEnumerable<(string Property, string Message)> Validate()
    {
        string? unknown = null;
        try
        {
            if (Preset is not null) ModelPresets.Find(Preset);
        }
        catch (ArgumentException exception)
        {
            unknown = exception.Message;
        }
        if (unknown is not null) yield return (nameof(Preset), unknown);
        else foreach (string error in ToConfig(512, 64, null, null).Validate()) yield return (nameof(Layers), error);
    }

    /// <summary>The model configuration for a vocabulary and sequence length.</summary>
    public ModelConfig ToConfig(int vocabSize, int sequenceLength, int? bosId, int? eosId)
    {
        var config = Preset is { } name ? ModelPresets.Find(name).Pretraining.Scaled(Dial, vocabSize, sequenceLength) : new ModelConfig
        {
            VocabSize = vocabSize,
            EmbeddingSize = Width,
            LayerCount = Layers,
            HeadCount = Heads,
            KvHeadCount = KvHeads,
            HeadSize = HeadSize ?? Width / Math.Max(1, Heads),
            FeedForwardSize = FeedForward,
            SequenceLength = sequenceLength,
        };
        return config with
        {
            TieEmbeddings = TieEmbeddings ?? config.TieEmbeddings,
            RopeTheta = RopeTheta ?? config.RopeTheta,
            NoRopeInterval = NoRopeInterval ?? config.NoRopeInterval,
            QkNorm = QkNorm,
            AttentionSoftcap = (float)AttentionSoftcap,
            LogitSoftcap = (float)LogitSoftcap,
            MaximalUpdate = MaximalUpdate,
            BosId = bosId,
            EosIds = eosId is { } id ? [id] : [],
            PadId = null,
        };
    }

    /// <summary>Reads the shape of an existing configuration.</summary>
    public static ModelShape Of(ModelConfig config) => new()
    {
        Layers = config.LayerCount, Width = config.EmbeddingSize, Heads = config.HeadCount, KvHeads = config.KvHeadCount,
        FeedForward = config.FeedForwardSize,
    };

    /// <summary>Shape in short, such as <c>d192 L6 h6 kv2 ff512</c>.</summary>
    public override string ToString() => Preset is null ? $"d{Width} L{Layers} h{Heads} kv{KvHeads} ff{FeedForward}"
        : string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{Preset} x {Dial}");
}
