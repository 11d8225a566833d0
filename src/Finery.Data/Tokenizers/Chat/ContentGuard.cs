using System.Buffers;
using System.Text;

namespace Finery.Data.Tokenizers;

/// <summary>
/// Keeps control tokens out of what people write. Before rendering, a mark that no text contains goes into every stretch of a
/// message that spells a control token (in any case, as templates change case) or could become one with what follows; the
/// rendered text then has the template's control tokens whole and nobody else's. Marks are taken out again before encoding.
/// </summary>
internal sealed class ContentGuard
{
    /// <summary>A noncharacter: Unicode reserves it for such uses inside a program.</summary>
    public const char Mark = '\ufdd0';

    private readonly string[] _tokens;
    private readonly SearchValues<string> _spelled;
    private readonly SearchValues<char> _starts, _startsAnyCase;
    private readonly int _longest;

    public ContentGuard(IEnumerable<string> controlTokens)
    {
        _tokens = [.. controlTokens.Where(token => token.Length > 0).OrderByDescending(token => token.Length)];
        _spelled = SearchValues.Create(_tokens, StringComparison.OrdinalIgnoreCase);
        _starts = SearchValues.Create([.. _tokens.Select(token => token[0]).Distinct()]);
        _startsAnyCase = SearchValues.Create([.. _tokens
            .SelectMany(token => new[] { token[0], char.ToUpperInvariant(token[0]), char.ToLowerInvariant(token[0]) }).Distinct()]);
        _longest = _tokens.Length == 0 ? 0 : _tokens[0].Length;
    }

    /// <summary>The text with marks: behind the first character of each control token it spells, and of each beginning of one
    /// at its end.</summary>
    public string Protect(string text)
    {
        if (text.Contains(Mark, StringComparison.Ordinal)) text = text.Replace(Mark, '\ufffd');
        if (text.AsSpan().IndexOfAny(_startsAnyCase) < 0) return text;
        var result = new StringBuilder();
        int from = 0;
        for (int at = 0; at < text.Length && text.AsSpan(at).IndexOfAny(_spelled) is >= 0 and int offset;)
        {
            at += offset + First(text, at + offset);
            result.Append(text, from, at - from).Append(Mark);
            from = at;
        }
        for (int at = Math.Max(from, text.Length - _longest + 1); at < text.Length; at++)
        {
            if (!BeginsToken(text.AsSpan(at))) continue;
            int end = at + First(text, at);
            result.Append(text, from, end - from).Append(Mark);
            from = end;
        }
        return from == 0 ? text : result.Append(text, from, text.Length - from).ToString();
    }

    private bool BeginsToken(ReadOnlySpan<char> tail)
    {
        if (!_startsAnyCase.Contains(tail[0])) return false;
        foreach (string token in _tokens)
        {
            if (token.Length > tail.Length && token.AsSpan().StartsWith(tail, StringComparison.OrdinalIgnoreCase)) return true;
        }
        return false;
    }

    /// <summary>The next control token of rendered text at or after <paramref name="from"/>: its place and text, or -1.</summary>
    public (int At, string Token) Next(string text, int from)
    {
        for (int at = from; at < text.Length && text.AsSpan(at).IndexOfAny(_starts) is >= 0 and int offset; at++)
        {
            at += offset;
            foreach (string token in _tokens)
            {
                if (string.CompareOrdinal(text, at, token, 0, token.Length) != 0) continue;
                // a token of a single character has its mark behind it
                int end = at + First(text, at);
                if (end < text.Length && text[end] == Mark) break;
                return (at, token);
            }
        }
        return (-1, "");
    }

    /// <summary>Whether a control token of the template, beginning at <paramref name="from"/> or later, ends exactly at
    /// <paramref name="end"/>.</summary>
    public bool EndsAt(string text, int from, int end)
    {
        foreach (string token in _tokens)
        {
            int at = end - token.Length;
            if (at >= from && string.CompareOrdinal(text, at, token, 0, token.Length) == 0) return Next(text, at).At == at;
        }
        return false;
    }

    /// <summary>The text without marks.</summary>
    public static string Unmarked(string text) =>
        text.Contains(Mark, StringComparison.Ordinal) ? text.Replace(Mark.ToString(), "", StringComparison.Ordinal) : text;

    private static int First(string text, int at) => at + 1 < text.Length && char.IsSurrogatePair(text[at], text[at + 1]) ? 2 : 1;
}
