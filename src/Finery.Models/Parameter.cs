using Finery.Tensors;

namespace Finery.Models;

/// <summary>One trainable tensor, as the optimizer sees it: fused projections are one.</summary>
/// <param name="Name">Stable name, for optimizer state and reports.</param>
/// <param name="Weight">Values; <see cref="Tensor.Gradient"/> is set in a trainable model.</param>
/// <param name="Decays">Whether weight decay applies: to linear layers, not to norms or the embedding table (nor a head tied to
/// it).</param>
public sealed record Parameter(string Name, Tensor Weight, bool Decays);
