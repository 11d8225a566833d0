namespace Finery.Data.Tokenizers;

/// <summary>What a tokenizer is made of.</summary>
/// <param name="Kind">Its model.</param>
/// <param name="Merges">Merges of a BPE model.</param>
/// <param name="Split">How text is cut: a <see cref="SplitPattern"/>.</param>
public sealed record TokenizerDescription(string Kind, int Merges, string Split)
{
    /// <summary>Describes a tokenizer.</summary>
    public static TokenizerDescription Of(Tokenizer tokenizer) =>
        new("byte-level BPE", tokenizer.Model.Merges.Length, tokenizer.Pattern.ToString());
}
