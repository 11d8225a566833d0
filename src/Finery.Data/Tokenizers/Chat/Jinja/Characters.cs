using System.Globalization;
using System.Text;

namespace Finery.Data.Tokenizers.Jinja;

/// <summary>Python's view of text: code points rather than UTF-16 units, and its classes of characters.</summary>
internal static class Characters
{
    /// <summary>Python's <c>str.isspace</c>: Unicode white space and the four separators 1C to 1F.</summary>
    public static bool IsSpace(char c) => char.IsWhiteSpace(c) || c is >= '\x1c' and <= '\x1f';

    /// <summary>Whether <c>repr</c> shows it as it is. Private marks of the caller pass too.</summary>
    public static bool IsPrintable(Rune rune) => rune.Value is ' ' or ContentGuard.Mark || Rune.GetUnicodeCategory(rune) is not
        (UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.Surrogate or UnicodeCategory.PrivateUse
        or UnicodeCategory.OtherNotAssigned or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator
        or UnicodeCategory.SpaceSeparator);

    /// <summary>Number of code points.</summary>
    public static int Count(string text)
    {
        int pairs = 0;
        for (int i = 0; i < text.Length - 1; i++)
        {
            if (!char.IsSurrogatePair(text[i], text[i + 1])) continue;
            pairs++;
            i++;
        }
        return text.Length - pairs;
    }

    /// <summary>Whether each code point is one UTF-16 unit, so that indexes may be used as they are.</summary>
    public static bool IsSimple(string text) => !text.AsSpan().ContainsAnyInRange('\ud800', '\udfff');

    /// <summary>The code points, each as a string.</summary>
    public static string[] Split(string text)
    {
        var parts = new string[Count(text)];
        for (int i = 0, at = 0; i < parts.Length; i++)
        {
            int length = at + 1 < text.Length && char.IsSurrogatePair(text[at], text[at + 1]) ? 2 : 1;
            parts[i] = length == 1 ? Single(text[at]) : text.Substring(at, 2);
            at += length;
        }
        return parts;
    }

    private static readonly string[] Ascii = [.. Enumerable.Range(0, 128).Select(code => ((char)code).ToString())];

    public static string Single(char c) => c < 128 ? Ascii[c] : c.ToString();

    /// <summary>Order by code point: UTF-16 order puts characters beyond the BMP before U+E000.</summary>
    public static int Compare(string left, string right)
    {
        int length = Math.Min(left.Length, right.Length);
        int i = left.AsSpan(0, length).CommonPrefixLength(right.AsSpan(0, length));
        if (i == length) return left.Length - right.Length;
        char a = left[i], b = right[i];
        bool isHigh = char.IsSurrogate(a);
        return isHigh == char.IsSurrogate(b) ? a - b : isHigh ? 1 : -1;
    }

    /// <summary>Python's <c>upper</c>: simple mappings, and the sharp s and ligatures that become several letters.</summary>
    public static string Upper(string text)
    {
        if (!text.AsSpan().ContainsAny(Expanding)) return text.ToUpperInvariant();
        var result = new StringBuilder();
        foreach (char c in text)
            result.Append(Expanding.IndexOf(c) is >= 0 and int i ? Expanded[i] : c.ToString());
        return result.ToString().ToUpperInvariant();
    }

    public static string Lower(string text) => text.Replace("\u0130", "i\u0307", StringComparison.Ordinal).ToLowerInvariant();

    private const string Expanding = "\u00df\ufb00\ufb01\ufb02\ufb03\ufb04\ufb05\ufb06\u0149";
    private static readonly string[] Expanded = ["SS", "FF", "FI", "FL", "FFI", "FFL", "ST", "ST", "\u02bcN"];

    public static string Capitalized(string text) => text.Length == 0 ? text : Upper(text[..1]) + Lower(text[1..]);
}
