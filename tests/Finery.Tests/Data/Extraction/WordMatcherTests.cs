using Finery.Data.Extraction;
using FsCheck;
using FsCheck.Fluent;
using Xunit;

namespace Finery.Tests.Data.Extraction;

public sealed class WordMatcherTests
{
    private static readonly string[] Words = ["ab", "b", "bab", "aab-a", "a_", " ab", "abab", "-"];

    private static readonly WordMatcher Matcher = new(Words.Select((word, i) => (1u << i, new[] { word })));

    [Fact]
    public void It_finds_what_a_search_for_each_word_finds() =>
        Prop.ForAll(Gen.Elements("aAbB-_ x9é".ToCharArray()).ArrayOf(12).ToArbitrary(), characters =>
        {
            var text = new string(characters);
            uint expected = 0;
            for (var i = 0; i < Words.Length; i++)
            {
                if (text.Contains(Words[i], StringComparison.OrdinalIgnoreCase))
                    expected |= 1u << i;
            }
            Assert.Equal(expected, Matcher.Match(text));
        }).QuickCheckThrowOnFailure();

    [Fact]
    public void Words_of_other_characters_are_refused() =>
        Assert.Throws<ArgumentException>(() => new WordMatcher([(1u, ["a.b"])]));
}
