using Finery.Models;

namespace Finery.Training.Optimizers;

/// <summary>The part of <see cref="MaximalUpdate"/> that an optimizer does.</summary>
public static class MaximalUpdateGroups
{
    /// <summary>Names of the matrices inside layers.</summary>
    public const string HiddenMatrices = @"^model\.layers\.\d+\.(self_attn|mlp)\.(qkv|o|gate_up|down)_proj\.weight$";

    /// <summary>Parameter groups of Adam (pretraining reference 6): hidden matrices learn at <c>1/m_d</c> of the rate; with a base depth
    /// (CompleteP) they decay by <c>m_d</c> times as much and have an epsilon <c>1/(m_d m_L)</c> as large. Embeddings, head and norms keep
    /// the optimizer's own settings.</summary>
    /// <param name="config">Of the model.</param>
    /// <param name="weightDecay">The optimizer's own.</param>
    /// <returns>Empty in the standard parametrisation.</returns>
    public static IReadOnlyList<ParameterGroup> ParameterGroups(this ModelConfig config, double weightDecay)
    {
        if (config.MaximalUpdate is not { } update) return [];
        double width = update.WidthRatio(config), depth = update.DepthRatio(config);
        bool complete = update.BaseLayerCount is not null;
        return
        [
            new()
            {
                Pattern = HiddenMatrices,
                RateScale = 1 / width,
                WeightDecay = complete ? weightDecay * width : null,
                EpsilonScale = complete ? 1 / (width * depth) : 1,
            },
        ];
    }

    /// <summary>An optimizer's settings with these groups behind its own, which win where they name the same parameters.</summary>
    /// <param name="settings">Of AdamW, or another optimizer whose updates do not depend on the size of gradients.</param>
    /// <param name="config">Of the model.</param>
    public static OptimizerSettings ForMaximalUpdate(this OptimizerSettings settings, ModelConfig config) =>
        settings with { Groups = [.. settings.Groups, .. config.ParameterGroups(settings.WeightDecay)] };
}
