namespace Finery.Data.Tokenizers;

/// <summary>One thread's encoder of text: splits it and turns the chunks into ids. Not thread-safe, as it owns buffers and a
/// cache; a <see cref="Tokenizer"/> keeps a pool of them. What was encoded before never changes a result.</summary>
internal abstract class TextEncoder
{
    /// <summary>Appends the ids of valid UTF-8, normalised, in which no added token is to be found.</summary>
    public abstract void Encode(ReadOnlySpan<byte> utf8, List<int> destination);
}
