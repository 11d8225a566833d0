namespace Finery.Data.Tokenizers;

/// <summary>A token matched in text before any merging: a control token (<paramref name="Special"/>), which is matched only
/// where the caller allows it, or a plain addition to the vocabulary, which is always matched.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Content">The text it stands for.</param>
/// <param name="Special">True for control tokens: they decode to nothing when special tokens are skipped and count 0
/// bytes.</param>
/// <param name="Normalized">Matched in normalised text, by its normalised content, rather than in the text as given; tokens
/// of the latter kind go first.</param>
public sealed record AddedToken(int Id, string Content, bool Special = true, bool Normalized = false)
{
    /// <summary>Matched only where no word character stands directly before or behind it.</summary>
    public bool SingleWord { get; init; }

    /// <summary>Takes white space before it into itself.</summary>
    public bool StripsLeft { get; init; }

    /// <summary>Takes white space behind it into itself.</summary>
    public bool StripsRight { get; init; }

    /// <summary>Whether the file lists it in the model's vocabulary as well (as HF's trainer does).</summary>
    internal bool InVocabulary { get; init; } = true;
}
