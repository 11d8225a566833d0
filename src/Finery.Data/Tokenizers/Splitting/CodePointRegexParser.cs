using System.Globalization;

namespace Finery.Data.Tokenizers;

/// <summary>Parses an expression by recursive descent; what is in brackets and after backslashes is in the other part.</summary>
internal sealed partial class CodePointRegexParser
{
    private const int LongestPattern = 8192, MostNesting = 64;

    /// <summary>Oniguruma's own limit.</summary>
    private const int MostRepeats = 100_000;

    private readonly string _pattern;
    private int _at, _depth;

    private CodePointRegexParser(string pattern) => _pattern = pattern;

    private bool AtEnd => _at >= _pattern.Length;

    public static RegexNode Parse(string pattern)
    {
        if (pattern.Length > LongestPattern)
            throw new NotSupportedException(
                $"A pattern of {pattern.Length:N0} characters (\"{pattern[..40]}...\"); the most is {LongestPattern:N0}.");
        var parser = new CodePointRegexParser(pattern);
        RegexNode root = parser.ParseChoice(default);
        return parser.AtEnd ? root : throw parser.Malformed("an unmatched )");
    }

    private RegexNode ParseChoice(Flags flags)
    {
        Enter();
        var alternatives = new List<RegexNode>();
        int flagsInside = -1; // where flags were set with something before them
        do
        {
            var items = new List<RegexNode>();
            while (!AtEnd && _pattern[_at] is not ('|' or ')'))
            {
                int start = _at;
                if (TryReadInlineFlags(ref flags))
                {
                    if (items.Count + alternatives.Count > 0) flagsInside = start;
                    continue;
                }
                if (ParseQuantified(flags) is { } item) items.Add(item);
            }
            if (!AtEnd && _pattern[_at] == '|' && flagsInside >= 0)
                throw Unsupported("flags set between alternatives, whose reach engines do not agree on,", flagsInside);
            alternatives.Add(items is [var only] ? only : new SequenceNode(items));
        }
        while (TryTake('|'));
        _depth--;
        if (alternatives is [var single]) return single;
        // a choice between single code points is one of a set
        return alternatives.All(node => node is SetNode)
            ? new SetNode(alternatives.Aggregate(CodePointSet.Empty, (set, node) => set.Union(((SetNode)node).Set)))
            : new ChoiceNode(alternatives);
    }

    /// <summary>An item with its quantifiers, or null for a comment.</summary>
    private RegexNode? ParseQuantified(Flags flags)
    {
        RegexNode? item = ParseItem(flags);
        int nesting = 0;
        while (item is not null && TryReadQuantifier(out int least, out int most, out Greed greed))
        {
            if (++nesting > MostNesting) throw Unsupported($"more than {MostNesting} quantifiers on one item", _at);
            item = new RepeatNode(item, least, most, greed);
        }
        return item;
    }

    private RegexNode? ParseItem(Flags flags)
    {
        int start = _at;
        switch (_pattern[_at])
        {
            case '(':
                return ParseGroup(flags);
            case '[':
                return new SetNode(ParseClass(flags));
            case '.':
                _at++;
                return new SetNode(flags.DotTakesAll ? CodePointSet.All : CodePointSet.Of('\n', '\n').Negate());
            case '^':
                _at++;
                return new AnchorNode(Anchor.LineStart);
            case '$':
                _at++;
                return new AnchorNode(Anchor.LineEnd);
            case '?' or '*' or '+':
                throw Malformed($"the quantifier {_pattern[_at]} without anything to repeat");
            case '\\' when ReadAnchor() is { } anchor:
                return new AnchorNode(anchor);
            case '\\' when ReadNamedSet() is { } set:
                return new SetNode(flags.IgnoreCase ? UnicodeSets.IgnoreCase(set) : set);
        }
        int codePoint = ReadCodePoint();
        var one = CodePointSet.Of(codePoint, codePoint);
        return new SetNode(flags.IgnoreCase ? UnicodeSets.IgnoreCase(one) : one);
    }

    /// <summary>From an opening parenthesis to its closing one. Groups capture nothing: no one asks for it.</summary>
    private RegexNode? ParseGroup(Flags flags)
    {
        int start = _at++;
        if (TryTake("*")) throw Unsupported("a (*VERB)", start);
        if (!TryTake("?")) return Close(ParseChoice(flags), start);
        if (TryTake("#"))
        {
            int end = _pattern.IndexOf(')', _at);
            _at = end >= 0 ? end + 1 : throw Malformed("a comment without its )", start);
            return null;
        }
        if (TryTake(":")) return Close(ParseChoice(flags), start);
        if (TryTake(">")) return new AtomicNode(Close(ParseChoice(flags), start));
        if (TryTake("=")) return new LookNode(Close(ParseChoice(flags), start), behind: false, negative: false);
        if (TryTake("!")) return new LookNode(Close(ParseChoice(flags), start), behind: false, negative: true);
        if (TryTake("<=")) return Behind(Close(ParseChoice(flags), start), start, negative: false);
        if (TryTake("<!")) return Behind(Close(ParseChoice(flags), start), start, negative: true);
        if (TryTake("<") || TryTake("P<"))
        {
            int end = _pattern.IndexOf('>', _at);
            if (end < 0) throw Malformed("a group's name without its >", start);
            _at = end + 1;
            return Close(ParseChoice(flags), start);
        }
        if (TryReadFlags(ref flags) && TryTake(":")) return Close(ParseChoice(flags), start);
        if (AtEnd) throw Malformed("a group without its )", start);
        throw Unsupported(_pattern[_at] switch
        {
            '(' => "a conditional (?(...)...)",
            '~' => "an absent operator (?~...)",
            'R' or '&' or 'P' or (>= '0' and <= '9') => "a group call or named reference",
            var other => $"the group (?{other}",
        }, start);
    }

