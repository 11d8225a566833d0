namespace Finery.Models;

/// <summary>Parameters of a model by what they are part of.</summary>
/// <param name="Embedding">Of the embedding table.</param>
/// <param name="Attention">Of the query, key, value and output projections.</param>
/// <param name="FeedForward">Of gate, up and down projections.</param>
/// <param name="Norms">Gains.</param>
/// <param name="Head">Of the output head; 0 where it is the embedding table.</param>
public sealed record ParameterParts(long Embedding, long Attention, long FeedForward, long Norms, long Head)
{
    /// <summary>All of them.</summary>
    public long Total => Embedding + Attention + FeedForward + Norms + Head;
}
