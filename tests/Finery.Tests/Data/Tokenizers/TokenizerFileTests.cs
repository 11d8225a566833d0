using System.Text.Json;
using Finery.Data.Tokenizers;
using Xunit;

namespace Finery.Tests.Data.Tokenizers;

public class TokenizerFileTests
{
    private static readonly string Json = TokenizerFile.ToJson(Samples.Tokenizer);

    [Theory]
    [InlineData(SplitPattern.Llama3)]
    [InlineData(SplitPattern.Gpt2)]
    public void Load_then_save_is_byte_identical(SplitPattern pattern)
    {
        var tokenizer = new BpeTrainer { VocabSize = 500, Pattern = pattern }.Train(Samples.Texts(100));
        string json = TokenizerFile.ToJson(tokenizer);
        var loaded = TokenizerFile.Parse(json);
        Assert.Equal(json, TokenizerFile.ToJson(loaded));
        Assert.Equal(pattern, loaded.Pattern);
        Assert.Equal(tokenizer.Fingerprint, loaded.Fingerprint);
        foreach (string text in Samples.Texts(20)) Assert.Equal(tokenizer.Encode(text), loaded.Encode(text));
    }

    [Fact]
    public void Text_is_HF_s_form()
    {
        Assert.StartsWith("""
            {
              "version": "1.0",
              "truncation": null,
              "padding": null,
              "added_tokens": [
                {
                  "id": 0,
                  "content": "<|begin_of_text|>",
                  "single_word": false,
                  "lstrip": false,
                  "rstrip": false,
                  "normalized": false,
                  "special": true
                },
            """, Json);
        Assert.Contains("\"Ġ\": 225,", Json);
        Assert.DoesNotContain('\r', Json);
        using var document = JsonDocument.Parse(Json);
        Assert.Equal(["version", "truncation", "padding", "added_tokens", "normalizer", "pre_tokenizer", "post_processor",
            "decoder", "model"],
            document.RootElement.EnumerateObject().Select(property => property.Name));
        Assert.Equal(["type", "dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix", "fuse_unk",
            "byte_fallback", "ignore_merges", "vocab", "merges"],
            document.RootElement.GetProperty("model").EnumerateObject().Select(property => property.Name));
        JsonElement split = document.RootElement.GetProperty("pre_tokenizer").GetProperty("pretokenizers")[0];
        Assert.Equal(PreTokenizer.Regex(SplitPattern.Llama3), split.GetProperty("pattern").GetProperty("Regex").GetString());
        JsonElement template = document.RootElement.GetProperty("post_processor").GetProperty("processors")[1];
        Assert.Equal(0, template.GetProperty("special_tokens").GetProperty("<|begin_of_text|>").GetProperty("ids")[0].GetInt32());
    }

    [Fact]
    public void Both_forms_of_merges_load_to_the_same_ids()
    {
        string pairs = Small("""["a","b"],["ab","c"]""");
        string lines = Small("""
            "#version: 0.2","a b","ab c"
            """);
        Assert.Equal(TokenizerFile.Parse(pairs).Encode("abcab"), TokenizerFile.Parse(lines).Encode("abcab"));
        Assert.Equal([257, 256], TokenizerFile.Parse(lines).Encode("abcab"));
    }

    [Fact]
    public void Ignore_merges_is_honoured()
    {
        const string Merges = """[".",":"]""";
        const string Entries = "\".:\": 256, \".:.:\": 257";
        Assert.Equal([257], TokenizerFile.Parse(Small(Merges, Entries, ignoreMerges: true)).Encode(".:.:"));
        Assert.Equal([256, 256], TokenizerFile.Parse(Small(Merges, Entries)).Encode(".:.:"));
    }

