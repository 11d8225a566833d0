using System.Buffers;
using System.Globalization;
using System.Text;

namespace Finery.Data.Tokenizers;

/// <summary>Classes in brackets, and escapes.</summary>
internal sealed partial class CodePointRegexParser
{
    /// <summary>From an opening bracket to its closing one. Classes nest; <c>&amp;&amp;</c> binds last.</summary>
    private CodePointSet ParseClass(Flags flags)
    {
        Enter();
        int start = _at++;
        bool negative = TryTake('^');
        CodePointSet? left = null; // what stands before the last &&
        var ranges = new List<(int, int)>();
        CodePointSet sets = CodePointSet.Empty;
        for (bool first = true; ; first = false)
        {
            if (AtEnd) throw Malformed("a class without its ]", start);
            if (!first && TryTake(']')) break; // as the first character it is an ordinary one
            if (TryTake("&&"))
            {
                left = Union() is var right && left is null ? right : left.Intersect(right);
                ranges.Clear();
                sets = CodePointSet.Empty;
                continue;
            }
            if (!first && (StartsWith("--") || StartsWith("~~")))
                throw Unsupported($"the class operator {_pattern.AsSpan(_at, 2)}", _at);
            if (StartsWith("[:") && _pattern.IndexOf(":]", _at, StringComparison.Ordinal) > 0)
                throw Unsupported("a POSIX class", _at);
            if (_pattern[_at] == '[') sets = sets.Union(ParseClass(flags));
            else if (_pattern[_at] == '\\' && ReadNamedSet() is { } named) sets = sets.Union(named);
            else ranges.Add(ReadRange());
        }
        CodePointSet set = left is null ? Union() : left.Intersect(Union());
        if (flags.IgnoreCase) set = UnicodeSets.IgnoreCase(set);
        _depth--;
        return negative ? set.Negate() : set;

        CodePointSet Union() => sets.Union(CodePointSet.OfRanges(ranges));
    }

    private (int From, int To) ReadRange()
    {
        int start = _at;
        int from = ReadCodePoint(inClass: true);
        // a hyphen before the end of the class, or before another class, is an ordinary character
        if (AtEnd || _pattern[_at] != '-' || _at + 1 >= _pattern.Length || _pattern[_at + 1] is ']' or '[' || StartsWith("-&&"))
            return (from, from);
        _at++;
        if (_pattern[_at] == '\\' && ReadNamedSet() is not null) throw Malformed("a range that ends in a class", start);
        int to = ReadCodePoint(inClass: true);
        return from <= to ? (from, to) : throw Malformed($"a range from U+{from:X4} down to U+{to:X4}", start);
    }

    private bool StartsWith(string text) => string.CompareOrdinal(_pattern, _at, text, 0, text.Length) == 0;

    /// <summary>The anchor at a backslash; without one nothing is read.</summary>
    private Anchor? ReadAnchor()
    {
        Anchor? anchor = (_at + 1 < _pattern.Length ? _pattern[_at + 1] : '\0') switch
        {
            'A' => Anchor.TextStart,
            'z' => Anchor.TextEnd,
            'Z' => Anchor.LastLineEnd,
            'b' => Anchor.WordBoundary,
            'B' => Anchor.InsideWord,
            _ => null,
        };
        if (anchor is not null) _at += 2;
        return anchor;
    }

    /// <summary>The set of <c>\s</c>, <c>\p{...}</c> and their kind at a backslash; without one nothing is read.</summary>
    private CodePointSet? ReadNamedSet()
    {
        char name = _at + 1 < _pattern.Length ? _pattern[_at + 1] : '\0';
        if (name is 'p' or 'P') return ReadProperty();
        CodePointSet? set = name switch
        {
            's' => UnicodeSets.WhiteSpace,
            'S' => UnicodeSets.WhiteSpace.Negate(),
            'd' => UnicodeSets.Digits,
            'D' => UnicodeSets.Digits.Negate(),
            'w' => UnicodeSets.WordCharacters,
            'W' => UnicodeSets.WordCharacters.Negate(),
            _ => null,
        };
        if (set is not null) _at += 2;
        return set;
    }

    /// <summary><c>\p{Name}</c>, <c>\pL</c>, and the negative <c>\P{Name}</c> and <c>\p{^Name}</c>.</summary>
    private CodePointSet ReadProperty()
    {
        int start = _at;
        bool negative = _pattern[_at + 1] == 'P';
        _at += 2;
        string name;
        if (TryTake('{'))
        {
            if (TryTake('^')) negative = !negative;
            int end = _pattern.IndexOf('}', _at);
            if (end < 0) throw Malformed("a property without its }", start);
            name = _pattern[_at..end];
            _at = end + 1;
        }
        else
        {
            if (AtEnd) throw Malformed("a property without a name", start);
            name = _pattern[_at++].ToString();
        }
        CodePointSet set = UnicodeSets.Named(name) ?? throw Unsupported($"the property \\p{{{name}}}", start);
        return negative ? set.Negate() : set;
    }

    /// <summary>One code point, written as itself or after a backslash.</summary>
    private int ReadCodePoint(bool inClass = false)
    {
        int start = _at;
        if (_pattern[_at] != '\\') return ReadPlain(start);
        if (++_at == _pattern.Length) throw Malformed("a backslash with nothing after it", start);
        char c = _pattern[_at];
        if (!char.IsAsciiLetterOrDigit(c)) return ReadPlain(start);
        _at++;
        switch (c)
        {
            case 'n': return '\n';
            case 'r': return '\r';
            case 't': return '\t';
            case 'f': return '\f';
            case 'v': return '\v';
            case 'a': return '\a';
            case 'e': return 0x1B;
            case 'b' when inClass: return '\b';
            case 'x' or 'u' when TryTake('{'): return ReadHex(_pattern.IndexOf('}', _at) - _at, start, closing: 1);
            case 'x': return ReadHex(2, start);
            case 'u': return ReadHex(4, start);
            case 'U': return ReadHex(8, start);
            case '0' when AtEnd || !char.IsAsciiDigit(_pattern[_at]): return 0;
        }
        throw Unsupported(c switch
        {
            >= '0' and <= '9' => "a backreference or octal escape",
            'k' or 'g' => "a reference to a group",
            _ => $"the escape \\{c}",
        }, start);
    }

    private int ReadPlain(int start)
    {
        if (Rune.DecodeFromUtf16(_pattern.AsSpan(_at), out Rune rune, out int length) != OperationStatus.Done)
            throw Malformed("half a surrogate pair", start);
        _at += length;
        return rune.Value;
    }

    private int ReadHex(int digits, int start, int closing = 0)
    {
        const NumberStyles Hex = NumberStyles.AllowHexSpecifier;
        if (digits is < 1 or > 8 || _at + digits + closing > _pattern.Length
            || !int.TryParse(_pattern.AsSpan(_at, digits), Hex, CultureInfo.InvariantCulture, out int value)
            || !Rune.IsValid(value))
        {
            throw Malformed("an escape that is no code point", start);
        }
        _at += digits + closing;
        return value;
    }
}
