using System.Globalization;
using System.Text;

namespace Finery.Data.Tokenizers;

/// <summary>How text is cut into the chunks inside which byte pairs merge. Both patterns are known to HF and llama.cpp.</summary>
public enum SplitPattern
{
    /// <summary>The Llama-3 pattern (the original GPT-4 <c>cl100k_base</c> form): numbers in groups of three digits.</summary>
    Llama3,

    /// <summary>The GPT-2 pattern.</summary>
    Gpt2,
}

/// <summary>
/// Hand-written scanner for <see cref="SplitPattern"/>. .NET's <c>Regex</c> sees UTF-16 units, so <c>\p{L}</c> would miss every
/// letter outside the Basic Multilingual Plane; this works on code points of UTF-8 text. Character classes come from the
/// runtime's own Unicode table (a test holds their sizes, so that a change of Unicode version is noticed).
/// </summary>
public static class PreTokenizer
{
    private const byte Letter = 1, Number = 2, Space = 3, Other = 4;

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
        pattern == SplitPattern.Llama3 ? Llama3ChunkEnd(utf8, start) : Gpt2ChunkEnd(utf8, start);

    /// <summary>The regular expression of a pattern as written in HF files.</summary>
    public static string Regex(SplitPattern pattern) => pattern == SplitPattern.Llama3
        ? @"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
        : @"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";

    /// <summary>L, N, W (white space) or O for a code point: what the scanner sees.</summary>
    internal static char ClassName(int codePoint) => "?LNWO"[codePoint <= 0xFFFF ? BmpClasses[codePoint] : ClassOf(codePoint)];

    private static int Llama3ChunkEnd(ReadOnlySpan<byte> text, int start)
    {
        byte kind = Classify(text, start, out int next);
        byte first = text[start];
        if (first == '\'' && ContractionLength(text[start..], anyCase: true) is > 0 and int length) return start + length;
        if (kind == Letter) return RunEnd(text, next, Letter);

        byte following = next < text.Length ? Classify(text, next, out _) : (byte)0;
        if (kind == Number) // \p{N}{1,3}
        {
            int end = next;
            for (int taken = 1; taken < 3 && end < text.Length && Classify(text, end, out next) == Number; taken++) end = next;
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

    private static int Gpt2ChunkEnd(ReadOnlySpan<byte> text, int start)
    {
        byte kind = Classify(text, start, out int next);
        byte first = text[start];
        if (first == '\'' && ContractionLength(text[start..], anyCase: false) is > 0 and int length) return start + length;
        if (first == ' ' && next < text.Length && Classify(text, next, out int after) is Letter or Number or Other)
        {
            kind = Classify(text, next, out next);
            return RunEnd(text, next, kind);
        }
        return kind == Space ? SpaceEnd(text, start, lineBreaksFirst: false) : RunEnd(text, next, kind);
    }

    /// <summary><c>\s*[\r\n]+</c> (when asked), else <c>\s+(?!\S)</c>, else <c>\s+</c>, from a white space character.</summary>
    private static int SpaceEnd(ReadOnlySpan<byte> text, int start, bool lineBreaksFirst)
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
        return at == text.Length || count == 1 ? at : lastStart;
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
