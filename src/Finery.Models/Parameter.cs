using Finery.Tensors;

namespace Finery.Models;

/// <summary>One trainable tensor, as the optimizer sees it: fused projections are one.</summary>
/// <param name="Name">Stable name, for optimizer state and reports.</param>
/// <param name="Weight">Values; <see cref="Tensor.Gradient"/> is set in a trainable model.</param>
/// <param name="Decays">Whether weight decay applies: to linear layers, not to norms or the embedding table (nor a head tied to
/// it).</param>
public sealed record Parameter(string Name, Tensor Weight, bool Decays)
{
    /// <summary>Rows of each matrix that <see cref="Weight"/> is made of: one for a projection inside a layer, several for fused ones.
    /// Empty for embedding, head and norms, whose rows or elements do not act as one map.</summary>
    public IReadOnlyList<int> Matrices { get; init; } = [];
}
