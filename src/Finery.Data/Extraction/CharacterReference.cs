using System.Globalization;
using AngleSharp.Dom;
using AngleSharp.Html;

namespace Finery.Data.Extraction;

/// <summary>Character references (<c>&amp;amp;</c>, <c>&amp;#8217;</c>) by the WHATWG rules.</summary>
internal static class CharacterReference
{
    private const int LongestName = 32;
    private const int LongestNameWithoutSemicolon = 6;

    private static readonly IEntityProvider Named = HtmlEntityProvider.Resolver;

    // What the code points 80 to 9F, control characters, are taken for: Windows-1252.
    private const string Windows1252 =
        "\u20AC\u0081\u201A\u0192\u201E\u2026\u2020\u2021\u02C6\u2030\u0160\u2039\u0152\u008D\u017D\u008F" +
        "\u0090\u2018\u2019\u201C\u201D\u2022\u2013\u2014\u02DC\u2122\u0161\u203A\u0153\u009D\u017E\u0178";

    /// <summary>Reads the reference at the start of a text.</summary>
    /// <param name="text">Text that starts with an ampersand.</param>
    /// <param name="length">Length of the reference.</param>
    /// <returns>What it stands for; null if it is no reference.</returns>
    public static string? Read(ReadOnlySpan<char> text, out int length)
    {
        length = 0;
        if (text.Length < 2)
            return null;
        return text[1] == '#' ? ReadNumber(text, out length) : ReadName(text, out length);
    }

    private static string? ReadNumber(ReadOnlySpan<char> text, out int length)
    {
        var position = 2;
        var isHex = text.Length > 2 && text[2] is 'x' or 'X';
        if (isHex)
            position++;
        var digits = position;
        var code = 0;
        for (; position < text.Length; position++)
        {
            var c = text[position];
            if (!(isHex ? char.IsAsciiHexDigit(c) : char.IsAsciiDigit(c)))
                break;
            var digit = int.Parse(text.Slice(position, 1), NumberStyles.HexNumber, CultureInfo.InvariantCulture);
            code = Math.Min(code * (isHex ? 16 : 10) + digit, 0x110000);
        }
        length = 0;
        if (position == digits)
            return null;
        if (position < text.Length && text[position] == ';')
            position++;
        length = position;
        return code switch
        {
            0 or >= 0x110000 or (>= 0xD800 and <= 0xDFFF) => "\uFFFD",
            >= 0x80 and <= 0x9F => Windows1252[code - 0x80].ToString(),
            _ => char.ConvertFromUtf32(code),
        };
    }

    private static string? ReadName(ReadOnlySpan<char> text, out int length)
    {
        var end = 1;
        while (end < text.Length && end <= LongestName && char.IsAsciiLetterOrDigit(text[end]))
            end++;
        length = 0;
        if (end == 1)
            return null;
        if (end < text.Length && text[end] == ';')
        {
            length = end + 1;
            if (Common(text[1..end]) is { } common)
                return common;
            if (Named.GetSymbol(text[1..(end + 1)].ToString()) is { } symbol)
                return symbol;
        }
        // Names of old pages need no semicolon: the longest that fits.
        for (end = Math.Min(end, LongestNameWithoutSemicolon + 1); end > 2; end--)
        {
            if (Named.GetSymbol(text[1..end].ToString()) is { } symbol)
            {
                length = end;
                return symbol;
            }
        }
        length = 0;
        return null;
    }

    private static string? Common(ReadOnlySpan<char> name) => name switch
    {
        "amp" => "&",
        "nbsp" => "\u00A0",
        "quot" => "\"",
        "lt" => "<",
        "gt" => ">",
        "rsquo" => "\u2019",
        "lsquo" => "\u2018",
        "rdquo" => "\u201D",
        "ldquo" => "\u201C",
        "apos" => "'",
        "mdash" => "\u2014",
        "ndash" => "\u2013",
        _ => null,
    };
}
