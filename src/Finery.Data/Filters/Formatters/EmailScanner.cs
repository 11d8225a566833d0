using System.Buffers;
using System.Globalization;
using System.Text;

namespace Finery.Data.Filters.Formatters;

/// <summary>
/// E-mail addresses as datatrove's pattern finds them. Its parts leave no choice once the <c>@</c> is fixed, so each is found
/// by going backwards for the local part and forwards for the domain; every character is looked at a bounded number of times.
/// </summary>
internal static class EmailScanner
{
    private static readonly SearchValues<char> s_local =
        SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!#$%&'*+/=?^_`{|}~-");

    private static readonly SearchValues<char> s_label =
        SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-");

    /// <summary>The first address that starts at <paramref name="from"/> or behind it.</summary>
    public static Range? Next(ReadOnlySpan<char> text, int from)
    {
        var bound = from;
        for (var search = from; search < text.Length;)
        {
            var offset = text[search..].IndexOf('@');
            if (offset < 0)
                return null;
            var at = search + offset;
            if (StartOfLocal(text, bound, at) is >= 0 and var start && EndOfDomain(text, at + 1) is >= 0 and var end)
                return start..end;
            // What starts before this sign cannot reach past it.
            bound = search = at + 1;
        }
        return null;
    }

    /// <summary>The leftmost start at a word boundary of characters up to <paramref name="at"/> with single dots between
    /// them.</summary>
    private static int StartOfLocal(ReadOnlySpan<char> text, int bound, int at)
    {
        var first = at;
        while (first > bound && (s_local.Contains(text[first - 1]) || IsInnerDot(text, bound, first - 1, at)))
            first--;
        for (var start = first; start < at; start++)
            if (text[start] != '.' && IsWord(text, start) != IsWordBefore(text, start))
                return start;
        return -1;
    }

    private static bool IsInnerDot(ReadOnlySpan<char> text, int bound, int dot, int at) =>
        text[dot] == '.' && dot + 1 < at && text[dot + 1] != '.' && dot > bound && s_local.Contains(text[dot - 1]);

    private static bool IsWord(ReadOnlySpan<char> text, int i) => char.IsAsciiLetterOrDigit(text[i]) || text[i] == '_';

    /// <summary>Whether a letter, number or underscore of any script ends here, which is what a word boundary asks.</summary>
    private static bool IsWordBefore(ReadOnlySpan<char> text, int i)
    {
        if (i == 0)
            return false;
        if (text[i - 1] < 0x80)
            return IsWord(text, i - 1);
        Rune.DecodeLastFromUtf16(text[..i], out var rune, out _);
        return Rune.GetUnicodeCategory(rune) is <= UnicodeCategory.OtherLetter
            or (>= UnicodeCategory.DecimalDigitNumber and <= UnicodeCategory.OtherNumber);
    }

    private static int EndOfDomain(ReadOnlySpan<char> text, int start) =>
        start < text.Length && text[start] == '[' ? EndOfLiteral(text, start + 1) : EndOfName(text, start);

    /// <summary>Labels joined by dots, at least two; a label starts and ends with a letter or digit and has hyphens
    /// inside.</summary>
    private static int EndOfName(ReadOnlySpan<char> text, int start)
    {
        for (var (label, count) = (start, 1); label < text.Length && char.IsAsciiLetterOrDigit(text[label]); count++)
        {
            var length = text[label..].IndexOfAnyExcept(s_label) is var n && n < 0 ? text.Length - label : n;
            var end = label + length;
            if (text[end - 1] != '-' && end + 1 < text.Length && text[end] == '.' && char.IsAsciiLetterOrDigit(text[end + 1]))
            {
                label = end + 1;
                continue;
            }
            return count == 1 ? -1 : label + text.Slice(label, length).TrimEnd('-').Length;
        }
        return -1;
    }

    /// <summary><c>1.2.3.4]</c>, or <c>1.2.3.</c> and a tag with a colon instead of the last number.</summary>
    private static int EndOfLiteral(ReadOnlySpan<char> text, int i)
    {
        for (var octet = 0; octet < 3; octet++)
        {
            var digits = Ipv4Scanner.OctetBefore(text, i, '.');
            if (digits == 0)
                return -1;
            i += digits + 1;
        }
        if (Ipv4Scanner.OctetBefore(text, i, ']') is > 0 and var last)
            return i + last + 1;
        var end = text[i..].IndexOfAnyExcept(s_label) is var n && n < 0 ? text.Length : i + n;
        return end > i && text[end - 1] != '-' && text[end..].StartsWith(":]") ? end + 2 : -1;
    }
}
