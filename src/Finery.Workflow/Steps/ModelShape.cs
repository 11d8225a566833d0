using System.ComponentModel.DataAnnotations;
using Finery.Models;
using Finery.Tensors;

namespace Finery.Workflow.Steps;

/// <summary>Shape of a Llama model, as recipes give it: sizes, or a published shape that a dial makes smaller, of which single settings
/// may differ.</summary>
public sealed record ModelShape
{
    // A small model that trains in minutes.
    private static readonly ModelConfig Small = new()
    {
        VocabSize = 512, EmbeddingSize = 128, LayerCount = 4, HeadCount = 4, KvHeadCount = 2, HeadSize = 32, FeedForwardSize = 352,
        SequenceLength = 256,
    };

    /// <summary>A published shape (<see cref="ModelPresets"/>), such as <c>smollm3-3b</c>; null for <c>d128 L4 h4 kv2 ff352</c>.</summary>
    public string? Preset { get; init; }

    /// <summary>Factor on width and depth of the preset, from 0 to 1; proportions stay.</summary>
    [Range(0.0, 1.0, MinimumIsExclusive = true)]
    public double? Dial { get; init; }

    /// <summary>Most parameters, in place of the dial: the largest model of the preset's proportions that has no more.</summary>
    [Range(1, long.MaxValue)]
    public long? Parameters { get; init; }

    /// <summary>Decoder layers.</summary>
    public int? Layers { get; init; }

    /// <summary>Model width D.</summary>
    public int? Width { get; init; }

    /// <summary>Query heads.</summary>
    public int? Heads { get; init; }

    /// <summary>Key and value heads.</summary>
    public int? KvHeads { get; init; }

    /// <summary>Width of a head; where width or heads are given, <c>width / heads</c> without it.</summary>
    public int? HeadSize { get; init; }

    /// <summary>Width of the gated feed-forward layer.</summary>
    public int? FeedForward { get; init; }

    /// <summary>Whether the output head is the embedding table.</summary>
    public bool? TieEmbeddings { get; init; }

    /// <summary>Base of the rotary frequencies.</summary>
    public double? RopeTheta { get; init; }

    /// <summary>Every how many layers one has no rotary embedding; 0 for none.</summary>
    public int? NoRopeInterval { get; init; }

    /// <summary>Added to mean squares before a norm's root.</summary>
    public float? RmsNormEpsilon { get; init; }

    /// <summary>Whether queries and keys are normalised.</summary>
    public bool QkNorm { get; init; }

    /// <summary>Bound on attention scores; 0 for none.</summary>
    public float AttentionSoftcap { get; init; }

    /// <summary>Bound on logits; 0 for none.</summary>
    public float LogitSoftcap { get; init; }

    /// <summary>How logits are bounded.</summary>
    public SoftcapCurve LogitSoftcapCurve { get; init; }

    /// <summary>muP, and CompleteP with a base depth.</summary>
    public MaximalUpdate? MaximalUpdate { get; init; }

    /// <summary>Rules between settings.</summary>
    public IEnumerable<(string Property, string Message)> Validate()
    {
        if (Preset is not null && !ModelPresets.All.Any(preset => Is(preset, Preset)))
            yield return (nameof(Preset), $"there is no shape '{Preset}'; there are {string.Join(", ", ModelPresets.All.Select(preset => preset.Name))}");
        if (Preset is null && (Dial ?? Parameters) is not null)
            yield return (Dial is null ? nameof(Parameters) : nameof(Dial), "'dial' and 'parameters' make a 'preset' smaller: name one");
        if (Dial is not null && Parameters is not null) yield return (nameof(Parameters), "give 'dial' or 'parameters', not both");
        if (Heads <= 0) yield return (nameof(Heads), $"'heads' is {Heads}; it must be positive");
    }

    /// <summary>The model configuration for a vocabulary and sequence length.</summary>
    /// <exception cref="ArgumentException">There is no such preset, or none of its proportions as small as asked.</exception>
    public ModelConfig ToConfig(int vocabSize, int sequenceLength, int? bosId, int? eosId)
    {
        var shape = Preset is null ? Small with { VocabSize = vocabSize, SequenceLength = sequenceLength }
            : Parameters is { } most ? ModelPresets.Find(Preset).Pretraining.ScaledTo(most, vocabSize, sequenceLength)
            : ModelPresets.Find(Preset).Pretraining.Scaled(Dial ?? 1, vocabSize, sequenceLength);
        int width = Width ?? shape.EmbeddingSize, heads = Heads ?? shape.HeadCount;
        return shape with
        {
            EmbeddingSize = width,
            LayerCount = Layers ?? shape.LayerCount,
            HeadCount = heads,
            KvHeadCount = KvHeads ?? shape.KvHeadCount,
            HeadSize = HeadSize ?? (Width is null && Heads is null ? shape.HeadSize : width / heads),
            FeedForwardSize = FeedForward ?? shape.FeedForwardSize,
            TieEmbeddings = TieEmbeddings ?? shape.TieEmbeddings,
            RopeTheta = RopeTheta ?? shape.RopeTheta,
            NoRopeInterval = NoRopeInterval ?? shape.NoRopeInterval,
            RmsNormEpsilon = RmsNormEpsilon ?? shape.RmsNormEpsilon,
            QkNorm = QkNorm,
            AttentionSoftcap = AttentionSoftcap,
            LogitSoftcap = LogitSoftcap,
            LogitSoftcapCurve = LogitSoftcapCurve,
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
        HeadSize = config.HeadSize, FeedForward = config.FeedForwardSize, TieEmbeddings = config.TieEmbeddings, RopeTheta = config.RopeTheta,
        NoRopeInterval = config.NoRopeInterval, RmsNormEpsilon = config.RmsNormEpsilon, QkNorm = config.QkNorm,
        AttentionSoftcap = config.AttentionSoftcap, LogitSoftcap = config.LogitSoftcap, LogitSoftcapCurve = config.LogitSoftcapCurve,
        MaximalUpdate = config.MaximalUpdate,
    };

    /// <summary>Shape in short, such as <c>d192 L6 h6 kv2 ff512</c>.</summary>
    public override string ToString()
    {
        var config = ToConfig(Small.VocabSize, Small.SequenceLength, null, null);
        return $"d{config.EmbeddingSize} L{config.LayerCount} h{config.HeadCount} kv{config.KvHeadCount} ff{config.FeedForwardSize}";
    }

    private static bool Is(ModelPreset preset, string name) => string.Equals(preset.Name, name, StringComparison.OrdinalIgnoreCase);
}
