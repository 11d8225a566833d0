using System.Text.Json.Nodes;
using Finery.Data.Tokenizers;

namespace Finery.Data.Filters;

/// <summary>Counts a document's tokens into its metadata; the tokenizer is loaded once and shared by all threads.</summary>
public sealed record TokenCountFilter : DocumentFilter
{
    private OnDemand<Tokenizer> _tokenizer;

    [ThreadStatic]
    private static List<int>? t_ids;

    /// <summary>A tokenizer's folder, its <c>tokenizer.json</c> or a <c>.tiktoken</c> file.</summary>
    public string? Tokenizer { get; init; }

    /// <summary>Key of the count.</summary>
    public string Key { get; init; } = "token_count";

    /// <summary>Whether a document that has a count already is counted again.</summary>
    public bool Recount { get; init; } = true;

    /// <summary>Fewest tokens kept; below: <c>too_few_tokens</c>.</summary>
    public int MinTokens { get; init; }

    /// <summary>Most tokens kept; above: <c>too_many_tokens</c>; 0 for no bound.</summary>
    public int MaxTokens { get; init; }

    /// <inheritdoc/>
    public override void Apply(WorkingDocument document)
    {
        if (Recount || MetadataFilter.NumberOf(document.Document.Metadata[Key]) is not { } tokens)
        {
            var count = Count(document.Text);
            document.SetMetadata(Key, JsonValue.Create(count));
            tokens = count;
        }
        _ = document.RejectBelow("too_few_tokens", tokens, MinTokens)
            || (MaxTokens > 0 && document.RejectAbove("too_many_tokens", tokens, MaxTokens));
    }

    /// <summary>Settings that cannot work.</summary>
    public IEnumerable<(string Property, string Message)> Validate()
    {
        if (string.IsNullOrEmpty(Tokenizer))
            yield return (nameof(Tokenizer), "A tokenizer is needed: a folder, its tokenizer.json or a .tiktoken file.");
    }

    private int Count(string text)
    {
        var tokenizer = _tokenizer.Get(this, static s =>
            string.IsNullOrEmpty(s.Tokenizer) ? throw new InvalidOperationException("token_count needs the setting 'tokenizer'.")
            : s.Tokenizer.EndsWith(".tiktoken", StringComparison.OrdinalIgnoreCase) ? TiktokenFile.Load(s.Tokenizer)
            : TokenizerFile.Load(s.Tokenizer));
        var ids = t_ids ??= [];
        ids.Clear();
        tokenizer.Encode(text, ids);
        return ids.Count;
    }
}
