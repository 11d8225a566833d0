namespace Finery.Data.Tokenizers;

/// <summary>Rewrites text before it is split. Immutable and thread-safe.</summary>
internal abstract record Normalizer
{
    /// <summary>The text rewritten, or null where nothing changes.</summary>
    /// <param name="text">Valid UTF-8, not empty.</param>
    public abstract byte[]? Apply(ReadOnlySpan<byte> text);
}
