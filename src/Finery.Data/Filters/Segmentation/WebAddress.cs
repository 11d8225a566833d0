namespace Finery.Data.Filters.Segmentation;

/// <summary>
/// Whether a piece is a web address and so one word: spaCy's pattern (after Diego Perini's validation expression), read as what
/// it accepts rather than as a backtracking search.
/// </summary>
/// <remarks>
/// <c>[scheme://] [user@] host [:port] [path]</c> where the scheme is two or more of <c>\w + - .</c>; everything up to any
/// <c>@</c> may be the user; the host is labels of at most 64 characters that end in a letter or digit, each followed by a full
/// stop, and a top level of 2 to 63 lower-case or caseless letters; or a public IPv4 address.
/// </remarks>
internal static class WebAddress
{
    /// <summary>Whether the whole piece, which has no white space, is an address.</summary>
    public static bool IsMatch(ReadOnlySpan<char> piece)
    {
        if (piece.IndexOf('.') < 0)
            return false;
        if (IsHostOnwards(piece))
            return true;
        var scheme = 0;
        while (scheme < piece.Length && IsScheme(piece[scheme]))
            scheme++;
        if (scheme >= 2 && piece[scheme..].StartsWith("://") && IsHostOnwards(piece[(scheme + 3)..]))
            return true;
        for (var at = piece[1..].IndexOf('@') + 1; at > 0;)
        {
            if (IsHostOnwards(piece[(at + 1)..]))
                return true;
            var next = piece[(at + 1)..].IndexOf('@');
            at = next < 0 ? 0 : at + 1 + next;
        }
        return false;
    }

    private static bool IsHostOnwards(ReadOnlySpan<char> text)
    {
        // A host has no @, so each @ is looked at up to the next one only: linear however many there are.
        var end = text.IndexOfAny(":/?#@");
        var host = end < 0 ? text : text[..end];
        return host.Length >= 4 && (end < 0 || text[end] != '@')
            && IsPortAndPath(end < 0 ? [] : text[end..]) && (IsDomain(host) || IsPublicAddress(host));
    }

    private static bool IsPortAndPath(ReadOnlySpan<char> text)
    {
        if (text.IsEmpty)
            return true;
        if (text[0] == ':')
        {
            var digits = 1;
            while (digits < text.Length && digits <= 6 && char.IsDigit(text[digits]))
                digits++;
            if (digits - 1 is < 2 or > 5)
                return false;
            text = text[digits..];
        }
        return text.IsEmpty || text[0] is '/' or '?' or '#';
    }

    private static bool IsDomain(ReadOnlySpan<char> host)
    {
        var dot = host.LastIndexOf('.');
        if (dot < 1)
            return false;
        var letters = 0;
        for (var rest = host[(dot + 1)..]; !rest.IsEmpty; letters++)
        {
            if ((WordCharacters.RoleAt(rest, out var length) & WordRoles.Lower) == 0)
                return false;
            rest = rest[length..];
        }
        if (letters is < 2 or > 63)
            return false;
        foreach (var label in host[..dot].Split('.'))
            if (!IsLabel(host[..dot][label]))
                return false;
        return true;
    }

    private static bool IsLabel(ReadOnlySpan<char> label)
    {
        if (label.Length is 0 or > 64 || !IsHost(label[0]) || !IsHost(label[^1]))
            return false;
        foreach (var c in label)
            if (!IsHost(c) && c is not ('_' or '-'))
                return false;
        return true;
    }

    private static bool IsHost(char c) => char.IsAsciiLetterOrDigit(c) || (c >= '\u00A1' && !char.IsSurrogate(c));

    private static bool IsScheme(char c) => c is '+' or '-' or '.' or '_' || char.IsLetterOrDigit(c);

    /// <summary>IPv4 without the private and local networks, network and broadcast addresses, and 224.0.0.0 onwards.</summary>
    private static bool IsPublicAddress(ReadOnlySpan<char> host)
    {
        Span<int> octets = stackalloc int[4];
        var count = 0;
        foreach (var range in host.Split('.'))
        {
            var digits = host[range];
            if (count == 4 || digits.Length is 0 or > 3)
                return false;
            var value = 0;
            foreach (var c in digits)
            {
                if (!char.IsDigit(c))
                    return false;
                value = value * 10 + (int)char.GetNumericValue(c);
            }
            // The inner two may have a leading zero, but not three digits then.
            if (value > 255 || (digits[0] == '0' && (count is 0 or 3 || digits.Length == 3)))
                return false;
            octets[count++] = value;
        }
        return count == 4 && octets[0] is >= 1 and <= 223 && octets[3] is >= 1 and <= 254
            && octets is not [10 or 127, ..] and not [169, 254, ..] and not [192, 168, ..] and not [172, >= 16 and <= 31, ..];
    }
}
