using System.Text;
using Finery.Data.Tokenizers;
using Xunit;

namespace Finery.Tests.Data.Tokenizers.Models;

public class CharacterBpeTests
{
    private static readonly string[] UnkAB = ["<unk>", "a", "b"];

    [Theory]
    [InlineData("c", "0", "0")]
    [InlineData("cc", "0 0", "0")]
    [InlineData("accb", "1 0 0 2", "1 0 2")]
    [InlineData("日本", "0 0", "0")]
    [InlineData("", "", "")]
    public void Unknown_characters_are_one_token_each_or_fused(string text, string apart, string fused)
    {
        Assert.Equal(apart, Encode(new CharacterBpe(UnkAB, [], new() { UnknownId = 0 }), text));
        Assert.Equal(fused, Encode(new CharacterBpe(UnkAB, [], new() { UnknownId = 0, FuseUnknown = true }), text));
    }

    [Fact]
    public void Unknown_characters_vanish_without_an_unknown_token() =>
        Assert.Equal("1 2", Encode(new CharacterBpe(UnkAB, [], new()), "acb"));

    [Fact]
    public void Merges_by_rank()
    {
        CharacterBpe model = Model(
            "u n r e l a t d re at ed un ated rel related unrelated", "r e|a t|e d|u n|at ed|re l|rel ated|un related", new());
        Assert.Equal("15", Encode(model, "unrelated"));
        Assert.Equal("8 0 11", Encode(model, "reuun"));
    }

    [Fact]
    public void A_continuing_prefix_is_on_every_character_but_the_first_and_off_the_right_part_of_a_merge()
    {
        CharacterBpe model = Model("a ##b ##c ab abc", "a ##b|ab ##c", new() { ContinuingSubwordPrefix = "##" });
        Assert.Equal("3", Encode(model, "ab"));
        Assert.Equal("4", Encode(model, "abc"));
    }

    [Fact]
    public void A_suffix_is_on_the_last_character()
    {
        CharacterBpe model = Model("l o w w</w> lo low</w>", "l o|lo w</w>", new() { EndOfWordSuffix = "</w>" });
        Assert.Equal("5", Encode(model, "low"));
        Assert.Equal("4 2 3", Encode(model, "loww"));
    }

    [Fact]
    public void Falls_back_to_bytes_where_all_of_a_character_are_there()
    {
        string[] tokens = ["<unk>", "<0x61>", "<0x0A>", "<0xC3>", "<0xA9>"];
        var model = new CharacterBpe(tokens, [], new() { UnknownId = 0, ByteFallback = true });
        Assert.Equal("0", Encode(model, "c"));
        Assert.Equal("1", Encode(model, "a"));
        Assert.Equal("2", Encode(model, "\n"));
        Assert.Equal("3 4 1", Encode(model, "éa"));
        Assert.Equal("0", Encode(model, "日"));
        Assert.Equal("1 0", Encode(model, "ca")); // the format's order: a pending unknown comes after the bytes
    }

    [Fact]
    public void A_whole_token_is_taken_unmerged_where_merges_are_ignored()
    {
        const string Tokens = ".:.: Ġbelirtilen . : bel irtilen Ġ .: belirtilen .:. be l ir ti en irtil irti i r t b e n";
        const string Merges = ". :|b e|be l|i r|t i|ir ti|e n|irti l";
        CharacterBpe ignoring = Model(Tokens, Merges, new() { IgnoreMerges = true }), merging = Model(Tokens, Merges, new());
        Assert.Equal("0", Encode(ignoring, ".:.:"));
        Assert.Equal("1", Encode(ignoring, "Ġbelirtilen"));
        Assert.Equal("7 7", Encode(merging, ".:.:"));
        Assert.Equal("6 4 15 14", Encode(merging, "Ġbelirtilen"));
    }

