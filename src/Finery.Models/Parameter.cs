using Finery.Tensors;

namespace Finery.Models;

/// <summary>One trainable tensor, as the optimizer sees it: fused projections are one.</summary>
/// <param name="Name">Stable name, for optimizer state and reports.</param>
/// <param name="Weight">Values; <see cref="Tensor.Gradient"/> is set in a trainable model.</param>
/// <param name="Decays">Whether weight decay applies: to linear layers, not to norms or the embedding table (nor a head tied to it).</param>
public sealed record Parameter(string Name, Tensor Weight, bool Decays);

/// <summary>What a model reads besides its weights, as flat rows of tokens; filled before each replay.</summary>
/// <param name="arena">Holds the tensors.</param>
/// <param name="tokens">N.</param>
public sealed class ModelInputs(Arena arena, int tokens)
{
    /// <summary>I32 [N]: token ids in [0, V).</summary>
    public Tensor Ids { get; } = arena.Integers("ids", tokens);

    /// <summary>I32 [N]: position within the document segment.</summary>
    public Tensor Positions { get; } = arena.Integers("positions", tokens);

    /// <summary>I32 [N]: flat index of the first token of each token's document segment. Unused with a cache.</summary>
    public Tensor Starts { get; } = arena.Integers("starts", tokens);

    /// <summary>N.</summary>
    public int Tokens => tokens;
}
