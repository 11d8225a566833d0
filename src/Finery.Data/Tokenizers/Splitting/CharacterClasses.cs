using System.Globalization;
using System.Runtime.CompilerServices;

namespace Finery.Data.Tokenizers;

/// <summary>
/// The four classes of code points that the split patterns tell apart, and their lookup in UTF-8. They come from the runtime's
/// own Unicode table; a test holds their sizes, so that a change of Unicode version is noticed.
/// </summary>
internal static class CharacterClasses
{
    /// <summary><c>\p{L}</c>, <c>\p{N}</c>, <c>\s</c> (Unicode's White_Space) and everything else, marks included.</summary>
    public const byte Letter = 1, Number = 2, Space = 3, Other = 4;

    private const int Tabled = 0x20000; // planes 0 and 1; the others hold ideographs and little else

    private static readonly byte[] Classes = Build();

    /// <summary>Class of an ASCII byte.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static byte OfAscii(byte value) => Classes[value];

    /// <summary>Class of a code point.</summary>
    public static byte Of(int codePoint) => codePoint < Tabled ? Classes[codePoint] : Compute(codePoint);

    /// <summary>Class of the character at <paramref name="at"/> of valid UTF-8, and where the next one begins.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static byte At(ReadOnlySpan<byte> text, int at, out int next)
    {
        byte first = text[at];
        if (first >= 0x80) return Beyond(text, at, out next);
        next = at + 1;
        return Classes[first];
    }

    private static byte Beyond(ReadOnlySpan<byte> text, int at, out int next)
    {
        int first = text[at];
        if (first < 0xE0)
        {
            next = at + 2;
            return Classes[((first & 0x1F) << 6) | (text[at + 1] & 0x3F)];
        }
        if (first < 0xF0)
        {
            next = at + 3;
            return Classes[((first & 0x0F) << 12) | ((text[at + 1] & 0x3F) << 6) | (text[at + 2] & 0x3F)];
        }
        next = at + 4;
        return Of(((first & 0x07) << 18) | ((text[at + 1] & 0x3F) << 12) | ((text[at + 2] & 0x3F) << 6) | (text[at + 3] & 0x3F));
    }

    private static byte[] Build()
    {
        var classes = new byte[Tabled];
        for (int codePoint = 0; codePoint < Tabled; codePoint++) classes[codePoint] = Compute(codePoint);
        return classes;
    }

    private static byte Compute(int codePoint) => CharUnicodeInfo.GetUnicodeCategory(codePoint) switch
    {
        UnicodeCategory.UppercaseLetter or UnicodeCategory.LowercaseLetter or UnicodeCategory.TitlecaseLetter
            or UnicodeCategory.ModifierLetter or UnicodeCategory.OtherLetter => Letter,
        UnicodeCategory.DecimalDigitNumber or UnicodeCategory.LetterNumber or UnicodeCategory.OtherNumber => Number,
        UnicodeCategory.SpaceSeparator or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator => Space,
        _ => codePoint is >= 9 and <= 13 or 0x85 ? Space : Other, // the controls among White_Space
    };
}
