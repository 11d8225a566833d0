namespace Finery.Data.Tokenizers;

/// <summary>A chat template among several.</summary>
/// <param name="Name">What it is for: <c>default</c>, <c>tool_use</c>, <c>rag</c>.</param>
/// <param name="Template">Its Jinja text.</param>
public sealed record NamedTemplate(string Name, string Template);

/// <summary>What <c>tokenizer_config.json</c> and the files beside it add to <c>tokenizer.json</c>. One that was read keeps
/// everything else in those files too, and is written back as it was except where a property here has changed. Two are equal
/// if the same is written for both.</summary>
public sealed record TokenizerConfig
{
    /// <summary>Text of the token that begins a document, if any.</summary>
    public string? BosToken { get; init; }

    /// <summary>Text of the token that ends a document (or a reply, in a chat model), if any.</summary>
    public string? EosToken { get; init; }

    /// <summary>Text of the padding token, if any.</summary>
    public string? PadToken { get; init; }

    /// <summary>Text of the token for what the vocabulary lacks, if any.</summary>
    public string? UnkToken { get; init; }

    /// <summary>Whether encoding with special tokens puts the begin token first; null leaves that to <c>tokenizer.json</c>.</summary>
    public bool? AddBosToken { get; init; }

    /// <summary>Whether encoding with special tokens puts the end token last; null leaves that to <c>tokenizer.json</c>.</summary>
    public bool? AddEosToken { get; init; }

    /// <summary>HF's clean-up of spaces before punctuation when decoding. Kept, never done here: it loses text.</summary>
    public bool? CleanUpTokenizationSpaces { get; init; }

    /// <summary>Longest input of the model, in tokens, if known.</summary>
    public long? ModelMaxLength { get; init; }

    /// <summary>Jinja text of the chat template, if any; of several, the one named default.</summary>
    public string? ChatTemplate { get; init; }

    /// <summary>All chat templates, where the file lists several by name; else empty.</summary>
    public IReadOnlyList<NamedTemplate> NamedTemplates { get; internal init; } = [];

    internal TokenizerConfigSource? Source { get; init; }

    /// <inheritdoc/>
    public bool Equals(TokenizerConfig? other) => other is not null && ChatTemplate == other.ChatTemplate
        && TokenizerConfigFile.ToJson(this) == TokenizerConfigFile.ToJson(other);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(BosToken, EosToken, PadToken, ModelMaxLength, ChatTemplate);
}
