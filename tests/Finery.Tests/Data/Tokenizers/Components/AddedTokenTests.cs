using System.Diagnostics;
using System.Text;
using Finery.Data.Tokenizers;
using Xunit;

namespace Finery.Tests.Data.Tokenizers.Components;

public class AddedTokenTests
{
    /// <summary>The reference's golden case: vocabulary my 0, name 1, [CLS] 2, [SEP] 3.</summary>
    [Fact]
    public void Tokens_cut_the_text_around_them() =>
        Assert.Equal(["*[CLS]", " My ", "*name", " is Anthony ", "*[SEP]"],
            Pieces("[CLS] My name is Anthony [SEP]", new(0, "my"), new(1, "name"), new(2, "[CLS]"), new(3, "[SEP]")));

    [Theory]
    [InlineData("foobar foo", "*foobar", " ", "*foo")]
    [InlineData("foofoobarx", "*foo", "*foobar", "x")]
    [InlineData("foob foba", "*foo", "b foba")]
    [InlineData("", new string[0])]
    public void The_leftmost_match_wins_and_of_those_the_longest(string text, params string[] expected) =>
        Assert.Equal(expected, Pieces(text, new(0, "foo"), new(1, "foobar"), new(2, "obar")));

    [Theory]
    [InlineData("ing", "*ing")]
    [InlineData("string ing.", "string ", "*ing", ".")]
    [InlineData("(ing)\u0301", "(", "*ing", ")\u0301")]
    [InlineData("ing\u0301 éing ing_ ing\u200D ing", "ing\u0301 éing ing_ ing\u200D ", "*ing")]
    [InlineData("ing7 ing½ ing𝒜", "ing7 ", "*ing", "½ ing𝒜")]
    public void Single_words_have_no_word_character_beside_them(string text, params string[] expected) =>
        Assert.Equal(expected, Pieces(text, new AddedToken(0, "ing") { SingleWord = true }));

    [Fact]
    public void A_single_word_that_is_refused_hides_what_it_contains() =>
        Assert.Equal(["xfoo ", "*oo"], Pieces("xfoo oo", new AddedToken(0, "foo") { SingleWord = true }, new(1, "oo")));

    [Fact]
    public void White_space_is_taken_in_where_asked()
    {
        AddedToken left = new(0, "<l>") { StripsLeft = true }, right = new(1, "<r>") { StripsRight = true };
        Assert.Equal(["a", "* \n\u00A0<l>", " b"], Pieces("a \n\u00A0<l> b", left, right));
        Assert.Equal(["a ", "*<r> \u3000", "b"], Pieces("a <r> \u3000b", left, right));
        Assert.Equal(["a ", "*<r>  ", "*<l>", " b"], Pieces("a <r>  <l> b", left, right));
    }

    [Fact]
    public void Hostile_text_takes_time_in_proportion()
    {
        var tokens = Enumerable.Range(0, 256).Select(i => new AddedToken(i, $"<|reserved_special_token_{i}|>")).ToArray();
        var matcher = new AddedTokenMatcher(tokens.Select(token => (token, Encoding.UTF8.GetBytes(token.Content))));
        var clock = Stopwatch.StartNew();
        foreach (string unit in new[] { "<", "<|reserved_special_token_", " " })
        {
            byte[] text = Encoding.UTF8.GetBytes(string.Concat(Enumerable.Repeat(unit, 10_000_000 / unit.Length)));
            int at = 0;
            Assert.Null(matcher.Next(text, ref at, 0, out _, out _));
        }
        Assert.True(clock.Elapsed < TimeSpan.FromSeconds(10), $"30 MB took {clock.Elapsed}");
    }

    [Fact]
    public void Overlapping_white_space_tokens_take_time_in_proportion()
    {
        AddedToken token = new(0, " ") { StripsRight = true };
        var matcher = new AddedTokenMatcher([(token, " "u8.ToArray())]);
        var text = new byte[200_000];
        text.AsSpan().Fill((byte)' ');
        int at = 0, end = 0, count = 0;
        for (; matcher.Next(text, ref at, end, out _, out int next) is not null; end = next) count++;
        Assert.Equal((text.Length, text.Length), (count, end));
    }

    /// <summary>The text cut by the matcher; what a token took is marked with a star.</summary>
    private static List<string> Pieces(string text, params AddedToken[] tokens)
    {
        var matcher = new AddedTokenMatcher(tokens.Select(token => (token, Encoding.UTF8.GetBytes(token.Content))));
        byte[] utf8 = Encoding.UTF8.GetBytes(text);
        var pieces = new List<string>();
        int at = 0, done = 0;
        while (matcher.Next(utf8, ref at, done, out int start, out int end) is not null)
        {
            if (start > done) pieces.Add(Encoding.UTF8.GetString(utf8[done..start]));
            pieces.Add("*" + Encoding.UTF8.GetString(utf8[start..end]));
            done = end;
        }
        if (done < utf8.Length) pieces.Add(Encoding.UTF8.GetString(utf8[done..]));
        return pieces;
    }
}
