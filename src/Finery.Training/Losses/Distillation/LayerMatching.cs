using System.ComponentModel;
using System.Globalization;
using Finery.Models;
using Finery.Tensors;

namespace Finery.Training.Losses.Distillation;

/// <summary>What goes on inside layers of the model compared with the teacher's (pretraining reference 4.2): layer l of L reads layer
/// <c>round(l L'/L)</c> of L'.</summary>
public abstract record LayerMatching
{
    /// <summary>Weight of the mean over layers and tokens, beside the other terms.</summary>
    [Description("weight of the mean over layers and tokens")]
    public double Weight { get; init; } = 0.1;

    /// <summary>Layers of the model, from 1; null for the last alone.</summary>
    [Description("layers of the model, from 1; default the last")]
    public IReadOnlyList<int>? Layers { get; init; }

    /// <summary>All that decides results, in words.</summary>
    internal virtual string Description => string.Create(CultureInfo.InvariantCulture,
        $"x {Weight:R} of {(Layers is null ? "last" : string.Join(",", Layers))}");

    /// <summary>Pairs of layers, from 1, in the order of the model's.</summary>
    internal (int Layer, int Teacher)[] Pairs(ModelConfig model, ModelConfig teacher) =>
    [
        .. (Layers ?? [model.LayerCount]).Order().Select(layer =>
            (layer, Math.Max(1, (int)Math.Round((double)layer * teacher.LayerCount / model.LayerCount)))),
    ];

    /// <summary>Everything wrong with these settings.</summary>
    internal IEnumerable<string> Faults()
    {
        if (!(Weight >= 0 && double.IsFinite(Weight))) yield return $"weight {Weight}; expected a finite number from 0.";
        if (Layers is { } layers && (layers.Count == 0 || layers.Distinct().Count() != layers.Count || layers.Any(layer => layer < 1)))
            yield return $"layers [{string.Join(", ", layers)}]; expected different numbers from 1.";
    }
}

/// <summary>Matching of hidden states inside the model with the teacher's.</summary>
public sealed record FeatureMatching : LayerMatching
{
    /// <summary><c>||W h - h'||^2 / D'</c>, or one minus the cosine of h and h', which has a W only where widths differ.</summary>
    [Description("how far hidden states are apart")]
    public RowMeasure Measure { get; init; }

    internal override string Description => $"features {Measure} {base.Description}";
}

/// <summary>Matching of the attention inside the model with the teacher's: <c>KL(m' || m)</c> of the means over heads of the probabilities
/// that a token gives to those before it, so that numbers of heads may differ (see <see cref="Kernels.AttentionDivergenceForward"/>).</summary>
public sealed record AttentionMatching : LayerMatching
{
    internal override string Description => $"attention {base.Description}";
}
