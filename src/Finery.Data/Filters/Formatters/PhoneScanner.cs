namespace Finery.Data.Filters.Formatters;

/// <summary>
/// Telephone numbers that are recognisable as such: <c>+</c> with 8 to 15 digits (E.164) in groups, or a North American number of
/// ten digits with its area code apart, neither part of a longer number. Groups are separated by one space, dot, hyphen or
/// slash, and a group may stand in parentheses.
/// </summary>
internal static class PhoneScanner
{
    private const int MaxLength = 32;

    /// <summary>The first number that starts at <paramref name="from"/> or behind it.</summary>
    public static Range? Next(ReadOnlySpan<char> text, int from)
    {
        for (var i = from; i < text.Length; i++)
        {
            var offset = text[i..].IndexOfAny("+(0123456789");
            if (offset < 0)
                return null;
            i += offset;
            var length = text[i] == '+' ? International(text[i..]) : NorthAmerican(text[i..]);
            if (length > 0 && !IsPartOfNumber(text, i, i + length))
                return i..(i + length);
            // Of a run of digits only the start can begin a number.
            if (char.IsAsciiDigit(text[i]))
                while (i + 1 < text.Length && char.IsAsciiDigit(text[i + 1]))
                    i++;
        }
        return null;
    }

    private static int International(ReadOnlySpan<char> text)
    {
        if (text.Length < 2 || text[1] is not (>= '1' and <= '9'))
            return 0;
        var (digits, end, open) = (0, 0, false);
        for (var i = 1; i < text.Length && i < MaxLength; i++)
        {
            var c = text[i];
            if (char.IsAsciiDigit(c))
            {
                digits++;
                end = open ? end : i + 1;
            }
            else if (c == '(' && !open)
                open = true;
            else if (c == ')' && open)
                (open, end) = (false, i + 1);
            else if (c is not (' ' or '.' or '-' or '/') || text[i - 1] is ' ' or '.' or '-' or '/' && c != ' ')
                break;
            if (digits > 15)
                return 0;
        }
        return digits >= 8 ? end : 0;
    }

    // [1 ](NXX) NXX-XXXX with N from 2 to 9; the separators of a plain one are alike.
    private static int NorthAmerican(ReadOnlySpan<char> text)
    {
        var i = 0;
        if (text is ['1', ' ' or '-' or '.', ..])
            i = 2;
        var inParentheses = i < text.Length && text[i] == '(';
        i += inParentheses ? 1 : 0;
        if (!IsArea(text, i))
            return 0;
        i += 3;
        if (inParentheses)
        {
            if (i >= text.Length || text[i] != ')')
                return 0;
            i++;
            i += i < text.Length && text[i] is ' ' or '-' ? 1 : 0;
        }
        else if (i < text.Length && text[i] is ' ' or '-' or '.')
            i++;
        else
            return 0;
        if (!IsArea(text, i) || i + 8 > text.Length || text[i + 3] is not (' ' or '-' or '.'))
            return 0;
        return text.Slice(i + 4, 4).IndexOfAnyExceptInRange('0', '9') < 0 ? i + 8 : 0;
    }

    private static bool IsArea(ReadOnlySpan<char> text, int i) =>
        i + 3 <= text.Length && text[i] is >= '2' and <= '9' && char.IsAsciiDigit(text[i + 1]) && char.IsAsciiDigit(text[i + 2]);

    private static bool IsPartOfNumber(ReadOnlySpan<char> text, int start, int end) =>
        (start > 0 && (char.IsLetterOrDigit(text[start - 1]) || text[start - 1] is '.' or '-' or '/' or '='))
        || (end < text.Length && (char.IsLetterOrDigit(text[end])
            || (text[end] is '.' or '-' or '/' && end + 1 < text.Length && char.IsAsciiDigit(text[end + 1]))));
}
