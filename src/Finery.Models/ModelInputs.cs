using Finery.Tensors;

namespace Finery.Models;

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

    /// <summary>Takes tokens first..first + N - 1 of a longer flat batch.</summary>
    /// <param name="ids">Token ids.</param>
    /// <param name="positions">Positions within the document segments.</param>
    /// <param name="starts">Flat indexes of the first tokens of the segments, none of them before <paramref name="first"/>.</param>
    /// <param name="first">First token to take.</param>
    public void Load(ReadOnlySpan<int> ids, ReadOnlySpan<int> positions, ReadOnlySpan<int> starts, int first)
    {
        ids.Slice(first, tokens).CopyTo(Ids.Integers);
        positions.Slice(first, tokens).CopyTo(Positions.Integers);
        var mine = Starts.Integers;
        for (int i = 0; i < mine.Length; i++) mine[i] = starts[first + i] - first;
    }
}
