using System.Text;
using System.Text.RegularExpressions;
using Finery.Data.Tokenizers;
using Xunit;

namespace Finery.Tests.Data.Tokenizers.Splitting;

public class CodePointRegexTests
{
    private const string O200k =
        @"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|" +
        @"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|" +
        @"\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+";

    private const string DeepSeek =
        @"[!""#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|" +
        @"\s*[\r\n]+|\s+(?!\S)|\s+";

    // expressions of published tokenizers, and the same for .NET where that lacks possessive quantifiers
    private static readonly (string Ours, string DotNet)[] Published =
    [
        (PreTokenizer.Regex(SplitPattern.Gpt2), PreTokenizer.Regex(SplitPattern.Gpt2)),
        (PreTokenizer.Regex(SplitPattern.Llama3), PreTokenizer.Regex(SplitPattern.Llama3)),
        (PreTokenizer.Regex(SplitPattern.Qwen2), PreTokenizer.Regex(SplitPattern.Qwen2)),
        (O200k, O200k),
        (DeepSeek, DeepSeek),
        (@"\p{N}{1,3}", @"\p{N}{1,3}"),
        ("[一-龥぀-ゟ゠-ヿ]+", "[一-龥぀-ゟ゠-ヿ]+"),
        (@"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]|\s+(?!\S)|\s",
         @"'(?i:[sdmt]|ll|ve|re)|(?>[^\r\n\p{L}\p{N}]?)(?>\p{L}+)|(?>\p{N}{1,3})| ?(?>[^\s\p{L}\p{N}]+)(?>[\r\n]*)|(?>\s+)\z|" +
         @"\s*[\r\n]|\s+(?!\S)|\s"),
        (@"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+",
         @"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"),
        (@"\s+", @"\s+"),
        (" {2,}", " {2,}"),
        (@"\d{1,3}(?=(?:\d{3})*\D)", @"\d{1,3}(?=(?:\d{3})*\D)"),
    ];

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
    public void Splits_as_the_published_patterns(string text, string gpt2, string llama3)
    {
        Assert.Equal(gpt2, Matches(PreTokenizer.Regex(SplitPattern.Gpt2), text));
        Assert.Equal(llama3, Matches(PreTokenizer.Regex(SplitPattern.Llama3), text));
    }

    [Theory]
    [InlineData("^a|^b", "ab\nb\n", "a|b")]
    [InlineData("a$", "a\naa", "a|a")]
    [InlineData(@"\s++$", "a  \n ", "  \n ")]
    [InlineData(@"\Aa|c\z|b\Z", "aabcb\n", "a|b")]
    [InlineData("(?<=a)b|(?<!a|cc)c", "ab cc ac cccc", "b|c|c|c|c")]
    [InlineData(@"\bx\w*\b", "xy ax x́y x_1", "xy|x́y|x_1")]
    [InlineData("(?i)straße|ſ|k", "STRAßE S K \u212A k", "STRAßE|S|K|\u212A|k")]
    [InlineData("(?i:[^k])", "kK\u212Az", "z")]
    [InlineData("a(?-i:b)(?i)c", "abC aBC", "abC")]
    [InlineData("a.c|(?s:d.f)", "a\nc abc d\nf", "abc|d\nf")]
    [InlineData("a{2}b{,1}c{1,}", "aabcc aac aa{", "aabcc|aac")]
    [InlineData("a{,}|{b}", "a{,} {b}", "a{,}|{b}")]
    [InlineData("(?>a|ab)c", "abc ac", "ac")]
    [InlineData("a*?b", "aab", "aab")]
    [InlineData("(?:ab?)+?c", "abac", "abac")]
    [InlineData("a{1,2}+a", "aa aaa", "aaa")]
    [InlineData("(?:a|ab)(?:c|bcd)", "abcd", "abcd")]
    [InlineData("(?:a|b*)*c", "abbac", "abbac")]
    [InlineData("(?<name>x)(?P<other>y)(?#note)z", "xyz", "xyz")]
    [InlineData("[]a][^]a]", "]b aa ", "]b|a ")]
    [InlineData("[a-c&&[^b]-]", "abc-", "a|c")]
    [InlineData("[[a-c]x[^\\s\\S]]+", "abxz", "abx")]
    [InlineData(@"[+--]+[\w-]", "+,--x", "+,--x")]
    [InlineData(@"[^(\s|[.,!?…])]+", "a(b.c|d e!f", "a|b|c|d|e|f")]
    [InlineData(@"\x41\x{1F600}\u0042\t\-\/", "A😀B\t-/", "A😀B\t-/")]
    [InlineData(@"\pL+|\p{^N}|\P{L}", "ab1 ", "ab|1| ")]
    [InlineData(@"\p{Lowercase_Letter}+|\p{gc=Lu}", "aB", "a|B")]
    [InlineData(@"\p{Han}+|\p{Script=Hiragana}+|\p{Katakana}+|\p{Hangul}", "漢字かなカナ한𠀀〇", "漢字|かな|カナ|한|𠀀〇")]
    [InlineData(@"[\p{L}&&[^\p{Han}]]+", "ab漢字cd", "ab|cd")]
    [InlineData("", "ab", "||")]
    [InlineData("a*", "aab", "aa|")]
    [InlineData("|x", "x", "|")]
    public void Understands(string pattern, string text, string matches) => Assert.Equal(matches, Matches(pattern, text));

