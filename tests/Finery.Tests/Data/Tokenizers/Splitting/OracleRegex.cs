namespace Finery.Tests.Data.Tokenizers.Splitting;

/// <summary>A random expression and, beside its text, its meaning: the ends of its matches from a place, most preferred first. As
/// plain as can be, since .NET errs on some repeats of groups that can be empty.</summary>
internal sealed record OracleRegex(string Pattern, Func<string, int, IEnumerable<int>> Ends)
{
    /// <summary>The leftmost match, or null.</summary>
    public (int Start, int End)? Find(string text, int from)
    {
        for (int start = from; start <= text.Length; start++)
        {
            foreach (int end in Ends(text, start)) return (start, end);
        }
        return null;
    }

    public static OracleRegex Random(Random random, int depth)
    {
        int count = random.Next(4) == 0 ? random.Next(2, 4) : 1;
        OracleRegex[] alternatives = [.. Enumerable.Range(0, count).Select(_ => RandomSequence(random, depth))];
        return new(string.Join('|', alternatives.Select(one => one.Pattern)),
            (text, at) => alternatives.SelectMany(one => one.Ends(text, at)).Distinct());
    }

    private static OracleRegex RandomSequence(Random random, int depth) => Enumerable.Range(0, random.Next(4))
        .Select(_ => RandomRepeat(random, depth))
        .Aggregate(new OracleRegex("", (_, at) => [at]), (left, right) => new(left.Pattern + right.Pattern,
            (text, at) => left.Ends(text, at).SelectMany(middle => right.Ends(text, middle)).Distinct()));

    private static OracleRegex RandomRepeat(Random random, int depth)
    {
        OracleRegex body = RandomAtom(random, depth);
        (string mark, int least, int most) = random.Next(12) switch
        {
            0 => ("*", 0, int.MaxValue),
            1 => ("+", 1, int.MaxValue),
            2 => ("?", 0, 1),
            3 => ("{1,2}", 1, 2),
            4 => ("{,2}", 0, 2),
            5 => ("{2,}", 2, int.MaxValue),
            _ => ("", 1, 1),
        };
        if (mark == "") return body;
        int greed = random.Next(3);
        var repeat = new OracleRegex(body.Pattern + mark + (greed == 0 ? "" : greed == 1 ? "?" : "+"),
            (text, at) => Turns(body, text, at, 0, least, most, lazy: greed == 1).Distinct());
        return greed < 2 ? repeat : repeat with { Ends = (text, at) => Turns(body, text, at, 0, least, most, lazy: false).Take(1) };
    }

    private static IEnumerable<int> Turns(OracleRegex body, string text, int at, int count, int least, int most, bool lazy)
    {
        if (lazy && count >= least) yield return at;
        if (count < most)
        {
            foreach (int end in body.Ends(text, at))
            {
                bool last = end == at && count >= least && most == int.MaxValue; // an empty turn ends an unlimited repeat
                if (last) yield return at;
                else foreach (int further in Turns(body, text, end, count + 1, least, most, lazy).Distinct()) yield return further;
            }
        }
        if (!lazy && count >= least) yield return at;
    }

    private static OracleRegex RandomAtom(Random random, int depth)
    {
        if (depth == 0 || random.Next(2) == 0)
        {
            return random.Next(8) switch
            {
                0 or 1 => One("a", c => c == 'a'),
                2 => One("b", c => c == 'b'),
                3 => One("[ab]", c => c is 'a' or 'b'),
                4 => One("[^a]", c => c != 'a'),
                5 => One(".", c => c != '\n'),
                6 => One(@"\s", char.IsWhiteSpace),
                _ => RandomAnchor(random),
            };
        }
        OracleRegex body = Random(random, depth - 1);
        return random.Next(6) switch
        {
            0 => new($"(?={body.Pattern})", (text, at) => body.Ends(text, at).Any() ? [at] : []),
            1 => new($"(?!{body.Pattern})", (text, at) => body.Ends(text, at).Any() ? [] : [at]),
            2 => new($"(?>{body.Pattern})", (text, at) => body.Ends(text, at).Take(1)),
            3 => random.Next(2) == 0
                ? new("(?<=ab|b)", (text, at) => text[..at].EndsWith('b') ? [at] : [])
                : new("(?<!a[ab]|c)", (text, at) =>
                    text[..at].EndsWith('c') || (at > 1 && text[at - 2] == 'a' && text[at - 1] is 'a' or 'b') ? [] : [at]),
            _ => new($"(?:{body.Pattern})", body.Ends),
        };
    }

    private static OracleRegex RandomAnchor(Random random) => random.Next(6) switch
    {
        0 => new("^", (text, at) => at == 0 || (at < text.Length && text[at - 1] == '\n') ? [at] : []),
        1 => new("$", (text, at) => at == text.Length || text[at] == '\n' ? [at] : []),
        2 => new(@"\A", (_, at) => at == 0 ? [at] : []),
        3 => new(@"\z", (text, at) => at == text.Length ? [at] : []),
        4 => new(@"\b", (text, at) => Boundary(text, at) ? [at] : []),
        _ => new(@"\B", (text, at) => Boundary(text, at) ? [] : [at]),
    };

    private static bool Boundary(string text, int at) =>
        (at > 0 && char.IsLetter(text[at - 1])) != (at < text.Length && char.IsLetter(text[at]));

    private static OracleRegex One(string pattern, Func<char, bool> accepts) =>
        new(pattern, (text, at) => at < text.Length && accepts(text[at]) ? [at + 1] : []);
}
