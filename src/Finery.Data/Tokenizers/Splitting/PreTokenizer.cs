using System.Text;

namespace Finery.Data.Tokenizers;

/// <summary>How text is cut into the chunks inside which byte pairs merge: the patterns with a hand-written scanner.</summary>
public enum SplitPattern
{
    /// <summary>The Llama-3 pattern (the original GPT-4 <c>cl100k_base</c> form): numbers in groups of three digits.</summary>
    Llama3,

    /// <summary>The GPT-2 pattern.</summary>
    Gpt2,

    /// <summary>SmolLM 1 and 2: every number character on its own, then GPT-2's pattern on what lies between.</summary>
    SmolLm,

    /// <summary>Qwen 2 to 3: the Llama-3 pattern with single digits.</summary>
    Qwen2,

    /// <summary>nanochat: the Llama-3 pattern with numbers in groups of two digits, better at small vocabularies.</summary>
    Nanochat,
}

/// <summary>
/// Cuts text as <see cref="SplitPattern"/> says. .NET's <c>Regex</c> sees UTF-16 units, so <c>\p{L}</c> would miss every letter
/// outside the Basic Multilingual Plane; the scanners behind this work on code points of UTF-8 text.
/// </summary>
public static class PreTokenizer
{
    private const string Llama3Regex =
        @"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

    private const string Gpt2Regex = @"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";

    // Other spellings of the same splits: tiktoken's own (possessive quantifiers change no match here), rustbpe's. Not tiktoken's
    // newer cl100k, whose \s++$ makes one chunk of "\n  " at the end of text where the Llama-3 form makes two.
    private static readonly Dictionary<string, SplitPattern> Spellings = new(StringComparer.Ordinal)
    {
        [@"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+"] =
            SplitPattern.Llama3,
        [@"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,2}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+"] =
            SplitPattern.Nanochat,
        [@"'(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s"] = SplitPattern.Gpt2,
        [@"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"] = SplitPattern.Gpt2,
    };

    /// <summary>The chunks of <paramref name="text"/> in order; joined they are the text, except that each lone surrogate
    /// has become U+FFFD.</summary>
    public static IReadOnlyList<string> Split(string text, SplitPattern pattern)
    {
        byte[] utf8 = Encoding.UTF8.GetBytes(text);
        var chunks = new List<string>();
        for (int start = 0, end; start < utf8.Length; start = end)
        {
            end = ChunkEnd(utf8, start, pattern);
            chunks.Add(Encoding.UTF8.GetString(utf8, start, end - start));
        }
        return chunks;
    }

    /// <summary>Index after the last byte of the chunk that begins at <paramref name="start"/> of valid UTF-8.</summary>
    public static int ChunkEnd(ReadOnlySpan<byte> utf8, int start, SplitPattern pattern) =>
        pattern switch
        {
            SplitPattern.Gpt2 => new Gpt2Scanner(singleNumbers: false).ChunkEnd(utf8, start),
            SplitPattern.SmolLm => new Gpt2Scanner(singleNumbers: true).ChunkEnd(utf8, start),
            SplitPattern.Qwen2 => new Llama3Scanner(mostDigits: 1).ChunkEnd(utf8, start),
            SplitPattern.Nanochat => new Llama3Scanner(mostDigits: 2).ChunkEnd(utf8, start),
            _ => new Llama3Scanner(mostDigits: 3).ChunkEnd(utf8, start),
        };

    /// <summary>The regular expression of a pattern as written in HF files. SmolLM's files say the same with a Digits step before
    /// GPT-2's pattern; here it is one expression.</summary>
    public static string Regex(SplitPattern pattern) => pattern switch
    {
        SplitPattern.Gpt2 => Gpt2Regex,
        SplitPattern.SmolLm => @"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+|\s+(?![^\s\p{N}])|\s+",
        SplitPattern.Qwen2 => Llama3Regex.Replace("{1,3}", "", StringComparison.Ordinal),
        SplitPattern.Nanochat => Llama3Regex.Replace("{1,3}", "{1,2}", StringComparison.Ordinal),
        _ => Llama3Regex,
    };

    /// <summary>The scanner that splits as a regular expression does, or null where there is none.</summary>
    public static SplitPattern? PatternOf(string regex)
    {
        foreach (SplitPattern pattern in Enum.GetValues<SplitPattern>())
        {
            if (Regex(pattern) == regex) return pattern;
        }
        return Spellings.TryGetValue(regex, out SplitPattern known) ? known : null;
    }

    /// <summary>L, N, W (white space) or O for a code point: what the scanner sees.</summary>
    internal static char ClassName(int codePoint) => "?LNWO"[CharacterClasses.Of(codePoint)];
}
