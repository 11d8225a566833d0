namespace Finery.Tests.Data.Tokenizers;

/// <summary>Text which exercises every branch of a tokenizer: letters, digits, white space, line breaks, contractions, marks,
/// characters outside the BMP and lone surrogates.</summary>
internal static class RandomText
{
    private static readonly string[] Pieces =
    [
        "a", "b", "the", "low", "er", "Hello", "é", "ß", "ſ", "ह", "ि", "日", "本", "한", "ア", "م", "٣", "½", "1", "23", "9",
        " ", "  ", "\t", "\n", "\r\n", "\r", "\u00A0", "\u2003", "\u0085", "'", "'s", "'LL", "'ve", "_", ".", "(", "://",
        "<|im_end|>", "<|", "\0", "𝒜", "😉", "👩‍👩‍👧", "\U00010400", "\uD83D", "\uDE00", "\uFFFD", "!", "?", "xx", "aaaa", "\u0301",
    ];

    public static string Next(Random random, int pieces) =>
        string.Concat(Enumerable.Range(0, pieces).Select(_ => Pieces[random.Next(Pieces.Length)]));
}
