using System.Buffers;
using System.Text;
using Finery.Data.Filters.Formatters.Repair;

namespace Finery.Data.Filters.Formatters;

/// <summary>When references such as <c>&amp;gt;</c> are decoded.</summary>
public enum HtmlEntityMode
{
    /// <summary>Until a line has a <c>&lt;</c>, which looks like HTML in which they belong.</summary>
    Auto,

    /// <summary>Everywhere.</summary>
    Always,

    /// <summary>Nowhere.</summary>
    Never,
}

/// <summary>Unicode's normalisation forms.</summary>
public enum NormalizationKind
{
    /// <summary>As it is.</summary>
    None,

    /// <summary>Canonical, composed.</summary>
    Nfc,

    /// <summary>Canonical, decomposed.</summary>
    Nfd,

    /// <summary>Compatible, composed.</summary>
    Nfkc,

    /// <summary>Compatible, decomposed.</summary>
    Nfkd,
}

/// <summary>
/// Repairs text that was damaged on its way: mojibake (UTF-8 read in another encoding), HTML references, control characters and
/// terminal escapes, line by line. What each fix does, their order and what counts as mojibake follow ftfy 6.3 by Robyn Speer
/// (Apache-2.0, Zenodo 2591652); the defaults are those FineWeb-2 uses.
/// </summary>
public sealed record TextRepair : DocumentFilter
{
    private const int MaxRounds = 16;
    private const int MaxSegment = 1_000_000;

    private static readonly SearchValues<char> s_suspicious = SearchValues.Create(
        [.. Enumerable.Range(0, 0x20).Where(c => c is not ('\t' or '\n' or '\f')).Select(c => (char)c), '&', '\x7F']);

    private static readonly SearchValues<char> s_controls = SearchValues.Create([.. ControlCharacters()]);

    private OnDemand<MojibakeRepair> _mojibake;
    private OnDemand<CharacterFixes> _characters;

    /// <summary>HTML references.</summary>
    public HtmlEntityMode UnescapeHtml { get; init; } = HtmlEntityMode.Auto;

    /// <summary>Colour codes and the like of terminals go.</summary>
    public bool RemoveTerminalEscapes { get; init; } = true;

    /// <summary>Mojibake is repaired; without it the next three do nothing.</summary>
    public bool FixEncoding { get; init; } = true;

    /// <summary>In mojibake, a space may stand for byte A0.</summary>
    public bool RestoreByteA0 { get; init; } = true;

    /// <summary>In mojibake, sequences with lost bytes become U+FFFD.</summary>
    public bool ReplaceLossySequences { get; init; } = true;

    /// <summary>Mojibake is repaired in parts where the line is not of one encoding.</summary>
    public bool DecodeInconsistentUtf8 { get; init; } = true;

    /// <summary>U+0080 to U+009F become what they are in Windows-1252.</summary>
    public bool FixC1Controls { get; init; } = true;

    /// <summary>Latin ligatures become letters.</summary>
    public bool FixLatinLigatures { get; init; }

    /// <summary>Full-width and half-width forms become ordinary ones. Wrong for Chinese and Japanese punctuation.</summary>
    public bool FixCharacterWidth { get; init; }

    /// <summary>Curly quotation marks become straight.</summary>
    public bool UncurlQuotes { get; init; }

    /// <summary>All line ends become <c>\n</c>.</summary>
    public bool FixLineBreaks { get; init; }

    /// <summary>Lone surrogates become U+FFFD.</summary>
    public bool FixSurrogates { get; init; } = true;

    /// <summary>Control characters other than white space, byte order marks and annotation characters go.</summary>
    public bool RemoveControlChars { get; init; } = true;

    /// <summary>Unicode form at the end.</summary>
    public NormalizationKind Normalization { get; init; }

    /// <inheritdoc/>
    public override void Apply(WorkingDocument document) => document.Rewrite(Fix(document.Text));

    /// <summary>Repairs a text; the same string if nothing is to be done.</summary>
    public string Fix(string text)
    {
        if (IsSound(text))
            return text;
        StringBuilder? output = null;
        var entities = UnescapeHtml;
        for (var start = 0; start < text.Length;)
        {
            var end = SegmentEnd(text, start);
            var segment = text.AsSpan(start, end - start);
            if (entities == HtmlEntityMode.Auto && segment.Contains('<'))
                entities = HtmlEntityMode.Never;
            if (!IsSound(segment))
            {
                var original = segment.ToString();
                var fixedText = FixSegment(original, entities != HtmlEntityMode.Never);
                if (output is null && !ReferenceEquals(fixedText, original) && fixedText != original)
                    output = new StringBuilder(text.Length).Append(text, 0, start);
                output?.Append(fixedText);
            }
            else
                output?.Append(segment);
            start = end;
        }
        return output?.ToString() ?? text;
    }

