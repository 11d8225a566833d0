using System.Text.Json;

namespace Finery.Data.Tokenizers;

/// <summary>What defines a tokenizer, as trained or as read from a file; <see cref="Tokenizer"/> checks and indexes it.</summary>
internal sealed record TokenizerModel
{
    /// <summary>Text of every id: mapped characters for byte-level tokens, plain text for others and added ones.</summary>
    public required string[] Tokens { get; init; }

    /// <summary>By id: whether there is no token (its text is then empty); null where every id has one.</summary>
    public bool[]? Holes { get; init; }

    /// <summary>Ids in the order in which the file lists them, where that is not ascending (HF's is).</summary>
    public int[]? Order { get; init; }

    /// <summary>Merged pairs of ids by rank; none for a Unigram model.</summary>
    public required (int Left, int Right)[] Merges { get; init; }

    /// <summary>Log probabilities of a Unigram model's pieces, by id; null for BPE.</summary>
    public double[]? Scores { get; init; }

    /// <summary>Added tokens, by id.</summary>
    public required AddedToken[] Added { get; init; }

    /// <summary>How text is cut, where a scanner does it; <see cref="Tokenizer"/> takes it from the layout.</summary>
    public SplitPattern? Pattern { get; init; }

    public bool IgnoreMerges { get; init; }

    public required TokenizerLayout Layout { get; init; }

    public TokenizerConfig Config { get; init; } = new();
}

/// <summary>The fields of a <c>tokenizer.json</c> in their order, to be written back as they were read. Undefined stands where
/// what is written comes from the <see cref="TokenizerModel"/>: vocabulary, merges, added tokens unless they are still those
/// read.</summary>
/// <param name="File">Fields of the file but for <c>model</c>.</param>
/// <param name="Model">Fields of its <c>model</c>.</param>
internal sealed record TokenizerLayout(
    IReadOnlyList<(string Name, JsonElement Value)> File, IReadOnlyList<(string Name, JsonElement Value)> Model)
{
    /// <summary>A field of the file, JSON's null if absent.</summary>
    public JsonElement Component(string name) => Find(File, name);

    /// <summary>A field of the model, JSON's null if absent.</summary>
    public JsonElement Option(string name) => Find(Model, name);

    /// <summary>A text among the model's fields.</summary>
    public string? Text(string option) => Option(option) switch
    {
        { ValueKind: JsonValueKind.Null } => null,
        { ValueKind: JsonValueKind.String } value => value.GetString(),
        _ => throw new InvalidDataException($"model \"{option}\" is not a string"),
    };

    /// <summary>A flag among the model's fields, false if absent.</summary>
    public bool Flag(string option) => Option(option).ValueKind switch
    {
        JsonValueKind.True => true,
        JsonValueKind.False or JsonValueKind.Null => false,
        _ => throw new InvalidDataException($"model \"{option}\" is not true or false"),
    };

    /// <summary>The layout of Llama-3's file, or of GPT-2's: a decoder and pre-tokenizer HF loads, and, where there is a
    /// begin token, a post-processor that puts it before plain text (never used for chat: the template writes its own).</summary>
    public static TokenizerLayout Create(SplitPattern pattern, string? bos, int bosId) => With(pattern switch
    {
        SplitPattern.Gpt2 => WithRegex,
        SplitPattern.SmolLm => Steps("""{"type":"Digits","individual_digits":true}""", WithRegex),
        _ => SplitBy(PreTokenizer.Regex(pattern)),
    }, bos, bosId);

    /// <summary>The same for a split by any regular expression.</summary>
    public static TokenizerLayout Create(string regex, string? bos, int bosId) => With(SplitBy(regex), bos, bosId);

    private const string ByteLevel = """{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":false}""";
    private const string WithRegex = """{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":true}""";

    private static string Steps(params string[] parts) =>
        $$"""{"type":"Sequence","pretokenizers":[{{string.Join(',', parts)}}]}""";

    private static string SplitBy(string regex) => Steps(
        $$$"""{"type":"Split","pattern":{"Regex":{{{JsonPrinter.Quote(regex)}}}},"behavior":"Isolated","invert":false}""", ByteLevel);

    private static TokenizerLayout With(string preTokenizer, string? bos, int bosId)
    {
        string name = JsonPrinter.Quote(bos ?? "");
        string postProcessor = bos is null ? ByteLevel : $$$"""
            {"type":"Sequence","processors":[{{{ByteLevel}}},
              {"type":"TemplateProcessing",
               "single":[{"SpecialToken":{"id":{{{name}}},"type_id":0}},{"Sequence":{"id":"A","type_id":0}}],
               "pair":[{"SpecialToken":{"id":{{{name}}},"type_id":0}},{"Sequence":{"id":"A","type_id":0}},
                       {"SpecialToken":{"id":{{{name}}},"type_id":1}},{"Sequence":{"id":"B","type_id":1}}],
               "special_tokens":{ {{{name}}}:{"id":{{{name}}},"ids":[{{{bosId}}}],"tokens":[{{{name}}}]} } }]}
            """;
        JsonElement none = JsonFields.Null, no = JsonFields.Parse("false");
        return new TokenizerLayout(
            [
                ("version", JsonFields.Parse("\"1.0\"")), ("truncation", none), ("padding", none), ("added_tokens", default),
                ("normalizer", none), ("pre_tokenizer", JsonFields.Parse(preTokenizer)),
                ("post_processor", JsonFields.Parse(postProcessor)), ("decoder", JsonFields.Parse(WithRegex)), ("model", default),
            ],
            [
                ("type", JsonFields.Parse("\"BPE\"")), ("dropout", none), ("unk_token", none), ("continuing_subword_prefix", none),
                ("end_of_word_suffix", none), ("fuse_unk", no), ("byte_fallback", no), ("ignore_merges", no), ("vocab", default),
                ("merges", default),
            ]);
    }

    private static JsonElement Find(IReadOnlyList<(string Name, JsonElement Value)> fields, string name)
    {
        for (int i = fields.Count - 1; i >= 0; i--) // of doubled keys the last counts
        {
            if (fields[i].Name == name) return fields[i].Value;
        }
        return JsonFields.Null;
    }
}