    [Fact]
    public void Agrees_with_merging_the_lowest_leftmost_pair_each_time()
    {
        var random = new Random(5);
        for (int round = 0; round < 1000; round++)
        {
            var tokens = new List<string> { "a", "b", "é", "😉" };
            var merges = new List<(int Left, int Right)>();
            for (int i = random.Next(0, 14); i > 0; i--)
            {
                (int left, int right) = (random.Next(tokens.Count), random.Next(tokens.Count));
                if (merges.Contains((left, right))) continue;
                if (!tokens.Contains(tokens[left] + tokens[right])) tokens.Add(tokens[left] + tokens[right]);
                merges.Add((left, right));
            }
            var model = new CharacterBpe([.. tokens], [.. merges], new());
            string text = string.Concat(Enumerable.Range(0, random.Next(40)).Select(_ => tokens[random.Next(4)]));
            Assert.Equal(Naive(tokens, merges, text), Ids(model, text));
        }
    }

    [Fact]
    public void Takes_a_megabyte_of_one_letter()
    {
        CharacterBpe model = Model("x xx xxxx xxxxxxxx", "x x|xx xx|xxxx xxxx", new());
        List<int> ids = Ids(model, new string('x', 1_000_001));
        Assert.Equal(125_001, ids.Count);
        Assert.Equal(0, ids[^1]);
    }

    [Theory]
    [InlineData("a b", "a b", "", "\"ab\", which is not in the vocabulary")]
    [InlineData("a b ab", "a ab", "###", "shorter than the continuing prefix")]
    public void A_merge_that_makes_no_token_is_an_error_that_names_it(string tokens, string merges, string prefix, string message) =>
        Assert.Contains(message,
            Assert.Throws<InvalidDataException>(() => Model(tokens, merges, new() { ContinuingSubwordPrefix = prefix })).Message,
            StringComparison.Ordinal);

    [Fact]
    public void Ids_beyond_the_vocabulary_are_errors()
    {
        Assert.Throws<InvalidDataException>(() => new CharacterBpe(UnkAB, [(1, 3)], new()));
        Assert.Throws<InvalidDataException>(() => new CharacterBpe(["a", null, "b"], [(0, 1)], new()));
        Assert.Throws<InvalidDataException>(() => new CharacterBpe(UnkAB, [], new() { UnknownId = 3 }));
        Assert.Throws<NotSupportedException>(() => new CharacterBpe(UnkAB, [], new() { EndOfWordSuffix = new string('w', 257) }));
    }

    private static CharacterBpe Model(string tokens, string merges, CharacterBpeOptions options)
    {
        string[] vocabulary = tokens.Split(' ');
        return new CharacterBpe(vocabulary, [.. merges.Split('|').Select(Pair)], options);

        (int, int) Pair(string merge)
        {
            string[] parts = merge.Split(' ');
            return (Array.IndexOf(vocabulary, parts[0]), Array.IndexOf(vocabulary, parts[1]));
        }
    }

    private static List<int> Naive(List<string> tokens, List<(int Left, int Right)> merges, string text)
    {
        List<int> ids = [.. text.EnumerateRunes().Select(rune => tokens.IndexOf(rune.ToString()))];
        while (true)
        {
            int best = int.MaxValue, where = -1;
            for (int i = 0; i + 1 < ids.Count; i++)
            {
                int rank = merges.IndexOf((ids[i], ids[i + 1]));
                if (rank >= 0 && rank < best) (best, where) = (rank, i);
            }
            if (where < 0) return ids;
            ids[where] = tokens.IndexOf(tokens[ids[where]] + tokens[ids[where + 1]]);
            ids.RemoveAt(where + 1);
        }
    }

    private static List<int> Ids(ChunkModel model, string text)
    {
        List<int> ids = [];
        model.Encode(Encoding.UTF8.GetBytes(text), ids);
        return ids;
    }

    private static string Encode(ChunkModel model, string text) => string.Join(' ', Ids(model, text));
}
