namespace Finery.Data.Tokenizers;

/// <summary>The model behind pre-tokenization: one chunk to ids. Immutable and thread-safe.</summary>
internal abstract class ChunkModel
{
    /// <summary>Appends the ids of one chunk of valid UTF-8.</summary>
    public abstract void Encode(ReadOnlySpan<byte> chunk, List<int> destination);
}
