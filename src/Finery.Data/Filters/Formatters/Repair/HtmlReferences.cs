using System.Globalization;
using System.Text;
using AngleSharp.Html;

namespace Finery.Data.Filters.Formatters.Repair;

/// <summary>
/// Character references of HTML in plain text: only whole ones with their semicolon (<c>&amp;hellip;</c>, <c>&amp;#8217;</c>),
/// and names wrongly in capitals (<c>P&amp;EACUTE;REZ</c>) where capitals mean nothing else.
/// </summary>
internal static class HtmlReferences
{
    private const int MaxName = 24;

    // Browsers read these without a semicolon, too, so that a longer name in capitals is ambiguous.
    private static readonly string[] s_bareCapitals = ["AMP", "COPY", "ETH", "GT", "LT", "QUOT", "REG", "THORN"];

    /// <summary>Decodes once, from left to right; the same string if there is nothing to decode.</summary>
    public static string Decode(string text)
    {
        StringBuilder? output = null;
        var done = 0;
        for (var at = text.IndexOf('&'); at >= 0; at = text.IndexOf('&', at + 1))
        {
            var length = ReferenceLength(text.AsSpan(at));
            if (length == 0 || Resolve(text.AsSpan(at, length)) is not { } character)
                continue;
            output ??= new(text.Length);
            output.Append(text, done, at - done).Append(character);
            done = at + length;
            at = done - 1;
        }
        return output is null ? text : output.Append(text, done, text.Length - done).ToString();
    }

    private static int ReferenceLength(ReadOnlySpan<char> text)
    {
        var start = text is ['&', '#', ..] ? 2 : 1;
        var end = start;
        while (end < text.Length && end - start <= MaxName && char.IsAsciiLetterOrDigit(text[end]))
            end++;
        return end > start && end - start <= MaxName && end < text.Length && text[end] == ';' ? end + 1 : 0;
    }

    private static string? Resolve(ReadOnlySpan<char> reference)
    {
        if (reference[1] == '#')
            return Number(reference[2..^1]);
        var name = reference[1..].ToString();
        if (HtmlEntityProvider.Resolver.GetSymbol(name) is { } symbol)
            return symbol;
        if (name.AsSpan().ContainsAnyInRange('a', 'z')
            || Array.Exists(s_bareCapitals, bare => name.StartsWith(bare, StringComparison.Ordinal)))
            return null;
        return HtmlEntityProvider.Resolver.GetSymbol(name.ToLowerInvariant()) is { } lower ? ToUpper(lower) : null;
    }

    private static string? Number(ReadOnlySpan<char> digits)
    {
        var isHex = digits is ['x' or 'X', _, ..];
        if (!UInt128.TryParse(isHex ? digits[1..] : digits, isHex ? NumberStyles.AllowHexSpecifier : NumberStyles.None,
            CultureInfo.InvariantCulture, out var number))
            return null;
        // As browsers read them: Windows-1252 for the control characters, nothing for what is no character.
        if (number == ';')
            return null;
        if (number == 0 || number > 0x10FFFF || number is { } n && n >= 0xD800 && n <= 0xDFFF)
            return "\uFFFD";
        var code = (int)number;
        if (code is >= 0x80 and <= 0x9F)
            return SingleByteEncoding.Windows1252.Decode((byte)code).ToString();
        return code is (>= 1 and <= 8) or 0xB or (>= 0xE and <= 0x1F) or 0x7F or (>= 0xFDD0 and <= 0xFDEF)
            || (code & 0xFFFE) == 0xFFFE ? "" : char.ConvertFromUtf32(code);
    }

    // Capitals of more than one letter are not in the library's tables.
    private static string ToUpper(string text) => text switch
    {
        "ß" => "SS", "ŉ" => "ʼN", "ﬀ" => "FF", "ﬁ" => "FI", "ﬂ" => "FL", "ﬃ" => "FFI", "ﬄ" => "FFL",
        _ => text.ToUpperInvariant(),
    };
}