    /// <summary>Whether no fix can apply: ASCII without references, escapes and control characters.</summary>
    private static bool IsSound(ReadOnlySpan<char> text) => Ascii.IsValid(text) && !text.ContainsAny(s_suspicious);

    private static int SegmentEnd(string text, int start)
    {
        var line = text.AsSpan(start, Math.Min(MaxSegment, text.Length - start)).IndexOf('\n');
        if (line >= 0)
            return start + line + 1;
        var end = Math.Min(text.Length, start + MaxSegment);
        return end < text.Length && char.IsLowSurrogate(text[end]) ? end - 1 : end;
    }

    private string FixSegment(string text, bool entities)
    {
        var mojibake = _mojibake.Get(this, static s => new MojibakeRepair(
            s.RestoreByteA0, s.ReplaceLossySequences, s.DecodeInconsistentUtf8, s.FixC1Controls));
        var characters = _characters.Get(this, static s => new CharacterFixes(s));
        // What one fix uncovers another may fix; a text escaped a thousand times must not take as many rounds.
        for (var round = 0; round < MaxRounds; round++)
        {
            var before = text;
            if (entities)
                text = HtmlReferences.Decode(text);
            if (FixEncoding)
                text = mojibake.Repair(text);
            if (FixC1Controls)
                text = MojibakeRepair.FixC1(text);
            text = characters.Replace(text);
            if (FixLineBreaks)
                text = UnixLineBreaks(text);
            if (FixSurrogates)
                text = ReplaceSurrogates(text);
            if (RemoveTerminalEscapes)
                text = WithoutTerminalEscapes(text);
            if (RemoveControlChars && text.AsSpan().ContainsAny(s_controls))
                text = string.Concat(text.Where(c => !s_controls.Contains(c)));
            text = characters.Normalize(text);
            if (text == before)
                break;
        }
        return text;
    }

    private static string UnixLineBreaks(string text) => text.AsSpan().ContainsAny("\r\u2028\u2029\u0085")
        ? text.Replace("\r\n", "\n", StringComparison.Ordinal).Replace('\r', '\n')
            .Replace('\u2028', '\n').Replace('\u2029', '\n').Replace('\u0085', '\n')
        : text;

    private static string ReplaceSurrogates(string text)
    {
        if (!text.AsSpan().ContainsAnyInRange('\uD800', '\uDFFF'))
            return text;
        return string.Create(text.Length, text, static (output, source) =>
        {
            for (var i = 0; i < output.Length; i++)
            {
                var paired = char.IsHighSurrogate(source[i]) ? i + 1 < source.Length && char.IsLowSurrogate(source[i + 1])
                    : !char.IsLowSurrogate(source[i]) || (i > 0 && char.IsHighSurrogate(source[i - 1]));
                output[i] = paired ? source[i] : '\uFFFD';
            }
        });
    }

    // ESC [ digits and semicolons, one letter.
    private static string WithoutTerminalEscapes(string text)
    {
        StringBuilder? output = null;
        var done = 0;
        for (var at = text.IndexOf('\x1B'); at >= 0; at = text.IndexOf('\x1B', at + 1))
        {
            var end = at + 2;
            if (end >= text.Length || text[at + 1] != '[')
                continue;
            while (end < text.Length && (char.IsAsciiDigit(text[end]) || text[end] == ';'))
                end++;
            if (end >= text.Length || !char.IsAsciiLetter(text[end]))
                continue;
            output ??= new(text.Length);
            output.Append(text, done, at - done);
            done = end + 1;
            at = end;
        }
        return output is null ? text : output.Append(text, done, text.Length - done).ToString();
    }

    private static IEnumerable<char> ControlCharacters()
    {
        (int From, int To)[] ranges =
            [(0, 8), (0xB, 0xB), (0xE, 0x1F), (0x7F, 0x7F), (0x206A, 0x206F), (0xFEFF, 0xFEFF), (0xFFF9, 0xFFFC)];
        foreach (var (from, to) in ranges)
            for (var c = from; c <= to; c++)
                yield return (char)c;
    }
}