    [Theory]
    [InlineData("\"version\": \"1.0\"", "\"version\": \"2.0\"", "2.0")]
    [InlineData("\"type\": \"BPE\"", "\"type\": \"WordPiece\"", "WordPiece")]
    [InlineData("\"normalizer\": null", "\"normalizer\": {\"type\": \"BertNormalizer\"}", "BertNormalizer")]
    [InlineData("\"type\": \"Split\"", "\"type\": \"BertPreTokenizer\"", "BertPreTokenizer")]
    [InlineData("\"behavior\": \"Isolated\"", "\"behavior\": \"Doubled\"", "Doubled")]
    [InlineData("{1,3}", "{1,3}(a)\\\\1", "pattern")]
    [InlineData("\"continuing_subword_prefix\": null", "\"continuing_subword_prefix\": \"##\"", "##")]
    [InlineData("\"type\": \"TemplateProcessing\"", "\"type\": \"BertProcessing\"", "BertProcessing")]
    [InlineData("\"decoder\": {\n    \"type\": \"ByteLevel\"", "\"decoder\": {\n    \"type\": \"WordPiece\"", "WordPiece")]
    public void What_is_not_supported_is_named(string from, string to, string named)
    {
        Assert.Contains(from, Json);
        Assert.Contains(
            named, Assert.Throws<NotSupportedException>(() => TokenizerFile.Parse(Json.Replace(from, to))).Message,
            StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public void Broken_files_are_refused_with_the_reason()
    {
        Refused("", "not valid");
        Refused("[]", "not a JSON object");
        Refused(Json[..(Json.Length / 2)], "not valid");
        Refused(Small("""["a","zz"]"""), "zz");
        Refused(Small("""["a","c"]"""), "\"ac\"");
        Refused(Small("\"a b c\""), "not a pair");
        Refused(Small("", "\"a\": 256"), "twice");
        Refused(Small("", "\"q!\": 7"), "id 7");
        Refused(Small("", "\"q!\": 2147483647"), "largest id is 2147483647");
        Refused(Small("", "\"q!\": 2000000"), "largest id is 2000000");
        Refused(Small("", "\"q!\": -1"), "-1");
        Refused(Small("").Replace("\"Ġ\": 220,", "\"QQ\": 220,"), "0x20");
        Refused(Small("").Replace("\"merges\"", "\"emerges\"").Replace("\"model\": {", "\"model\": {\"type\": \"BPE\", "), "merges");
        Refused(Json.Replace("\"id\": 3,", "\"id\": 30000,"), "twice");
        Refused("{\"version\":\"1.0\",\"model\":" + new string('[', 5000), "not valid");
    }

    [Fact]
    public void Folder_round_trip_keeps_roles_length_and_template()
    {
        string folder = Directory.CreateTempSubdirectory().FullName;
        try
        {
            var tokenizer = Samples.Tokenizer.WithConfig(Samples.Tokenizer.Config with { ModelMaxLength = 512 });
            TokenizerFile.Save(tokenizer, folder);
            Assert.Equal(["tokenizer.json", "tokenizer_config.json"], Directory.GetFiles(folder).Select(Path.GetFileName)
                .Order());
            Assert.Equal(tokenizer.Config, TokenizerFile.Load(folder).Config);
            Assert.Equal(tokenizer.Config, TokenizerFile.Load(Path.Combine(folder, "tokenizer.json")).Config);

            string config = Path.Combine(folder, "tokenizer_config.json");
            File.WriteAllText(config, """
                {"bos_token":{"content":"<|begin_of_text|>","lstrip":false},"eos_token":"<|im_end|>","model_max_length":1e30}
                """);
            var loaded = TokenizerFile.Load(folder);
            Assert.Equal((0, 3, null), (loaded.BosId, loaded.EosId, loaded.PadId));
            Assert.Null(loaded.Config.ModelMaxLength);
            Assert.Contains("no chat template", Assert.Throws<NotSupportedException>(() => new ChatTemplate(loaded)).Message);

            File.WriteAllText(config, """{"bos_token":"<|nope|>"}""");
            Assert.Contains("<|nope|>", Assert.Throws<InvalidDataException>(() => TokenizerFile.Load(folder)).Message);
            File.WriteAllBytes(config, [0xFF, 0xFE, 0x7B]);
            Assert.Contains("UTF-8", Assert.Throws<InvalidDataException>(() => TokenizerFile.Load(folder)).Message);
            Assert.Throws<FileNotFoundException>(() => TokenizerFile.Load(Path.Combine(folder, "none")));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static void Refused(string json, string reason) =>
        Assert.Contains(reason, Assert.Throws<InvalidDataException>(() => TokenizerFile.Parse(json)).Message);

    /// <summary>A file with the 256 bytes at ids 0 to 255, then the given entries (by default "ab" and "abc").</summary>
    private static string Small(string merges, string entries = "\"ab\": 256, \"abc\": 257", bool ignoreMerges = false)
    {
        var vocabulary = ByteAlphabet.SortedBytes.Select(
            (value, id) => $"{JsonPrinter.Quote(ByteAlphabet.ToChar(value).ToString())}: {id}");
        return $$"""
            {"version": "1.0", "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false},
                "decoder": {"type": "ByteLevel"},
            "model": {"ignore_merges": {{(ignoreMerges ? "true" : "false")}},
            "vocab": { {{string.Join(", ", vocabulary)}}, {{entries}} }, "merges": [{{merges.Trim()}}]} }
            """;
    }

    [Fact]
    public void An_old_file_without_a_model_type_is_not_taken_for_BPE()
    {
        const string WordPiece = """
            {"version": "1.0", "added_tokens": [], "pre_tokenizer": {"type": "WhitespaceSplit"}, "decoder": null,
             "model": {"unk_token": "[UNK]", "continuing_subword_prefix": "##", "vocab": {"[UNK]": 0, "a": 1, "##b": 2}}}
            """;
        Assert.Contains("WordPiece", Assert.Throws<NotSupportedException>(() => TokenizerFile.Parse(WordPiece)).Message);
    }
}
