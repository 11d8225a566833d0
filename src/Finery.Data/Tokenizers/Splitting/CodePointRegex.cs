using System.Text;

namespace Finery.Data.Tokenizers;

/// <summary>
/// Regular expressions over the code points of UTF-8 text, for the Split patterns and Replace normalizers of
/// <c>tokenizer.json</c>. .NET's <c>Regex</c> works on UTF-16 units, where letters beyond U+FFFF are in no category. The syntax is
/// what Oniguruma and Rust's fancy-regex have in common, plus possessive intervals (<c>{1,3}+</c>) as the latter has them;
/// <c>^</c> and <c>$</c> are about lines, as in the former. Matching is by backtracking: the first alternative that lets the rest
/// match wins. Immutable and thread-safe.
/// </summary>
internal sealed partial class CodePointRegex
{
    private readonly RegexInstruction[] _program;
    private readonly int _registers;
    private readonly CodePointSet? _first; // what every match begins with, where that is known
    private readonly string _pattern;

    private CodePointRegex(string pattern, RegexNode root)
    {
        _pattern = pattern;
        try
        {
            (_program, _registers) = CodePointRegexProgram.Compile(root);
        }
        catch (NotSupportedException e)
        {
            throw new NotSupportedException($"Pattern \"{pattern}\": {e.Message}", e);
        }
        _first = root.First.CanBeEmpty ? null : root.First.Set;
    }

    /// <exception cref="InvalidDataException">The pattern is not well formed.</exception>
    /// <exception cref="NotSupportedException">It uses a construct that is not supported, or is too long or too deep.</exception>
    public static CodePointRegex Parse(string pattern) => new(pattern, CodePointRegexParser.Parse(pattern));

    /// <summary>The leftmost match that begins at byte <paramref name="from"/> or later of valid UTF-8; what lies before is seen by
    /// anchors and lookbehind. To go through a text use <see cref="Matches"/>, whose limit of time is for the whole text.</summary>
    /// <exception cref="InvalidDataException">Matching takes too long.</exception>
    public bool TryMatch(ReadOnlySpan<byte> utf8, int from, out int start, out int end)
    {
        long steps = StepsFor(utf8.Length - from);
        Backtracking stack = Backtracking.Rent(_registers);
        bool found = TryMatch(utf8, from, stack, ref steps, out start, out end);
        stack.Return();
        return found;
    }

    /// <summary>All matches, as byte positions, leftmost first and without overlap. An empty match right after another match is
    /// left out.</summary>
    /// <exception cref="InvalidDataException">Matching takes too long.</exception>
    public List<(int Start, int End)> Matches(ReadOnlySpan<byte> utf8)
    {
        var matches = new List<(int Start, int End)>();
        long steps = StepsFor(utf8.Length);
        Backtracking stack = Backtracking.Rent(_registers);
        int from = 0, lastEnd = -1;
        while (from <= utf8.Length && TryMatch(utf8, from, stack, ref steps, out int start, out int end))
        {
            if (start == end && end == lastEnd)
            {
                from = end + LengthAt(utf8, end);
                continue;
            }
            matches.Add((start, end));
            from = lastEnd = end;
        }
        stack.Return();
        return matches;
    }

    /// <summary>Steps allowed: those of known patterns take about ten per byte.</summary>
    private static long StepsFor(int bytes) => 1_000_000 + 250L * bytes;

    /// <summary>Bytes of the code point at a place; 1 at the end, so that a scan always moves on.</summary>
    private static int LengthAt(ReadOnlySpan<byte> utf8, int at)
    {
        if (at >= utf8.Length || utf8[at] < 128) return 1;
        Rune.DecodeFromUtf8(utf8[at..], out _, out int length);
        return length;
    }

    private bool TryMatch(ReadOnlySpan<byte> utf8, int from, Backtracking stack, ref long steps, out int start, out int end)
    {
        for (start = from; start <= utf8.Length; start += LengthAt(utf8, start))
        {
            if (_first is not null && !_first.IsAt(utf8, start))
            {
                if (--steps < 0) throw TooLong();
                continue;
            }
            end = MatchAt(utf8, start, stack, ref steps);
            if (end >= 0) return true;
        }
        start = end = -1;
        return false;
    }

    private InvalidDataException TooLong() => new($"The pattern \"{_pattern}\" takes too long on this text: simplify its repeats.");

    private InvalidDataException TooDeep() =>
        new($"The pattern \"{_pattern}\" needs more than {Backtracking.MostEntries:N0} places to return to on this text: " +
            "simplify its repeats.");
}