    [Fact]
    public void Agrees_with_DotNet_inside_the_basic_multilingual_plane()
    {
        foreach ((string ours, string dotNet) in Published)
        {
            var expected = new Regex(dotNet, RegexOptions.CultureInvariant);
            var actual = CodePointRegex.Parse(ours);
            var random = new Random(7);
            for (int round = 0; round < 2000; round++)
            {
                // .NET's IgnoreCase has no long s, and its Kelvin sign is no K
                string text = RandomUnicode.NextInPlane(random, random.Next(30)).Replace("ſ", "", StringComparison.Ordinal);
                Assert.Equal(expected.Matches(text).Select(match => match.Value), MatchesOf(actual, text));
            }
        }
    }

    [Fact]
    public void Random_expressions_find_from_every_place_what_they_mean()
    {
        var random = new Random(13);
        for (int round = 0; round < 5000; round++)
        {
            OracleRegex expected = OracleRegex.Random(random, 3);
            var actual = CodePointRegex.Parse(expected.Pattern);
            for (int texts = 0; texts < 3; texts++)
            {
                string text = string.Concat(Enumerable.Range(0, random.Next(9)).Select(_ => "aaabbc \n"[random.Next(8)]));
                for (int from = 0; from <= text.Length; from++)
                {
                    bool found = actual.TryMatch(Encoding.UTF8.GetBytes(text), from, out int start, out int end);
                    (int Start, int End)? theirs = expected.Find(text, from), ours = found ? (start, end) : null;
                    if (theirs == ours) continue;
                    Assert.Fail($"/{expected.Pattern}/ on \"{text}\" from {from}: expected {theirs}, got {ours}");
                }
            }
        }
    }

