using System.Text;
using Finery.Data.Tokenizers;
using Xunit;

namespace Finery.Tests.Data.Tokenizers.Files;

/// <summary>Damaged files give a tokenizer that works or an error that says what is wrong, nothing else.</summary>
public class FuzzTests
{
    private static readonly string[] Pieces =
    [
        "null", "true", "-1", "2147483647", "4294967296", "1e999", "\"\"", "[]", "{}", "{\"type\":\"Sequence\"}", "\"Sequence\"", "\"ByteLevel\"",
        "\"NFKC\"", "\"Metaspace\"", "\"Unigram\"", "\"BPE\"", "\"\\ud800\"", "[[[[[[", "\"String\"", "\"Regex\"", "\"(?<=a\"", "\"a**\"", ",", "}",
        "\"(a|aa)+$\"", "0", "300", "\"Ġ\"", "\"l l\"", "\"vocab\"", "\"merges\"",
    ];

    [Fact]
    public void Tokenizer_files()
    {
        var random = new Random(1);
        string[] files = [.. SmallFiles.Names.Select(SmallFiles.Of)];
        int loaded = 0;
        for (int round = 0; round < 1500; round++)
        {
            string json = Mutated(files[round % files.Length], random);
            loaded += Survives(() => TokenizerFile.Parse(json), json) ? 1 : 0;
        }
        Assert.InRange(loaded, 50, 1450);
    }

    [Fact]
    public void Configs_and_older_files_and_ranks()
    {
        var random = new Random(2);
        var gpt2 = TokenizerFile.Parse(SmallFiles.Of("gpt2"));
        string config = SmallFiles.Pretty("""
            {"add_bos_token":true,"bos_token":{"content":"<s>"},"chat_template":[{"name":"default","template":"x"}],"eos_token":"</s>",
             "model_max_length":512,"added_tokens_decoder":{"1":{"content":"<s>"}}}
            """);
        string vocabulary = "{" + string.Join(',', Enumerable.Range(0, 269).Select(id => $"{JsonPrinter.Quote(gpt2.TokenText(id))}: {id}")) + "}";
        string merges = "#version: 0.2\nh e\nl l\nhe ll\nhell o\n";
        string ranks = string.Concat(Enumerable.Range(0, 256).Select(value => $"{Convert.ToBase64String([(byte)value])} {value}\n"))
            + "aGU= 256\nbGw= 257\n";
        var layout = TokenizerLayout.Create(SplitPattern.Gpt2, null, 0);
        for (int round = 0; round < 500; round++)
        {
            string json = Mutated(config, random), entries = Mutated(vocabulary, random), lines = Mutated(merges, random);
            string table = Mutated(ranks, random);
            Survives(() => gpt2.WithConfig(TokenizerConfigFile.Parse(TokenizerConfigFile.ToJson(TokenizerConfigFile.Parse(json, json, "t")))), json);
            Survives(() => VocabularyFiles.Parse(entries, merges, null), entries);
            Survives(() => VocabularyFiles.Parse(vocabulary, lines, null), lines);
            Survives(() => TiktokenFile.Parse(Encoding.UTF8.GetBytes(table), layout, new Dictionary<string, int> { ["<s>"] = 258 }), table);
        }
    }

    [Fact]
    public void Deep_files_are_refused()
    {
        string nested = string.Concat(Enumerable.Repeat("""{"type":"Sequence","normalizers":[""", 100_000));
        Assert.Throws<InvalidDataException>(() => TokenizerFile.Parse(SmallFiles.Of("gpt2").Replace("\"normalizer\": null", $"\"normalizer\": {nested}")));
        Assert.Throws<InvalidDataException>(() => TokenizerConfigFile.Parse(string.Concat(Enumerable.Repeat("{\"a\":", 100_000))));
    }

    private static string Mutated(string text, Random random)
    {
        var result = new StringBuilder(text);
        for (int change = random.Next(1, 4); change > 0; change--)
        {
            int at = random.Next(result.Length), length = Math.Min(random.Next(1, 12), result.Length - at);
            switch (random.Next(5))
            {
                case 0:
                    result.Remove(at, length);
                    break;
                case 1:
                    result[at] = (char)random.Next(32, 127);
                    break;
                case 2:
                    result.Insert(at, Pieces[random.Next(Pieces.Length)]);
                    break;
                default: // a value or a key for another
                    string now = result.ToString();
                    int end = now.IndexOfAny([',', '\n', ':'], at), start = now.LastIndexOfAny([':', ' ', ','], at) + 1;
                    if (end > start) result.Remove(start, end - start).Insert(start, Pieces[random.Next(Pieces.Length)]);
                    break;
            }
            if (result.Length == 0) return "";
        }
        return result.ToString();
    }

    /// <summary>True if the tokenizer was made.</summary>
    private static bool Survives(Func<Tokenizer> make, string input)
    {
        try
        {
            Tokenizer tokenizer = make();
            int[] ids = tokenizer.Encode("hello é world 12 <s>\n", allowSpecial: true, addSpecialTokens: true);
            _ = tokenizer.Decode(ids, skipSpecial: false);
            _ = TokenizerFile.Parse(TokenizerFile.ToJson(tokenizer));
            return true;
        }
        catch (Exception problem) when (problem is InvalidDataException or NotSupportedException)
        {
            Assert.NotEmpty(problem.Message);
            return false;
        }
        catch (Exception problem)
        {
            throw new InvalidOperationException($"{problem.GetType().Name} ({problem.Message}) for: {input}", problem);
        }
    }
}