    private LookNode Behind(RegexNode body, int start, bool negative)
    {
        IEnumerable<RegexNode> alternatives = body is ChoiceNode choice ? choice.Alternatives : [body];
        return alternatives.All(node => node.Length is not null)
            ? new LookNode(body, behind: true, negative)
            : throw Unsupported("a lookbehind of no fixed length", start);
    }

    private RegexNode Close(RegexNode body, int start) => TryTake(')') ? body : throw Malformed("a group without its )", start);

    /// <summary><c>(?i)</c>: flags for the rest of the group.</summary>
    private bool TryReadInlineFlags(ref Flags flags)
    {
        int start = _at;
        Flags read = flags;
        if (TryTake("(?") && TryReadFlags(ref read) && TryTake(")"))
        {
            flags = read;
            return true;
        }
        _at = start;
        return false;
    }

    private bool TryReadFlags(ref Flags flags)
    {
        int start = _at;
        for (bool on = true; !AtEnd; _at++)
        {
            char c = _pattern[_at];
            if (c == 'i') flags = flags with { IgnoreCase = on };
            else if (c == 's') flags = flags with { DotTakesAll = on };
            else if (c == '-' && on) on = false;
            else if (c is 'm' or 'x' or 'u' or 'U' or 'a' or 'n') throw Unsupported($"the flag {c}", _at);
            else break;
        }
        return _at > start;
    }

    private bool TryReadQuantifier(out int least, out int most, out Greed greed)
    {
        int start = _at;
        bool interval = false;
        (least, most, greed) = (0, RepeatNode.Unlimited, Greed.Greedy);
        if (TryTake('?')) most = 1;
        else if (TryTake('+')) least = 1;
        else if (TryReadInterval(out least, out most)) interval = true;
        else if (!TryTake('*')) return false;

        if (TryTake('+'))
        {
            greed = Greed.Possessive;
        }
        else if (TryTake('?'))
        {
            if (interval && least == most) throw Unsupported("{n}?, which engines do not agree on,", start);
            greed = Greed.Lazy;
        }
        return true;
    }

    /// <summary><c>{n}</c>, <c>{n,}</c>, <c>{n,m}</c> or <c>{,m}</c>; any other brace is an ordinary character.</summary>
    private bool TryReadInterval(out int least, out int most)
    {
        int start = _at;
        (least, most) = (0, RepeatNode.Unlimited);
        if (!TryTake('{')) return false;
        int? from = ReadNumber(start), to = from;
        if (TryTake(',')) to = ReadNumber(start) ?? (from is null ? null : RepeatNode.Unlimited);
        if (to is null || !TryTake('}'))
        {
            _at = start;
            return false;
        }
        (least, most) = (from ?? 0, to.Value);
        return least <= most ? true : throw Malformed($"an interval from {least} to {most}", start);
    }

    private int? ReadNumber(int start)
    {
        int from = _at;
        while (!AtEnd && char.IsAsciiDigit(_pattern[_at])) _at++;
        if (_at == from) return null;
        return int.TryParse(_pattern.AsSpan(from, _at - from), NumberStyles.None, CultureInfo.InvariantCulture, out int number)
            && number <= MostRepeats
                ? number
                : throw Unsupported($"more than {MostRepeats:N0} repeats", start);
    }

    private void Enter()
    {
        if (++_depth > MostNesting) throw Unsupported($"groups or classes nested deeper than {MostNesting}", _at);
    }

    private bool TryTake(char c)
    {
        if (AtEnd || _pattern[_at] != c) return false;
        _at++;
        return true;
    }

    private bool TryTake(string text)
    {
        if (string.CompareOrdinal(_pattern, _at, text, 0, text.Length) != 0) return false;
        _at += text.Length;
        return true;
    }

    private InvalidDataException Malformed(string what, int at = -1) =>
        new($"Pattern \"{_pattern}\" has {what} at position {(at < 0 ? _at : at)}.");

    private NotSupportedException Unsupported(string what, int at) =>
        new($"Pattern \"{_pattern}\" has {what} at position {at}: not supported.");

    private readonly record struct Flags(bool IgnoreCase, bool DotTakesAll);
}
