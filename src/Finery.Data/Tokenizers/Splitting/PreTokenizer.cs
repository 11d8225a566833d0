using System.Globalization;
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
/// Hand-written scanner for <see cref="SplitPattern"/>. .NET's <c>Regex</c> sees UTF-16 units, so <c>\p{L}</c> would miss every
/// letter outside the Basic Multilingual Plane; this works on code points of UTF-8 text. Character classes come from the
/// runtime's own Unicode table (a test holds their sizes, so that a change of Unicode version is noticed).
/// </summary>
public static class PreTokenizer
{
    private const byte Letter = 1, Number = 2, Space = 3, Other = 4;

    private const string Llama3Regex =
        @"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

    private const string Gpt2Regex = @"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";

    // Other spellings of the same splits: tiktoken's own (possessive quantifiers change no match here), rustbpe's.
    private static readonly Dictionary<string, SplitPattern> Spellings = new(StringComparer.Ordinal)
    {
        [@"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]|\s+(?!\S)|\s"] =
            SplitPattern.Llama3,
        [@"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+"] =
            SplitPattern.Llama3,
        [@"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,2}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+"] =
            SplitPattern.Nanochat,
        [@"'(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s"] = SplitPattern.Gpt2,
        [@"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"] = SplitPattern.Gpt2,
    };

    private static readonly byte[] BmpClasses = BuildClasses();

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
            SplitPattern.Gpt2 => Gpt2ChunkEnd(utf8, start, singleNumbers: false),
            SplitPattern.SmolLm => Gpt2ChunkEnd(utf8, start, singleNumbers: true),
            SplitPattern.Qwen2 => Llama3ChunkEnd(utf8, start, mostDigits: 1),
            SplitPattern.Nanochat => Llama3ChunkEnd(utf8, start, mostDigits: 2),
            _ => Llama3ChunkEnd(utf8, start, mostDigits: 3),
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
    internal static char ClassName(int codePoint) => "?LNWO"[codePoint <= 0xFFFF ? BmpClasses[codePoint] : ClassOf(codePoint)];

    private static int Llama3ChunkEnd(ReadOnlySpan<byte> text, int start, int mostDigits)
    {
        byte kind = Classify(text, start, out int next);
        byte first = text[start];
        if (first == '\'' && ContractionLength(text[start..], anyCase: true) is > 0 and int length) return start + length;
        if (kind == Letter) return RunEnd(text, next, Letter);

        byte following = next < text.Length ? Classify(text, next, out _) : (byte)0;
        if (kind == Number)
        {
            int end = next;
            for (int taken = 1; taken < mostDigits && end < text.Length && Classify(text, end, out next) == Number; taken++) end = next;
            return end;
        }
        if (following == Letter && first is not ((byte)'\r' or (byte)'\n')) return RunEnd(text, next, Letter);
        if (kind == Other || (first == ' ' && following == Other))
        {
            int end = RunEnd(text, next, Other);
            while (end < text.Length && text[end] is (byte)'\r' or (byte)'\n') end++;
            return end;
        }
        return SpaceEnd(text, start, lineBreaksFirst: true);
    }

    private static int Gpt2ChunkEnd(ReadOnlySpan<byte> text, int start, bool singleNumbers)
    {
        byte kind = Classify(text, start, out int next);
        byte first = text[start];
        if (first == '\'' && ContractionLength(text[start..], anyCase: false) is > 0 and int length) return start + length;
        if (singleNumbers && kind == Number) return next;
        if (first == ' ' && next < text.Length && Classify(text, next, out int after) is not Space and var second
            && !(singleNumbers && second == Number))
        {
            return RunEnd(text, after, second);
        }
        return kind == Space ? SpaceEnd(text, start, lineBreaksFirst: false, allBeforeNumber: singleNumbers) : RunEnd(text, next, kind);
    }

    /// <summary><c>\s*[\r\n]+</c> (when asked), else <c>\s+(?!\S)</c>, else <c>\s+</c>, from a white space character.</summary>
    private static int SpaceEnd(ReadOnlySpan<byte> text, int start, bool lineBreaksFirst, bool allBeforeNumber = false)
    {
        int at = start, lastStart = start, afterBreak = 0, count = 0;
        while (at < text.Length && Classify(text, at, out int next) == Space)
        {
            if (text[at] is (byte)'\r' or (byte)'\n') afterBreak = next;
            lastStart = at;
            at = next;
            count++;
        }
        if (lineBreaksFirst && afterBreak > 0) return afterBreak;
        return at == text.Length || count == 1 || (allBeforeNumber && Classify(text, at, out _) == Number) ? at : lastStart;
    }

    private static int RunEnd(ReadOnlySpan<byte> text, int at, byte kind)
    {
        while (at < text.Length && Classify(text, at, out int next) == kind) at = next;
        return at;
    }

    /// <summary>Length of an English contraction at the start of <paramref name="rest"/>, apostrophe included, or 0.</summary>
    private static int ContractionLength(ReadOnlySpan<byte> rest, bool anyCase)
    {
        if (rest.Length < 2) return 0;
        byte second = Fold(rest[1]), third = rest.Length > 2 ? Fold(rest[2]) : (byte)0;
        if (second is (byte)'s' or (byte)'t' or (byte)'m' or (byte)'d') return 2;
        if ((second, third) is ((byte)'r', (byte)'e') or ((byte)'v', (byte)'e') or ((byte)'l', (byte)'l')) return 3;
        return anyCase && rest[1..].StartsWith("ſ"u8) ? 3 : 0; // U+017F folds to s

        byte Fold(byte letter) => anyCase && letter is >= (byte)'A' and <= (byte)'Z' ? (byte)(letter | 0x20) : letter;
    }

    private static byte Classify(ReadOnlySpan<byte> text, int at, out int next)
    {
        byte first = text[at];
        if (first < 0x80)
        {
            next = at + 1;
            return BmpClasses[first];
        }
        Rune.DecodeFromUtf8(text[at..], out Rune rune, out int length);
        next = at + length;
        return rune.IsBmp ? BmpClasses[rune.Value] : ClassOf(rune.Value);
    }

    private static byte[] BuildClasses()
    {
        var classes = new byte[0x10000];
        for (int c = 0; c < classes.Length; c++) classes[c] = ClassOf(c);
        return classes;
    }

    private static byte ClassOf(int codePoint) => CharUnicodeInfo.GetUnicodeCategory(codePoint) switch
    {
        UnicodeCategory.UppercaseLetter or UnicodeCategory.LowercaseLetter or UnicodeCategory.TitlecaseLetter
            or UnicodeCategory.ModifierLetter or UnicodeCategory.OtherLetter => Letter,
        UnicodeCategory.DecimalDigitNumber or UnicodeCategory.LetterNumber or UnicodeCategory.OtherNumber => Number,
        UnicodeCategory.SpaceSeparator or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator => Space,
        _ => codePoint is >= 9 and <= 13 or 0x85 ? Space : Other, // the controls among Unicode's White_Space
    };
}
