using System.Globalization;
using Finery.Tensors;

namespace Finery.Training.Optimizers;

/// <summary>QK-clip (Kimi K2, arXiv 2507.20534; pretraining reference 2.3): heads whose largest attention logit of a step exceeded a
/// threshold have their query and key projections scaled back to it.</summary>
/// <remarks>Meaningless for a model that normalises queries and keys: their projections then do not set the size of logits.</remarks>
public sealed record QkClipSettings
{
    /// <summary>tau, in units of scaled scores.</summary>
    public double Threshold { get; init; } = 100;

    /// <summary>Which rows are scaled.</summary>
    public QkClipRule Rule { get; init; } = QkClipRule.ByShape;

    /// <summary>Everything wrong with these settings; empty where nothing is.</summary>
    public IEnumerable<(string Property, string Message)> Validate()
    {
        if (!(Threshold > 0 && double.IsFinite(Threshold)))
            yield return (nameof(Threshold), string.Create(CultureInfo.InvariantCulture, $"threshold is {Threshold}; it must be positive"));
    }
}