    [Theory]
    [InlineData(@"(a)\1", "a backreference", 3)]
    [InlineData(@"(?<n>a)\k<n>", "a reference to a group", 7)]
    [InlineData("(a)(?(1)b|c)", "a conditional", 3)]
    [InlineData("a(?~b)", "an absent operator", 1)]
    [InlineData("a(?R)", "a group call", 1)]
    [InlineData("(?m:a)", "the flag m", 2)]
    [InlineData("a(?i)b|c", "flags set between", 1)]
    [InlineData("x[[:alpha:]]", "a POSIX class", 2)]
    [InlineData("[a-z--b]", "the class operator --", 4)]
    [InlineData(@"a\p{Tibetan}", @"the property \p{Tibetan}", 1)]
    [InlineData(@"\h", @"the escape \h", 0)]
    [InlineData(@"(?<=a+)b", "a lookbehind of no fixed length", 0)]
    [InlineData("a{3}?", "{n}?", 1)]
    [InlineData("a{100001}", "more than", 1)]
    public void What_is_not_supported_is_named_with_its_place(string pattern, string construct, int position)
    {
        string message = Assert.Throws<NotSupportedException>(() => CodePointRegex.Parse(pattern)).Message;
        Assert.Contains(construct, message, StringComparison.Ordinal);
        Assert.Contains($"at position {position}", message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("(a")]
    [InlineData("a)")]
    [InlineData("[a")]
    [InlineData("*a")]
    [InlineData("a|+")]
    [InlineData(@"a\")]
    [InlineData(@"\x{110000}")]
    [InlineData(@"\uD800")]
    [InlineData(@"\p{L")]
    [InlineData("[z-a]")]
    [InlineData(@"[a-\d]")]
    [InlineData("a{3,2}")]
    [InlineData("(?")]
    [InlineData("(?<name")]
    public void What_is_malformed_is_refused(string pattern) =>
        Assert.Throws<InvalidDataException>(() => CodePointRegex.Parse(pattern));

    [Fact]
    public void Half_a_surrogate_pair_is_refused() =>
        Assert.Throws<InvalidDataException>(() => CodePointRegex.Parse("a" + (char)0xD800));

    [Fact]
    public void Deep_long_and_multiplying_expressions_are_refused_at_once()
    {
        string nested = string.Concat(Enumerable.Repeat("(?:a{500}b){500}", 3));
        for (int i = 0; i < 10; i++) nested = $"(?:{nested}){{1000}}";
        foreach (string pattern in new[]
        {
            new string('(', 100_000), new string('(', 5000), new string('[', 5000), "a" + new string('*', 5000),
            new string('a', 10_000), nested, "(?:(?:(?:){1000}){1000}){1000}", new string('(', 200) + new string(')', 200),
        })
        {
            Assert.Throws<NotSupportedException>(() => CodePointRegex.Parse(pattern));
        }
    }

    [Fact]
    public void Random_characters_are_parsed_or_refused_and_matched_within_limits()
    {
        var random = new Random(17);
        const string Alphabet = @"()[]{}|*+?\^$.&&-:=!<>,ipLs01ab'";
        string text = RandomUnicode.Next(random, 20);
        for (int round = 0; round < 20_000; round++)
        {
            string pattern = new([.. random.GetItems<char>(Alphabet, random.Next(1, 16))]);
            try
            {
                CodePointRegex.Parse(pattern).Matches(Encoding.UTF8.GetBytes(text));
            }
            catch (Exception e) when (e is InvalidDataException or NotSupportedException)
            {
            }
        }
    }

    [Theory]
    [InlineData("(?:a+)+b")]
    [InlineData("(?:a*)*b")]
    [InlineData("(?:aa|aa)*b")]
    [InlineData("(?:a?){40}a{40}b")]
    public void Expressions_that_explode_end_in_an_error(string pattern)
    {
        byte[] text = Encoding.UTF8.GetBytes(new string('a', 100));
        var error = Assert.Throws<InvalidDataException>(() => CodePointRegex.Parse(pattern).Matches(text));
        Assert.Contains("takes too long", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_megabyte_of_one_character_is_split()
    {
        foreach (string character in new[] { "a", "A", " ", "\n", ".", "日" })
        {
            byte[] text = Encoding.UTF8.GetBytes(string.Concat(Enumerable.Repeat(character, 1_000_000)));
            foreach (string pattern in new[] { O200k, DeepSeek, PreTokenizer.Regex(SplitPattern.Llama3) })
                Assert.Equal((0, text.Length), Assert.Single(CodePointRegex.Parse(pattern).Matches(text)));
        }
        byte[] pairs = Encoding.UTF8.GetBytes(string.Concat(Enumerable.Repeat("ab", 500_000)));
        Assert.Single(CodePointRegex.Parse("(?:ab|c)+").Matches(pairs));
        Assert.Single(CodePointRegex.Parse("(?:a|b|(?=c))*").Matches(pairs)[..1]);
    }

    [Fact]
    public void Scripts_lie_within_letters_marks_numbers_and_symbols_assigned()
    {
        // guards the constants: every member is assigned in the runtime's Unicode, and counts are those of Scripts.txt 16.0
        foreach ((string script, int count) in new[] { ("Han", 99030), ("Hiragana", 381), ("Katakana", 321), ("Hangul", 11739) })
        {
            CodePointSet set = UnicodeSets.Named(script)!;
            Assert.Equal(count, set.Ranges.Sum(range => range.To - range.From + 1));
            Assert.Empty(set.Intersect(UnicodeSets.Named("Cn")!).Ranges);
        }
        Assert.Equal(25, UnicodeSets.WhiteSpace.Ranges.Sum(range => range.To - range.From + 1));
    }

    [Fact]
    public void Case_folding_joins_what_differs_in_case_only()
    {
        foreach (string group in new[] { "kK\u212A", "sS\u017F", "åÅ\u212B", "σςΣ", "µμΜ", "θϑΘϴ", "ßẞ", "ǆǅǄ", "ωΩ\u2126", "𐐀𐐨" })
        {
            int[] members = [.. group.EnumerateRunes().Select(rune => rune.Value)];
            CodePointSet folded = UnicodeSets.IgnoreCase(CodePointSet.Of(members[0], members[0]));
            int[] found = [.. folded.Ranges.SelectMany(range => Enumerable.Range(range.From, range.To - range.From + 1))];
            Assert.Equal(members.Order(), found);
        }
        Assert.Equal(2, UnicodeSets.IgnoreCase(CodePointSet.Of('i', 'i')).Ranges.Count()); // no Turkish I
    }

    private static IEnumerable<string> MatchesOf(CodePointRegex regex, string text)
    {
        byte[] utf8 = Encoding.UTF8.GetBytes(text);
        return regex.Matches(utf8).Select(match => Encoding.UTF8.GetString(utf8, match.Start, match.End - match.Start));
    }

    private static string Matches(string pattern, string text) => string.Join('|', MatchesOf(CodePointRegex.Parse(pattern), text));
}
