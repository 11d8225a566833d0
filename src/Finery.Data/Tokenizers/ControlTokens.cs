namespace Finery.Data.Tokenizers;

/// <summary>The control tokens of tokenizers trained here, at ids 0 to 4 in this order.</summary>
public static class ControlTokens
{
    /// <summary>Begins every document and every conversation.</summary>
    public const string BeginOfText = "<|begin_of_text|>";

    /// <summary>Ends every document.</summary>
    public const string EndOfText = "<|end_of_text|>";

    /// <summary>Begins a turn of a conversation.</summary>
    public const string TurnStart = "<|im_start|>";

    /// <summary>Ends a turn of a conversation: what a chat model emits when it is done.</summary>
    public const string TurnEnd = "<|im_end|>";

    /// <summary>Fills rows; never a target.</summary>
    public const string Pad = "<|pad|>";

    /// <summary>All five, in id order.</summary>
    public static IReadOnlyList<string> All { get; } = [BeginOfText, EndOfText, TurnStart, TurnEnd, Pad];
}

/// <summary>A token matched in text before any merging: a control token (<paramref name="Special"/>), which is matched only
/// where the caller allows it, or a plain addition to the vocabulary, which is always matched.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Content">The text it stands for.</param>
/// <param name="Special">True for control tokens: they decode to nothing when special tokens are skipped and count 0
/// bytes.</param>
/// <param name="Normalized">HF's flag, kept as read; it changes nothing, as no normaliser is supported.</param>
public sealed record AddedToken(int Id, string Content, bool Special = true, bool Normalized = false)
{
    /// <summary>Whether the file lists it in the model's vocabulary as well (as HF's trainer does).</summary>
    internal bool InVocabulary { get; init; } = true;
}

/// <summary>What <c>tokenizer_config.json</c> adds to <c>tokenizer.json</c>.</summary>
public sealed record TokenizerConfig
{
    /// <summary>Text of the token that begins a document, if any.</summary>
    public string? BosToken { get; init; }

    /// <summary>Text of the token that ends a document (or a reply, in a chat model), if any.</summary>
    public string? EosToken { get; init; }

    /// <summary>Text of the padding token, if any.</summary>
    public string? PadToken { get; init; }

    /// <summary>Longest input of the model, in tokens, if known.</summary>
    public long? ModelMaxLength { get; init; }

    /// <summary>Jinja text of the chat template, if any.</summary>
    public string? ChatTemplate { get; init; }
}
