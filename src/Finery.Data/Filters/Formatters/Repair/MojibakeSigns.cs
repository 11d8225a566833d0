using System.Globalization;
using System.Text;
using static Finery.Data.Filters.Formatters.Repair.MojibakeClass;

namespace Finery.Data.Filters.Formatters.Repair;

/// <summary>
/// Whether a text looks as if UTF-8 had been read in another encoding somewhere in it: neighbours that do not belong together,
/// and telling sequences. The signs are those of ftfy 6.3 by Robyn Speer (Apache-2.0); all look at five characters at most.
/// </summary>
internal static class MojibakeSigns
{
    private const MojibakeClass Accented = Upper | Lower;
    private const MojibakeClass ArabicPart = Common | Currency | Bad | Numeric | Start;
    private const MojibakeClass ScriptPart = C1 | Bad | Start | End | Currency;

    /// <summary>Whether there is a sign of it.</summary>
    public static bool IsBad(ReadOnlySpan<char> text) => HasSign(text) || HasLoneLetter(text);

    private static bool HasSign(ReadOnlySpan<char> text)
    {
        for (var i = 0; i < text.Length; i++)
        {
            // Every sign has a character outside ASCII at its first, second or third place.
            var offset = text[i..].IndexOfAnyExceptInRange('\0', '\x7F');
            if (offset < 0)
                return false;
            i += offset;
            if (IsSign(text, i) || (i > 0 && IsSignAfterOther(text, i)))
                return true;
        }
        return false;
    }

    /// <summary>Signs that start at a character outside ASCII.</summary>
    private static bool IsSign(ReadOnlySpan<char> text, int i)
    {
        var c = text[i];
        var a = MojibakeClasses.Of(c);
        if (a == None)
            return IsSequence(text[i..]);
        if ((a & C1) != 0)
            return true;
        if (i + 1 >= text.Length)
            return false;
        var b = MojibakeClasses.Of(text[i + 1]);
        if ((b & MojibakeClasses.UnlikelyAfter(c)) != 0)
            return true;
        if (i + 2 < text.Length)
        {
            var third = MojibakeClasses.Of(text[i + 2]);
            if (((a & (Accented | Box | Currency | End)) != 0 && (b & Start) != 0 && (third & Numeric) != 0)
                || ((a & (Accented | Currency | Numeric | Box | Law)) != 0 && (b & End) != 0 && (third & Start) != 0)
                || ((a & Accented) != 0 && (b & (Start | End)) != 0 && IsWord(text[(i + 2)..])))
                return true;
        }
        return ((a & Upper) != 0 && text[i + 1] == '°') || IsSequence(text[i..]);
    }

    /// <summary>Sequences that are telling by themselves.</summary>
    private static bool IsSequence(ReadOnlySpan<char> text)
    {
        if (text.Length < 2)
            return false;
        var next = text[1];
        var b = MojibakeClasses.Of(next);
        switch (text[0])
        {
            case 'Œ' or 'œ':
                return !char.IsAsciiLetter(next);
            case 'Â' or 'Ã' or 'Î' or 'Ð':
                return (b & (Start | End)) != 0 || "€œŠš¢£Ÿž\u00A0\u00AD®©°·»–—´".Contains(next);
            case '×':
                return next is '²' or '³';
            case 'Ø' or 'Ù':
                return text.Length > 3 && IsArabicPart(next) && text[2] is 'Ø' or 'Ù' && IsArabicPart(text[3]);
            case 'à':
                return "²µ¹¼½¾".Contains(next);
            case '√':
                return "±∂†≠®™´≤≥¥µø".Contains(next);
            case '≈':
                return next is '°' or '¢';
            case '‚':
                return text.Length > 2 && (next == 'Ä' ? "ìîïòôúùû†°¢π".Contains(text[2])
                    : next is 'â' or 'ó' && "àä°ê".Contains(text[2]));
            case 'в' when next == 'Ђ':
            case 'ā' when next == '€':
                return true;
            case 'В' or 'Г' or 'Р' or 'С':
                return (text.Length > 2 && ((b & ScriptPart) != 0 || next is '°' or 'µ') && text[2] is 'В' or 'Г' or 'Р' or 'С')
                    || (text.StartsWith("ГўВЂВ") && text.Length > 6 && (char.IsAsciiLetter(text[6]) || text[6] == ' '));
            case 'β':
                return text.Length > 2 && next == '€' && "™\u00A0Ά\u00AD®°".Contains(text[2]);
            case 'Β' or 'Γ' or 'Ξ' or 'Ο':
                return text.Length > 2 && ((b & ScriptPart) != 0 || next == '°') && text[2] is 'Β' or 'Γ' or 'Ξ' or 'Ο';
            default:
                return false;
        }
    }

    /// <summary>Signs that take in an ASCII letter or white space before the character.</summary>
    private static bool IsSignAfterOther(ReadOnlySpan<char> text, int i)
    {
        var before = text[i - 1];
        var a = MojibakeClasses.Of(text[i]);
        var next = i + 1 < text.Length ? text[i + 1] : '\0';
        var b = i + 1 < text.Length ? MojibakeClasses.Of(next) : None;
        return (char.IsAsciiLetter(before) && (a & (LowerScript | UpperScript)) != 0 && (b & Bad) != 0)
            || (CharacterSets.IsSpace(before) && (a & Upper) != 0 && (b & Currency) != 0)
            || (before is >= 'a' and <= 'z' && (a & Upper) != 0 && (b & (Start | Currency)) != 0);
    }

    /// <summary>A lone <c>Ã</c> or <c>Â</c> before a space, where a lower-case word or the text's start precedes it, and
    /// <c>Â</c> between punctuation.</summary>
    private static bool HasLoneLetter(ReadOnlySpan<char> text)
    {
        for (var i = 0; i < text.Length; i++)
        {
            var offset = text[i..].IndexOfAny('Ã', 'Â');
            if (offset < 0)
                return false;
            i += offset;
            if (i + 1 >= text.Length)
                return false;
            var next = MojibakeClasses.Of(text[i + 1]);
            if (text[i + 1] == ' ' && (i == 0 || IsLowerBefore(text, i)))
                return true;
            if (text[i] == 'Â' && i > 0 && (text[i + 1] == ' ' || (next & (Start | End)) != 0)
                && (text[i - 1] is (>= 'a' and <= 'z') or '.' or ',' or '?' or '!'
                    || (MojibakeClasses.Of(text[i - 1]) & End) != 0))
                return true;
        }
        return false;
    }

    private static bool IsLowerBefore(ReadOnlySpan<char> text, int i)
    {
        i--;
        if (CharacterSets.IsSpace(text[i]) && i > 0)
            i--;
        return text[i] is >= 'a' and <= 'z';
    }

    private static bool IsArabicPart(char c) => (MojibakeClasses.Of(c) & ArabicPart) != 0 || "ŸŠ®°µ»".Contains(c);

    private static bool IsWord(ReadOnlySpan<char> text)
    {
        Rune.DecodeFromUtf16(text, out var rune, out _);
        return rune.Value == '_' || Rune.GetUnicodeCategory(rune) is <= UnicodeCategory.OtherLetter
            or (>= UnicodeCategory.DecimalDigitNumber and <= UnicodeCategory.OtherNumber);
    }
}
