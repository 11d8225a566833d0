using System.Text;
using Finery.Data.Tokenizers;
using Xunit;

namespace Finery.Tests.Data.Tokenizers.Splitting;

/// <summary>Holds the hand-written scanners to what the expressions they stand for mean.</summary>
public class ScannerMeaningTests
{
    // spellings of tiktoken and rustbpe, which have scanners too
    private static readonly string[] OtherSpellings =
    [
        @"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+",
        @"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,2}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+",
        @"'(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s",
        @"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
    ];

    public static TheoryData<string, SplitPattern> Patterns
    {
        get
        {
            var data = new TheoryData<string, SplitPattern>();
            foreach (SplitPattern pattern in Enum.GetValues<SplitPattern>()) data.Add(PreTokenizer.Regex(pattern), pattern);
            foreach (string spelling in OtherSpellings) data.Add(spelling, PreTokenizer.PatternOf(spelling)!.Value);
            return data;
        }
    }

    [Theory]
    [MemberData(nameof(Patterns))]
    public void A_scanner_splits_as_its_expression_on_random_Unicode(string regex, SplitPattern pattern)
    {
        var meaning = CodePointRegex.Parse(regex);
        var random = new Random(11);
        for (int round = 0; round < 20_000; round++)
        {
            string text = RandomUnicode.Next(random, random.Next(24));
            byte[] utf8 = Encoding.UTF8.GetBytes(text);
            string expected = string.Join('|', meaning.Matches(utf8).Select(match => $"{match.Start}-{match.End}"));
            int at = 0;
            string actual = string.Join('|',
                PreTokenizer.Split(text, pattern).Select(chunk => $"{at}-{at += Encoding.UTF8.GetByteCount(chunk)}"));
            if (expected != actual) Assert.Fail($"{Escaped(text)}: expected {expected}, got {actual}");
        }
    }

    [Fact]
    public void The_newer_cl100k_spelling_has_no_scanner_since_it_joins_white_space_at_the_end_of_text()
    {
        const string Spelling =
            @"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+|" +
            @"\s++$|\s*[\r\n]|\s+(?!\S)|\s";
        Assert.Null(PreTokenizer.PatternOf(Spelling));
        Assert.Equal([(0, 1), (1, 4)], CodePointRegex.Parse(Spelling).Matches("a\n  "u8));
        Assert.Equal([(0, 1), (1, 2), (2, 4)], CodePointRegex.Parse(PreTokenizer.Regex(SplitPattern.Llama3)).Matches("a\n  "u8));
    }

    private static string Escaped(string text) =>
        string.Concat(text.Select(c => c is > ' ' and < (char)127 ? c.ToString() : $"\\u{(int)c:X4}"));
}
