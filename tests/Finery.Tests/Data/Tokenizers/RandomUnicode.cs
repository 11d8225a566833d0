using System.Globalization;
using System.Text;

namespace Finery.Tests.Data.Tokenizers;

/// <summary>Strings from all of Unicode in which the classes that split patterns ask about come in runs: letters, digits, marks
/// and signs of every plane, all white space, contractions in every case, lone surrogates.</summary>
internal static class RandomUnicode
{
    private static readonly string[] Contractions =
        [.. "'s 'S 'ſ 't 're 'RE 'Re 've 'vE 'm 'll 'Ll 'lL 'd 'D ' '' 'l 'r 'K".Split(' ')];

    private static readonly string[] WhiteSpace =
        [.. Enumerable.Range(0, 0x10000).Where(c => char.IsWhiteSpace((char)c)).Select(c => ((char)c).ToString())];

    private static readonly string[][] Categories = [.. Enumerable.Range(0, 0x110000)
        .Where(Rune.IsValid)
        .GroupBy(CharUnicodeInfo.GetUnicodeCategory)
        .Select(group => group.Select(c => new Rune(c).ToString()).ToArray())];

    public static string Next(Random random, int pieces)
    {
        var text = new StringBuilder();
        for (int i = 0; i < pieces; i++)
        {
            string[] kind = random.Next(10) switch
            {
                0 => Contractions,
                1 => WhiteSpace,
                2 => [" ", "  ", "   "],
                3 => ["\n", "\r", "\r\n", "\n\n", "\t"],
                4 => ["a", "b", "Z", "re", "s", "LL", "é", "_", "-", ".", "/"],
                5 => ["0", "7", "12", "345", "½", "Ⅷ", "٣", "𝟘"],
                6 => ["\uD83D", "\uDE00", "\uFFFD", "\0", "\u200D", "\u0301"],
                _ => Categories[random.Next(Categories.Length)],
            };
            for (int repeats = random.Next(4) == 0 ? random.Next(1, 5) : 1; repeats > 0; repeats--)
                text.Append(kind[random.Next(kind.Length)]);
        }
        return text.ToString();
    }

    /// <summary>The same without what lies outside the Basic Multilingual Plane.</summary>
    public static string NextInPlane(Random random, int pieces) =>
        new([.. Next(random, pieces).Where(c => !char.IsSurrogate(c))]);
}
