using System.Collections;
using System.Globalization;

namespace Finery.Data.Filters;

/// <summary>
/// The character classes that published curation rules speak of. Code points, never UTF-16 units; tables from datatrove 0.10.0.
/// </summary>
internal static class CharacterSets
{
    private const string PunctuationRanges =
        "0-8 B-1F 21-2F 3A-40 5B-60 7B-9F AB B4 BB 2013-2014 2019 201C-201E 2026 2236 2501 25BA 3001-3002 "
        + "3008-300D 3010-3011 FF01 FF05 FF08-FF09 FF0C FF0E FF11 FF1A-FF1B FF1F FF5E";

    private const string TerminalRanges =
        "21 2E 3F 589 61D-61F 6D4 700-702 7F9 837 839 83D-83E 964-965 104A-104B 1362 1367-1368 166E 1735-1736 "
        + "17D4-17D6 17D9-17DA 1803 1809 1944-1945 1AA8-1AAB 1B5A-1B5B 1B5E-1B5F 1B7D-1B7E 1C3B-1C3C 1C7E-1C7F "
        + "203C-203D 2047-2049 2E2E 2E3C 2E53-2E54 3002 A4FF A60E-A60F A6F3 A6F7 A876-A877 A8CE-A8CF A92F A9C8-A9C9 "
        + "AA5D-AA5F AAF0-AAF1 ABEB FE52 FE56-FE57 FF01 FF0E FF1F FF61 10A56-10A57 10F55-10F59 10F86-10F89 "
        + "11047-11048 110BE-110C1 11141-11143 111C5-111C6 111CD 111DE-111DF 11238-11239 1123B-1123C 112A9 "
        + "1144B-1144C 115C2-115C3 115C9-115D7 11641-11642 1173C-1173E 11944 11946 11A42-11A43 11A9B-11A9C "
        + "11C41-11C42 11EF7-11EF8 11F43-11F44 16A6E-16A6F 16AF5 16B37-16B38 16B44 16E98 1BC9F 1DA88";

    private static readonly BitArray s_punctuation = Parse(PunctuationRanges);
    private static readonly BitArray s_terminal = Parse(TerminalRanges);

    /// <summary>datatrove's PUNCTUATION: 129 code points, replaced by spaces before shingling.</summary>
    public static bool IsPunctuation(int codePoint) => codePoint < s_punctuation.Length && s_punctuation[codePoint];

    /// <summary>datatrove's TERMINAL: 159 code points that end a sentence.</summary>
    public static bool IsTerminal(int codePoint) => codePoint < s_terminal.Length && s_terminal[codePoint];

    /// <summary>Union of both: a word made only of these is a symbol.</summary>
    public static bool IsSymbol(int codePoint) => IsPunctuation(codePoint) || IsTerminal(codePoint);

    /// <summary>Python's <c>str.isspace</c> for one character: .NET's white space and U+001C to U+001F.</summary>
    public static bool IsSpace(char c) => char.IsWhiteSpace(c) || c is >= '\x1C' and <= '\x1F';

    /// <summary>Python's <c>str.strip</c>.</summary>
    public static ReadOnlySpan<char> Strip(ReadOnlySpan<char> text) => StripLeft(StripRight(text));

    /// <summary>Python's <c>str.lstrip</c>.</summary>
    public static ReadOnlySpan<char> StripLeft(ReadOnlySpan<char> text)
    {
        var start = 0;
        while (start < text.Length && IsSpace(text[start]))
            start++;
        return text[start..];
    }

    /// <summary>Python's <c>str.rstrip</c>.</summary>
    public static ReadOnlySpan<char> StripRight(ReadOnlySpan<char> text)
    {
        var end = text.Length;
        while (end > 0 && IsSpace(text[end - 1]))
            end--;
        return text[..end];
    }

    /// <summary>Number of code points.</summary>
    public static int Length(ReadOnlySpan<char> text)
    {
        var count = text.Length;
        for (var i = text.IndexOfAnyInRange('\uDC00', '\uDFFF'); (uint)i < (uint)text.Length; i++)
            count -= i > 0 && char.IsSurrogatePair(text[i - 1], text[i]) ? 1 : 0;
        return count;
    }

    /// <summary>Whether a line ends here for Python's <c>splitlines</c> (of a <c>\r\n</c> pair, both).</summary>
    public static bool IsLineEnd(char c) =>
        c is >= '\n' and <= '\r' or >= '\x1C' and <= '\x1E' or '\x85' or '\u2028' or '\u2029';

    private static BitArray Parse(string ranges)
    {
        var spans = ranges.Split(' ').Select(r => r.Split('-'))
            .Select(r => (From: Hex(r[0]), To: Hex(r[^1]))).ToList();
        var set = new BitArray(spans.Max(s => s.To) + 1);
        foreach (var (from, to) in spans)
            for (var c = from; c <= to; c++)
                set[c] = true;
        return set;

        static int Hex(string digits) => int.Parse(digits, NumberStyles.HexNumber, CultureInfo.InvariantCulture);
    }
}
