using Finery.Data.Tokenizers;

namespace Finery.Tests.Data.Tokenizers.Files;

/// <summary>Small tokenizer.json files of every flavour, as HF prints them.</summary>
internal static class SmallFiles
{
    public static readonly string[] Names = ["llama3", "gpt2", "smollm", "qwen2", "llama2", "unigram", "tail"];

    private const string ByteLevel = """{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":false}""";
    private const string ByteLevelRegex = """{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":true}""";

    private static readonly string[] Merges =
        ["h e", "l l", "he ll", "hell o", "Ġ w", "o r", "Ġw or", "l d", "Ġwor ld", "1 2", "Ã ©", "Ġ Ġ", "e Ì"];

    public static string Pretty(string json) => new JsonPrinter().Value(JsonFields.Parse(json)).ToString();

    public static string Of(string name) => name switch
    {
        "llama3" => Whole("null", Split(SplitPattern.Llama3), $"{{\"type\":\"Sequence\",\"processors\":[{ByteLevel},{Template("<s>", 269)}]}}",
            ByteLevelRegex, Bpe(ignoreMerges: true), Added(269, "<s>"), Added(270, "<|eot|>")),
        "gpt2" => Whole("null", ByteLevelRegex, ByteLevel, ByteLevelRegex, Bpe(), Added(269, "<|endoftext|>")),
        "smollm" => Whole("null", $"{{\"type\":\"Sequence\",\"pretokenizers\":[{{\"type\":\"Digits\",\"individual_digits\":true}},{ByteLevelRegex}]}}",
            "null", ByteLevelRegex, Bpe(), Added(269, "<s>")),
        "qwen2" => Whole("""{"type":"NFC"}""", Split(SplitPattern.Qwen2), ByteLevel, ByteLevel, Bpe(),
            Added(269, "<|im_start|>"), Added(270, "e\u0301!", "false", normalized: "true")),
        "llama2" => Whole(
            """{"type":"Sequence","normalizers":[{"type":"Prepend","prepend":"▁"},{"type":"Replace","pattern":{"String":" "},"content":"▁"}]}""",
            "null", Template("<s>", 1),
            """
            {"type":"Sequence","decoders":[{"type":"Replace","pattern":{"String":"▁"},"content":" "},{"type":"ByteFallback"},
                {"type":"Fuse"},{"type":"Strip","content":" ","start":1,"stop":0}]}
            """, CharacterModel(), Added(0, "<unk>"), Added(1, "<s>"), Added(2, "</s>")),
        "unigram" => Whole("null", """{"type":"Metaspace","replacement":"▁","prepend_scheme":"first","split":true}""", "null",
            """{"type":"Metaspace","replacement":"▁","prepend_scheme":"first","split":true}""",
            """
            {"type":"Unigram","unk_id":0,"vocab":[["<unk>",0.0],["<s>",0.0],["▁",-2.5],["▁hello",-3.0125],["hello",-4.0],["▁wor",-5.5],
                ["ld",-4.5],["l",-6.0],["o",-6.25],["he",-5.0],["lo",-5.75],["w",-7.5],["r",-7.75],["é",-8.0],["12",-8.5]],
                "byte_fallback":false}
            """, Added(0, "<unk>"), Added(1, "<s>")),
        "tail" => Whole("""{"type":"Lowercase"}""",
            """
            {"type":"Sequence","pretokenizers":[{"type":"Split","pattern":{"String":"l"},"behavior":"MergedWithPrevious","invert":false},
                {"type":"ByteLevel","add_prefix_space":true,"trim_offsets":true,"use_regex":false}]}
            """, "null", ByteLevelRegex, Bpe(), Added(269, "Mask", "true", "true", "true"), Added(270, "<w>", "false", rightStrip: "true")),
        _ => throw new ArgumentException(name),
    };

    private static string Whole(string normalizer, string split, string post, string decoder, string model, params string[] added) =>
        Pretty($$"""
            {"version":"1.0","truncation":null,"padding":null,"added_tokens":[{{string.Join(',', added)}}],"normalizer":{{normalizer}},
             "pre_tokenizer":{{split}},"post_processor":{{post}},"decoder":{{decoder}},"model":{{model}}}
            """);

    private static string Added(int id, string content, string special = "true", string leftStrip = "false",
        string normalized = "false", string rightStrip = "false") => $$"""
        {"id":{{id}},"content":"{{content}}","single_word":false,"lstrip":{{leftStrip}},"rstrip":{{rightStrip}},
         "normalized":{{normalized}},"special":{{special}}}
        """;

    private static string Split(SplitPattern pattern) => $$$"""
        {"type":"Sequence","pretokenizers":[{"type":"Split","pattern":{"Regex":{{{JsonPrinter.Quote(PreTokenizer.Regex(pattern))}}} },
         "behavior":"Isolated","invert":false},{{{ByteLevel}}}]}
        """;

    private static string Template(string token, int id) => $$$"""
        {"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"{{{token}}}","type_id":0}},{"Sequence":{"id":"A","type_id":0}}],
         "pair":[{"Sequence":{"id":"A","type_id":0}},{"Sequence":{"id":"B","type_id":1}}],
         "special_tokens":{"{{{token}}}":{"id":"{{{token}}}","ids":[{{{id}}}],"tokens":["{{{token}}}"]} } }
        """;

    private static string Bpe(bool ignoreMerges = false)
    {
        var tokens = ByteAlphabet.SortedBytes.Select(value => ByteAlphabet.ToChar(value).ToString())
            .Concat(Merges.Select(merge => merge.Replace(" ", "", StringComparison.Ordinal)));
        return Model(tokens, Merges, "null", "false", ignoreMerges ? "\"ignore_merges\":true," : "");
    }

    private static string CharacterModel()
    {
        string[] merges = ["h e", "l l", "he ll", "hell o", "▁ w", "▁ hello", "o r", "▁ ▁", "▁w or"];
        var tokens = new List<string> { "<unk>", "<s>", "</s>" };
        tokens.AddRange(Enumerable.Range(0, 256).Select(value => $"<0x{value:X2}>"));
        tokens.AddRange("▁helowrd12é".Select(c => c.ToString()));
        tokens.AddRange(merges.Select(merge => merge.Replace(" ", "", StringComparison.Ordinal)));
        return Model(tokens, merges, "\"<unk>\"", "true", "");
    }

    private static string Model(IEnumerable<string> tokens, string[] merges, string unknown, string byteFallback, string ignore) => $$"""
        {"type":"BPE","dropout":null,"unk_token":{{unknown}},"continuing_subword_prefix":null,"end_of_word_suffix":null,
         "fuse_unk":{{byteFallback}},"byte_fallback":{{byteFallback}},{{ignore}}"vocab":{
         {{string.Join(',', tokens.Select((token, id) => $"{JsonPrinter.Quote(token)}:{id}"))}} },"merges":[
         {{string.Join(',', merges.Select(merge => $"[{string.Join(',', merge.Split(' ').Select(JsonPrinter.Quote))}]"))}} ]}
        """;
}
