using System.Text;
using Finery.Data.Tokenizers;
using Finery.Tests.Models;
using Xunit;

namespace Finery.Tests.Data.Tokenizers.Files;

public sealed class TiktokenFileTests : IDisposable
{
    private static readonly Dictionary<string, int> Special = new() { ["<|endoftext|>"] = 300, ["<|fim|>"] = 310 };

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Load_then_save_is_byte_identical()
    {
        string text = File(Tokens());
        Tokenizer tokenizer = Load(text);
        Assert.Equal((311, SplitPattern.Llama3), (tokenizer.VocabSize, tokenizer.Pattern!.Value));
        TiktokenFile.Save(tokenizer, _folder["saved"]);
        Assert.Equal(text, System.IO.File.ReadAllText(_folder["saved"]));
        Assert.Equal([300], tokenizer.Encode("<|endoftext|>", allowSpecial: true));
        Assert.DoesNotContain(300, tokenizer.Encode("<|endoftext|>"));
        Assert.Throws<ArgumentOutOfRangeException>(() => tokenizer.Decode([305]));

        var again = TokenizerFile.Parse(TokenizerFile.ToJson(tokenizer));
        Assert.Equal(tokenizer.Encode("hello aaa xyz"), again.Encode("hello aaa xyz"));
        Assert.Equal(text, TiktokenFile.ToText(again));
    }

    [Theory]
    [InlineData("gpt2", SplitPattern.Gpt2, 50256)]
    [InlineData("cl100k_base", SplitPattern.Llama3, 100257)]
    [InlineData("o200k_base", null, 199999)]
    public void A_published_name_decides_split_and_control_tokens(string name, SplitPattern? pattern, int endOfText)
    {
        string path = _folder[name + ".tiktoken"];
        System.IO.File.WriteAllText(path, File(Tokens()));
        Tokenizer tokenizer = TokenizerFile.Load(path);
        Assert.Equal(pattern, tokenizer.Pattern);
        Assert.Equal([endOfText], tokenizer.Encode("<|endoftext|>", allowSpecial: true));
        Assert.Equal("camelCase ids", tokenizer.Decode(tokenizer.Encode("camelCase ids")));
        System.IO.File.Copy(path, _folder["mine.tiktoken"]);
        Assert.Contains("cl100k_base", Assert.Throws<NotSupportedException>(() => TokenizerFile.Load(_folder["mine.tiktoken"])).Message);
    }

    [Fact]
    public void Ids_are_those_of_merging_by_rank()
    {
        var random = new Random(2);
        for (int round = 0; round < 20; round++)
        {
            // vocabularies of which some tokens no merge can reach
            var tokens = Tokens();
            while (tokens.Count < 295)
            {
                byte[] token = [.. Enumerable.Range(0, random.Next(2, 6)).Select(_ => (byte)"abcé"u8[random.Next(4)])];
                if (!tokens.Exists(other => other.SequenceEqual(token))) tokens.Add(token);
            }
            Tokenizer tokenizer = Load(File(tokens));
            var ranks = tokens.Select((token, rank) => (token, rank)).ToDictionary(item => Convert.ToHexString(item.token), item => item.rank);
            for (int i = 0; i < 100; i++)
            {
                string text = string.Concat(Enumerable.Range(0, random.Next(1, 30)).Select(_ => "abcé "[random.Next(5)]));
                Assert.Equal(PreTokenizer.Split(text, SplitPattern.Llama3).SelectMany(chunk => Merged(chunk, ranks)), tokenizer.Encode(text));
            }
        }
    }

    [Fact]
    public void Any_expression_may_split()
    {
        System.IO.File.WriteAllText(_folder["ranks"], File(Tokens()));
        Tokenizer tokenizer = TiktokenFile.Load(_folder["ranks"], @"\p{L}\p{L}|\P{L}|\p{L}", Special);
        Assert.Null(tokenizer.Pattern);
        Assert.Equal(["he", "ll", "o"], tokenizer.Encode("hello").Select(tokenizer.TokenText));
    }

    [Fact]
    public void Damaged_files_are_refused_with_the_reason()
    {
        string good = File(Tokens());
        string[] lines = good.TrimEnd('\n').Split('\n');
        Refused(good.Replace(" 7\n", " x\n"), "line 8");
        Refused(good.Replace(" 7\n", "\n"), "line 8");
        Refused(good.Replace(lines[20].Split(' ')[0] + " ", "!!! "), "line 21 is not base 64");
        Refused(good.Replace(" 260\n", " 259\n"), "rank 259 is given twice");
        Refused(good.Replace(" 260\n", " 400\n"), "no token of rank 260");
        Refused(good.Replace(lines[260] + "\n", ""), "no token of rank 260");
        Refused(good + lines[258].Split(' ')[0] + $" {lines.Length}\n", "has a lower rank as well");
        Refused(good.Replace(lines[65].Split(' ')[0] + " ", Convert.ToBase64String("qqqq"u8) + " "), "no token for the byte 0x");
        Refused(good.Replace(lines[260].Split(' ')[0] + " ", Convert.ToBase64String(new byte[2000]) + " "), "longer than 512");
        Refused("", "no token for the byte 0x00");
        Assert.Throws<FileNotFoundException>(() => TiktokenFile.Load(_folder["none"], SplitPattern.Gpt2, Special));
        Assert.Throws<NotSupportedException>(() => TiktokenFile.ToText(TokenizerFile.Parse(SmallFiles.Of("llama2"))));
        Assert.Throws<NotSupportedException>(() => TiktokenFile.ToText(TokenizerFile.Parse(SmallFiles.Of("gpt2"))));
    }

    private void Refused(string text, string reason) =>
        Assert.Contains(reason, Assert.Throws<InvalidDataException>(() => Load(text)).Message);

    private Tokenizer Load(string text)
    {
        System.IO.File.WriteAllText(_folder["ranks"], text);
        return TiktokenFile.Load(_folder["ranks"], SplitPattern.Llama3, Special);
    }

    private static List<byte[]> Tokens() =>
    [
        .. ByteAlphabet.SortedBytes.Select(value => new[] { value }),
        .. new[] { "he", "ll", "hell", "aa", "hello", "aaa", "xyz", " w", "é" }.Select(Encoding.UTF8.GetBytes),
    ];

    private static string File(List<byte[]> tokens) =>
        string.Concat(tokens.Select((token, rank) => $"{Convert.ToBase64String(token)} {rank}\n"));

    /// <summary>tiktoken's rule, word for word.</summary>
    private static IEnumerable<int> Merged(string chunk, Dictionary<string, int> ranks)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(chunk);
        if (ranks.TryGetValue(Convert.ToHexString(bytes), out int whole)) return [whole];
        List<byte[]> parts = [.. bytes.Select(value => new[] { value })];
        while (true)
        {
            var (rank, at) = Enumerable.Range(0, Math.Max(0, parts.Count - 1))
                .Select(i => (Rank: ranks.GetValueOrDefault(Convert.ToHexString([.. parts[i], .. parts[i + 1]]), int.MaxValue), At: i))
                .DefaultIfEmpty((int.MaxValue, 0)).Min();
            if (rank == int.MaxValue) return parts.Select(part => ranks[Convert.ToHexString(part)]);
            parts[at] = [.. parts[at], .. parts[at + 1]];
            parts.RemoveAt(at + 1);
        }
    }
}
