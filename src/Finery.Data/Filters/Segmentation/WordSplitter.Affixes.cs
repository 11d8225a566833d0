namespace Finery.Data.Filters.Segmentation;

/// <content>What is cut off a piece in front, behind and inside.</content>
internal sealed partial class WordSplitter
{
    private const WordRoles Both = WordRoles.Lower | WordRoles.Quote, AfterStop = WordRoles.Upper | WordRoles.Quote;

    private static int PrefixLength(ReadOnlySpan<char> piece)
    {
        var c = piece[0];
        if ((WordCharacters.Flags[c] & (int)WordFlags.Active) == 0)
            return c is 'U' or 'C' or 'A' ? LetteredCurrency(piece) : 0;
        if (c == '.')
        {
            var dots = piece.IndexOfAnyExcept('.');
            dots = dots < 0 ? piece.Length : dots;
            return dots > 1 ? dots : 0;
        }
        if (c == '+')
            return piece.Length > 1 && char.IsAsciiDigit(piece[1]) ? 0 : 1;
        return (WordCharacters.RoleAt(piece, out var length) & WordRoles.Prefix) != 0 ? length : 0;
    }

    /// <summary><c>US$</c> and its like.</summary>
    private static int LetteredCurrency(ReadOnlySpan<char> piece)
    {
        foreach (var sign in WordCharacters.Currencies)
            if (sign.Length > 1 && piece.StartsWith(sign))
                return sign.Length;
        return 0;
    }

    /// <summary>Longest suffix.</summary>
    private static int SuffixLength(ReadOnlySpan<char> piece)
    {
        if (piece.IsEmpty)
            return 0;
        var c = piece[^1];
        if (c == '.')
            return StopLength(piece);
        if (c is 's' or 'S' && piece.Length > 1 && piece[^2] is '\'' or '’')
            return 2;
        if (c == '…')
            return piece.Length > 1 && piece[^2] == '…' ? 2 : 1;
        if ((WordCharacters.RoleBefore(piece, out var length) & WordRoles.Suffix) != 0)
            return length;
        if (c == '+')
            return piece.Length > 1 && char.IsAsciiDigit(piece[^2]) ? 1 : 0;
        return char.IsAsciiDigit(c) ? 0 : UnitLength(piece);
    }

    private static int StopLength(ReadOnlySpan<char> piece)
    {
        var dots = piece.Length - 1 - piece.LastIndexOfAnyExcept('.');
        if (dots > 1)
            return dots;
        var before = piece[..^1];
        if (before.IsEmpty)
            return 0;
        var role = WordCharacters.RoleBefore(before, out var length);
        if ((role & WordRoles.BeforeStop) != 0)
            return 1;
        before = before[..^length];
        if (before.IsEmpty)
            return 0;
        return ((role & WordRoles.Upper) != 0 && (WordCharacters.RoleBefore(before, out _) & WordRoles.Upper) != 0)
            || (before[^1] == '°' && piece[^2] is 'F' or 'C' or 'K') ? 1 : 0;
    }

    /// <summary>A unit or currency sign behind an ASCII digit.</summary>
    private static int UnitLength(ReadOnlySpan<char> piece)
    {
        var from = Math.Max(0, piece.Length - 1 - WordCharacters.LongestAfterDigit);
        var digit = piece[from..].LastIndexOfAnyInRange('0', '9');
        var unit = piece[(from + digit + 1)..];
        return digit >= 0 && WordCharacters.AfterDigit.Contains(unit) ? unit.Length : 0;
    }

    private int InfixLength(ReadOnlySpan<char> piece, int i)
    {
        var rest = piece[i..];
        var c = rest[0];
        if (c == '…')
            return 1;
        if (c == '.' && rest.Length > 1 && rest[1] == '.')
            return rest.IndexOfAnyExcept('.') is var dots && dots < 0 ? rest.Length : dots;
        if ((WordCharacters.RoleAt(rest, out var length) & WordRoles.Icon) != 0)
            return length;
        if (i == 0 || rest.Length == 1)
            return 0;
        var after = WordCharacters.RoleAt(rest[1..], out _);
        var before = WordCharacters.RoleBefore(piece[..i], out _);
        var digitBefore = char.IsAsciiDigit(piece[i - 1]);
        if (c is '+' or '-' or '*' or '^' && digitBefore && (char.IsAsciiDigit(rest[1]) || rest[1] == '-'))
            return 1;
        return c switch
        {
            '.' => (before & Both) != 0 && (after & AfterStop) != 0 ? 1 : 0,
            ',' => (before & after & WordRoles.Alpha) != 0 ? 1 : 0,
            '-' or '–' or '—' or '~' =>
                (before & WordRoles.Alpha) != 0 || (digitBefore && _digitBeforeHyphen) ? HyphenLength(rest) : 0,
            ':' or '<' or '>' or '=' or '/' =>
                ((before & WordRoles.Alpha) != 0 || digitBefore) && (after & WordRoles.Alpha) != 0 ? 1 : 0,
            _ => 0,
        };
    }

    /// <summary>One to three hyphens, one or two long dashes, or one of the others, before a letter.</summary>
    private static int HyphenLength(ReadOnlySpan<char> rest)
    {
        var most = rest[0] switch { '-' => 3, '—' => 2, _ => 1 };
        for (var n = 1; n <= most && n < rest.Length; n++)
        {
            if ((WordCharacters.RoleAt(rest[n..], out _) & WordRoles.Alpha) != 0)
                return n;
            if (rest[n] != rest[0])
                return 0;
        }
        return 0;
    }
}
