namespace Finery.Data.Tokenizers;

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
