namespace Finery.Data.Tokenizers;

/// <summary>What a tokenizer is made of.</summary>
/// <param name="Kind">Its model.</param>
/// <param name="Tokens">Its tokens: fewer than its size where ids have holes.</param>
/// <param name="Merges">Merges of a BPE model.</param>
/// <param name="Split">How text is cut: a <see cref="SplitPattern"/>, or null for any other way.</param>
public sealed record TokenizerDescription(string Kind, int Tokens, int Merges, SplitPattern? Split)
{
    /// <summary>Describes a tokenizer.</summary>
    public static TokenizerDescription Of(Tokenizer tokenizer) => new(
        tokenizer.Model.Scores is not null ? "Unigram" : tokenizer.IsByteLevelBpe ? "byte-level BPE" : "BPE",
        Enumerable.Range(0, tokenizer.VocabSize).Count(tokenizer.HasToken), tokenizer.Model.Merges.Length, tokenizer.Pattern);
}
