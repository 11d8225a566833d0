using System.Text.Json;

namespace Finery.Data.Tokenizers;

/// <summary>What defines a tokenizer, as trained or as read from a file; <see cref="Tokenizer"/> checks and indexes it.</summary>
internal sealed record TokenizerModel
{
    /// <summary>Text of every id: mapped characters for byte-level tokens, plain text for added ones.</summary>
    public required string[] Tokens { get; init; }

    /// <summary>Merged pairs of ids by rank.</summary>
    public required (int Left, int Right)[] Merges { get; init; }

    /// <summary>Added tokens, by id.</summary>
    public required AddedToken[] Added { get; init; }

    /// <summary>How text is cut, where a scanner does it.</summary>
    public required SplitPattern? Pattern { get; init; }

    /// <summary>By id: whether there is no token (its text is then empty); null where every id has one.</summary>
    public bool[]? Holes { get; init; }

    public bool IgnoreMerges { get; init; }

    public required TokenizerLayout Layout { get; init; }

    public TokenizerConfig Config { get; init; } = new();
}

/// <summary>Parts of <c>tokenizer.json</c> which have no effect on ids beyond what the model says, kept to be written back as
/// they were read.</summary>
internal sealed record TokenizerLayout(
    JsonElement PreTokenizer, JsonElement PostProcessor, JsonElement Decoder, JsonElement UnknownToken,
    JsonElement SubwordPrefix, JsonElement WordSuffix, bool FuseUnknown)
{
    /// <summary>The layout of Llama-3's file, or of GPT-2's: a decoder and pre-tokenizer HF loads, and, where there is a
    /// begin token, a post-processor that puts it before plain text (never used for chat: the template writes its own).</summary>
    public static TokenizerLayout Create(SplitPattern pattern, string? bos, int bosId)
    {
        const string ByteLevel = """{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":false}""";
        const string WithRegex = """{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":true}""";
        string split = JsonPrinter.Quote(Tokenizers.PreTokenizer.Regex(SplitPattern.Llama3));
        string preTokenizer = pattern == SplitPattern.Gpt2 ? WithRegex : $$"""
            {"type":"Sequence","pretokenizers":[
              {"type":"Split","pattern":{"Regex":{{split}}},"behavior":"Isolated","invert":false},
              {{ByteLevel}}]}
            """;
        string name = JsonPrinter.Quote(bos ?? "");
        string postProcessor = bos is null ? ByteLevel : $$$"""
            {"type":"Sequence","processors":[{{{ByteLevel}}},
              {"type":"TemplateProcessing",
               "single":[{"SpecialToken":{"id":{{{name}}},"type_id":0}},{"Sequence":{"id":"A","type_id":0}}],
               "pair":[{"SpecialToken":{"id":{{{name}}},"type_id":0}},{"Sequence":{"id":"A","type_id":0}},
                       {"SpecialToken":{"id":{{{name}}},"type_id":1}},{"Sequence":{"id":"B","type_id":1}}],
               "special_tokens":{ {{{name}}}:{"id":{{{name}}},"ids":[{{{bosId}}}],"tokens":[{{{name}}}]} } }]}
            """;
        JsonElement none = Parse("null");
        return new TokenizerLayout(Parse(preTokenizer), Parse(postProcessor), Parse(WithRegex), none, none, none, false);
    }

    private static JsonElement Parse(string json)
    {
        using var document = JsonDocument.Parse(json);
        return document.RootElement.Clone();
    }
}
