namespace Finery.Data.Filters.Formatters;

/// <summary>
/// IPv4 addresses as datatrove's pattern finds them: four numbers from 0 to 255 with no border around them, the last as long
/// as it can be. What the pattern finds but is no address (a leading zero) stays, and the search goes on behind it.
/// </summary>
internal static class Ipv4Scanner
{
    private static readonly (uint Network, int Bits)[] s_notGlobal =
    [
        (0x00000000, 8), (0x0A000000, 8), (0x64400000, 10), (0x7F000000, 8), (0xA9FE0000, 16), (0xAC100000, 12), (0xC0000000, 24),
        (0xC0000200, 24), (0xC0A80000, 16), (0xC6120000, 15), (0xC6336400, 24), (0xCB007100, 24), (0xF0000000, 4),
    ];

    /// <summary>The first globally routable address that starts at <paramref name="from"/> or behind it.</summary>
    public static Range? NextPublic(ReadOnlySpan<char> text, int from) => Next(text, from, publicOnly: true);

    /// <summary>The first valid address.</summary>
    public static Range? NextValid(ReadOnlySpan<char> text, int from) => Next(text, from, publicOnly: false);

    /// <summary>Digits from <paramref name="i"/> if they are a number up to 255 (leading zeros allowed, three digits at most)
    /// with
    /// <paramref name="then"/> behind them; else 0.</summary>
    public static int OctetBefore(ReadOnlySpan<char> text, int i, char then)
    {
        var digits = 0;
        while (digits < 4 && i + digits < text.Length && char.IsAsciiDigit(text[i + digits]))
            digits++;
        return digits is > 0 and < 4 && i + digits < text.Length && text[i + digits] == then
            && Value(text.Slice(i, digits)) <= 255 ? digits : 0;
    }

    private static Range? Next(ReadOnlySpan<char> text, int from, bool publicOnly)
    {
        for (var search = from; search < text.Length;)
        {
            var offset = text[search..].IndexOf('.');
            if (offset < 0)
                return null;
            var dot = search + offset;
            search = dot + 1;
            if (dot + 1 >= text.Length || !char.IsAsciiDigit(text[dot + 1]))
                continue;
            for (var start = Math.Max(from, dot - 3); start < dot; start++)
            {
                if (Match(text, start) is not (> 0 and var end))
                    continue;
                if (IsAddress(text[start..end], publicOnly))
                    return start..end;
                from = end;
                search = end;
                break;
            }
        }
        return null;
    }

    /// <summary>End of four numbers from here; 0 if there are none.</summary>
    private static int Match(ReadOnlySpan<char> text, int i)
    {
        for (var octet = 0; octet < 3; octet++)
        {
            var digits = OctetBefore(text, i, '.');
            if (digits == 0)
                return 0;
            i += digits + 1;
        }
        var last = 0;
        while (last < 3 && i + last < text.Length && char.IsAsciiDigit(text[i + last]))
            last++;
        return last == 0 ? 0 : i + last - (last == 3 && Value(text.Slice(i, 3)) > 255 ? 1 : 0);
    }

    private static bool IsAddress(ReadOnlySpan<char> text, bool publicOnly)
    {
        uint address = 0;
        foreach (var part in text.Split('.'))
        {
            var octet = text[part];
            if (octet.Length > 1 && octet[0] == '0')
                return false;
            address = address << 8 | (uint)Value(octet);
        }
        if (publicOnly)
            foreach (var (network, bits) in s_notGlobal)
                if ((address ^ network) >> (32 - bits) == 0)
                    return false;
        return true;
    }

    private static int Value(ReadOnlySpan<char> digits)
    {
        var value = 0;
        foreach (var digit in digits)
            value = value * 10 + digit - '0';
        return value;
    }
}
