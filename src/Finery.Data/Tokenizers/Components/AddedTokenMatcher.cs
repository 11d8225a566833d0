using System.Buffers;
using System.Globalization;
using System.Text;

namespace Finery.Data.Tokenizers;

/// <summary>
/// Finds added tokens in text: leftmost first, the longest of those that begin there. A trie over UTF-8 bytes, entered only at
/// bytes with which a token begins, so that text without any passes at the speed of a vector search.
/// </summary>
internal sealed class AddedTokenMatcher
{
    private readonly Dictionary<long, int> _children = []; // node << 8 | byte -> node; node 0 is the root
    private readonly List<AddedToken?> _ends = [null]; // by node: the token that ends there
    private readonly SearchValues<byte> _starts;

    /// <param name="tokens">Tokens with the UTF-8 text to look for; where two share it, the first counts.</param>
    public AddedTokenMatcher(IEnumerable<(AddedToken Token, byte[] Pattern)> tokens)
    {
        var starts = new HashSet<byte>();
        foreach (var (token, pattern) in tokens)
        {
            if (pattern.Length == 0) continue;
            starts.Add(pattern[0]);
            int node = 0;
            foreach (byte value in pattern)
            {
                if (!_children.TryGetValue(((long)node << 8) | value, out int child))
                {
                    child = _ends.Count;
                    _children.Add(((long)node << 8) | value, child);
                    _ends.Add(null);
                }
                node = child;
            }
            _ends[node] ??= token;
        }
        _starts = SearchValues.Create([.. starts]);
        IsEmpty = starts.Count == 0;
    }

    /// <summary>Whether there is nothing to find.</summary>
    public bool IsEmpty { get; }

    /// <summary>The next token of <paramref name="text"/>, or null.</summary>
    /// <param name="text">UTF-8.</param>
    /// <param name="at">Where to look on; moves behind the match, before any white space that it takes in.</param>
    /// <param name="floor">End of the match before: white space up to there is taken.</param>
    /// <param name="start">First byte of the match, white space included.</param>
    /// <param name="end">Behind its last byte, white space included.</param>
    public AddedToken? Next(ReadOnlySpan<byte> text, ref int at, int floor, out int start, out int end)
    {
        while (at < text.Length && text[at..].IndexOfAny(_starts) is >= 0 and int offset)
        {
            at += offset;
            if (LongestAt(text[at..], out int length) is not { } token)
            {
                at++;
                continue;
            }
            start = at;
            at = end = start + length;
            // A token refused is passed over whole, as HF does: a shorter one inside it is not tried.
            if (token.SingleWord && (EndsInWord(text[..start]) || BeginsInWord(text[end..]))) continue;
            if (token.StripsLeft) start = Math.Max(floor, SpaceBefore(text, start, floor));
            if (token.StripsRight) end = end < floor ? floor : SpaceAfter(text, end);
            return token;
        }
        start = end = text.Length;
        return null;
    }

    private AddedToken? LongestAt(ReadOnlySpan<byte> text, out int length)
    {
        AddedToken? longest = null;
        length = 0;
        int node = 0;
        for (int i = 0; i < text.Length && _children.TryGetValue(((long)node << 8) | text[i], out node); i++)
        {
            if (_ends[node] is { } token) (longest, length) = (token, i + 1);
        }
        return longest;
    }

    private static bool EndsInWord(ReadOnlySpan<byte> text) =>
        Rune.DecodeLastFromUtf8(text, out Rune rune, out _) == OperationStatus.Done && IsWord(rune);

    private static bool BeginsInWord(ReadOnlySpan<byte> text) =>
        Rune.DecodeFromUtf8(text, out Rune rune, out _) == OperationStatus.Done && IsWord(rune);

    private static int SpaceBefore(ReadOnlySpan<byte> text, int at, int floor)
    {
        while (at > floor && Rune.DecodeLastFromUtf8(text[floor..at], out Rune rune, out int length) == OperationStatus.Done
            && Rune.IsWhiteSpace(rune))
        {
            at -= length;
        }
        return at;
    }

    private static int SpaceAfter(ReadOnlySpan<byte> text, int at)
    {
        while (at < text.Length && Rune.DecodeFromUtf8(text[at..], out Rune rune, out int length) == OperationStatus.Done
            && Rune.IsWhiteSpace(rune))
        {
            at += length;
        }
        return at;
    }

    /// <summary><c>\w</c> as Unicode's TR 18 defines it: Alphabetic, Mark, Decimal_Number, Connector_Punctuation,
    /// Join_Control.</summary>
    internal static bool IsWord(Rune rune) => Rune.GetUnicodeCategory(rune) switch
    {
        <= UnicodeCategory.LetterNumber or UnicodeCategory.ConnectorPunctuation => true, // letters, marks, Nd, Nl
        UnicodeCategory.Format => rune.Value is 0x200C or 0x200D,
        UnicodeCategory.OtherSymbol => // circled and squared letters, which are Alphabetic
            rune.Value is >= 0x24B6 and <= 0x24E9 or >= 0x1F130 and <= 0x1F149 or >= 0x1F150 and <= 0x1F169
                or >= 0x1F170 and <= 0x1F189,
        _ => false,
    };
}
