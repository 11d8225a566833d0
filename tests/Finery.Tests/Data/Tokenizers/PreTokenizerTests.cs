using System.Text;
using Finery.Data.Tokenizers;
using Xunit;

namespace Finery.Tests.Data.Tokenizers;

public class PreTokenizerTests
{
    [Theory]
    [InlineData("I've DON'T we'LL", "I|'ve| DON|'|T| we|'|LL", "I|'ve| DON|'T| we|'LL")]
    [InlineData("12345 1234567", "12345| 1234567", "123|45| |123|456|7")]
    [InlineData("a\r\n\r\nb \n c\n\n", "a|\r\n\r|\n|b| \n| c|\n\n", "a|\r\n\r\n|b| \n| c|\n\n")]
    [InlineData("x = 10;\n\n\treturn x", "x| =| 10|;|\n\n|\t|return| x", "x| =| |10|;\n\n|\treturn| x")]
    [InlineData("  \n  x", "  \n | x", "  \n| | x")]
    [InlineData("foo_bar(baz)", "foo|_|bar|(|baz|)", "foo|_bar|(baz|)")]
    [InlineData("हिन्दी", "ह|ि|न|्|द|ी", "ह|िन|्द|ी")]
    [InlineData("a'ſx", "a|'|ſx", "a|'ſ|x")]
    [InlineData("𝒜bc", "𝒜bc", "𝒜bc")]
    [InlineData("\U00010400bc", "\U00010400bc", "\U00010400bc")]
    [InlineData("𠀀𠀁", "𠀀𠀁", "𠀀𠀁")]
    [InlineData("a   ", "a|   ", "a|   ")]
    [InlineData("", "", "")]
    public void Splits_as_the_published_patterns(string text, string gpt2, string llama3)
    {
        Assert.Equal(gpt2, string.Join('|', PreTokenizer.Split(text, SplitPattern.Gpt2)));
        Assert.Equal(llama3, string.Join('|', PreTokenizer.Split(text, SplitPattern.Llama3)));
    }

    [Fact]
    public void Chunks_joined_are_the_text_with_lone_surrogates_replaced()
    {
        var random = new Random(1);
        for (int round = 0; round < 3000; round++)
        {
            string text = RandomText.Next(random, random.Next(40));
            string expected = Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(text));
            foreach (SplitPattern pattern in Enum.GetValues<SplitPattern>())
                Assert.Equal(expected, string.Concat(PreTokenizer.Split(text, pattern)));
        }
    }

    [Fact]
    public void Agrees_with_the_regular_expression_inside_the_basic_multilingual_plane()
    {
        // .NET's Regex is right there, but for IgnoreCase (it also folds the Kelvin sign and such, none of them in contractions)
        var random = new Random(2);
        foreach (SplitPattern pattern in Enum.GetValues<SplitPattern>())
        {
            var regex = new System.Text.RegularExpressions.Regex(PreTokenizer.Regex(pattern));
            for (int round = 0; round < 3000; round++)
            {
                string text = new([.. RandomText.Next(random, random.Next(40)).Where(c => !char.IsSurrogate(c) && c != 'ſ')]);
                Assert.Equal(regex.Matches(text).Select(match => match.Value), PreTokenizer.Split(text, pattern));
            }
        }
    }

    [Fact]
    public void The_Unicode_table_is_the_one_tokenizers_were_built_with()
    {
        // another Unicode version splits some texts differently: if a new runtime changes these, say so in the release notes
        var counts = Enumerable.Range(0, 0x110000).CountBy(PreTokenizer.ClassName).ToDictionary();
        Assert.Equal(25, counts['W']);
        Assert.Equal((LetterCount, NumberCount), (counts['L'], counts['N']));
    }

    private const int LetterCount = 141028, NumberCount = 1911; // Unicode 16.0

    [Fact]
    public void A_million_spaces_or_quotes_are_split_at_once()
    {
        Assert.Equal(2, PreTokenizer.Split(new string(' ', 1_000_000) + "x", SplitPattern.Llama3).Count);
        Assert.Single(PreTokenizer.Split(new string('\'', 1_000_000), SplitPattern.Llama3));
    }

    [Fact]
    public void SmolLm_isolates_every_number_and_then_splits_as_gpt2()
    {
        var random = new Random(12);
        for (int round = 0; round < 5000; round++)
        {
            string text = Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(RandomText.Next(random, random.Next(25))));
            var pieces = new List<string> { "" };
            foreach (var rune in text.EnumerateRunes())
            {
                if (PreTokenizer.ClassName(rune.Value) == 'N') pieces.AddRange([rune.ToString(), ""]);
                else pieces[^1] += rune;
            }
            Assert.Equal(pieces.SelectMany(piece => PreTokenizer.Split(piece, SplitPattern.Gpt2)),
                PreTokenizer.Split(text, SplitPattern.SmolLm));
        }
    }

    [Theory]
    [InlineData(SplitPattern.Qwen2, "1|2|3| |4|5")]
    [InlineData(SplitPattern.Nanochat, "12|3| |45")]
    [InlineData(SplitPattern.Llama3, "123| |45")]
    [InlineData(SplitPattern.SmolLm, "1|2|3| |4|5")]
    [InlineData(SplitPattern.Gpt2, "123| 45")]
    public void Numbers_are_cut_as_each_pattern_says(SplitPattern pattern, string expected) =>
        Assert.Equal(expected, string.Join('|', PreTokenizer.Split("123 45", pattern)));

    [Fact]
    public void Every_pattern_is_known_by_its_expression()
    {
        foreach (SplitPattern pattern in Enum.GetValues<SplitPattern>())
            Assert.Equal(pattern, PreTokenizer.PatternOf(PreTokenizer.Regex(pattern)));
        Assert.Null(PreTokenizer.PatternOf(@"\p{L}+"));
    }
}
