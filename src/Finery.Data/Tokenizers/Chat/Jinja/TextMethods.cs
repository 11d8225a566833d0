using System.Text;

namespace Finery.Data.Tokenizers.Jinja;

/// <summary>Python's methods of strings.</summary>
internal static class TextMethods
{
    private delegate object? Method(Interpreter run, string text, Arguments arguments);

    private static readonly Dictionary<string, Method> All = new(StringComparer.Ordinal)
    {
        ["strip"] = (run, text, given) => Strip(run, text, given, "strip", true, true),
        ["lstrip"] = (run, text, given) => Strip(run, text, given, "lstrip", true, false),
        ["rstrip"] = (run, text, given) => Strip(run, text, given, "rstrip", false, true),
        ["split"] = (run, text, given) => Split(run, text, given, "split", fromEnd: false),
        ["rsplit"] = (run, text, given) => Split(run, text, given, "rsplit", fromEnd: true),
        ["splitlines"] = (run, text, given) => new Sequence(
            [.. Lines(run.Checked(text), Kinds.IsTrue(Arguments.Or(given.Bind("splitlines", "keepends")[0], false)))]),
        ["startswith"] = (_, text, given) => Affix(text, given, "startswith", (whole, part) => whole.StartsWith(part, StringComparison.Ordinal)),
        ["endswith"] = (_, text, given) => Affix(text, given, "endswith", (whole, part) => whole.EndsWith(part, StringComparison.Ordinal)),
        ["removeprefix"] = (_, text, given) =>
            Single(given, "removeprefix") is var part && text.StartsWith(part, StringComparison.Ordinal) ? text[part.Length..] : text,
        ["removesuffix"] = (_, text, given) =>
            Single(given, "removesuffix") is var part && part.Length > 0 && text.EndsWith(part, StringComparison.Ordinal) ? text[..^part.Length] : text,
        ["upper"] = (run, text, given) => Plain(run, text, given, "upper", Characters.Upper),
        ["lower"] = (run, text, given) => Plain(run, text, given, "lower", Characters.Lower),
        ["casefold"] = (run, text, given) => Plain(run, text, given, "casefold", Characters.Lower),
        ["capitalize"] = (run, text, given) => Plain(run, text, given, "capitalize", Characters.Capitalized),
        ["title"] = (run, text, given) => Plain(run, text, given, "title", Title),
        ["swapcase"] = (run, text, given) => Plain(run, text, given, "swapcase",
            whole => string.Concat(whole.Select(c => char.IsUpper(c) ? char.ToLowerInvariant(c) : char.ToUpperInvariant(c)))),
        ["replace"] = (run, text, given) =>
        {
            object?[] values = given.Bind("replace", "old", "new", "count");
            return Replaced(run, text, Arguments.Text(values[0], "replace"), Arguments.Text(values[1], "replace"), Arguments.Whole(values[2], -1));
        },
        ["find"] = (run, text, given) => Find(run, text, given, "find", last: false),
        ["rfind"] = (run, text, given) => Find(run, text, given, "rfind", last: true),
        ["index"] = (run, text, given) => Find(run, text, given, "index", last: false, must: true),
        ["rindex"] = (run, text, given) => Find(run, text, given, "rindex", last: true, must: true),
        ["count"] = (run, text, given) => Count(run.Checked(text), Single(given, "count")),
        ["join"] = (run, text, given) => Join(run, text, Kinds.Items(given.Bind("join", "iterable")[0], run)),
        ["partition"] = (_, text, given) => Partition(text, Single(given, "partition"), last: false),
        ["rpartition"] = (_, text, given) => Partition(text, Single(given, "rpartition"), last: true),
        ["isdigit"] = (_, text, given) => Every(text, char.IsDigit),
        ["isdecimal"] = (_, text, given) => Every(text, char.IsDigit),
        ["isnumeric"] = (_, text, given) => Every(text, char.IsNumber),
        ["isalpha"] = (_, text, given) => Every(text, char.IsLetter),
        ["isalnum"] = (_, text, given) => Every(text, char.IsLetterOrDigit),
        ["isspace"] = (_, text, given) => Every(text, Characters.IsSpace),
        ["isascii"] = (_, text, given) => text.All(char.IsAscii),
        ["isupper"] = (_, text, given) => IsUpper(text),
        ["islower"] = (_, text, given) => IsLower(text),
        ["zfill"] = (run, text, given) =>
        {
            int missing = Missing(run, text, given.Bind("zfill", "width")[0]);
            int sign = text.StartsWith('-') || text.StartsWith('+') ? 1 : 0;
            return text[..sign] + new string('0', missing) + text[sign..];
        },
        ["ljust"] = (run, text, given) => Padded(run, text, given, "ljust", (_, _) => 0),
        ["rjust"] = (run, text, given) => Padded(run, text, given, "rjust", (missing, _) => missing),
        ["center"] = (run, text, given) => Padded(run, text, given, "center", (missing, width) => (missing / 2) + (missing & width & 1)),
        ["format"] = (run, text, given) => Formatting.Braces(text, given, run),
    };

    private static readonly HashSet<string> Absent = new(StringComparer.Ordinal)
        { "encode", "expandtabs", "format_map", "isidentifier", "isprintable", "istitle", "maketrans", "translate" };

    public static Callable? Find(object owner, string name)
    {
        if (!All.TryGetValue(name, out Method? method))
            return Absent.Contains(name) ? new(name, (_, _) => throw TemplateError.Unsupported($"The string method '{name}'")) : null;
        string text = Kinds.TextOf(owner)!;
        if (owner is string) return new(name, (run, arguments) => method(run, text, arguments));
        // A marked text escapes what it is given and marks what it returns.
        return new(name, (run, arguments) => Marked(method(run, text, Escaped(arguments, name))));
    }

    private static Arguments Escaped(Arguments arguments, string name) => name is "startswith" or "endswith" or "count" or "find" ? arguments
        : new(Array.ConvertAll(arguments.Positional, value => value is string text ? Markup.Escape(text) : value), arguments.Named);

    private static object? Marked(object? value) => value switch
    {
        string text => new Markup(text),
        Sequence list => new Sequence(Array.ConvertAll(list.Items, Marked), list.Kind),
        _ => value,
    };

    private static string Single(Arguments given, string name) => Arguments.Text(given.Bind(name, "text")[0], name);

    private static string Plain(Interpreter run, string text, Arguments given, string name, Func<string, string> change)
    {
        given.Bind(name);
        return change(run.Checked(text));
    }

    private static string Strip(Interpreter run, string text, Arguments given, string name, bool left, bool right)
    {
        object? characters = Arguments.Or(given.Bind(name, "chars")[0], null);
        return Stripped(run.Checked(text), characters is null ? null : Arguments.Text(characters, name), left, right);
    }

    /// <summary>Without white space, or the characters given, at its ends.</summary>
    public static string Stripped(string text, string? characters, bool left = true, bool right = true)
    {
        int start = 0, end = text.Length;
        while (left && start < end && Goes(text[start])) start++;
        while (right && end > start && Goes(text[end - 1])) end--;
        return text[start..end];

        bool Goes(char c) => characters is null ? Characters.IsSpace(c) : characters.Contains(c, StringComparison.Ordinal);
    }

    private static Sequence Split(Interpreter run, string text, Arguments given, string name, bool fromEnd)
    {
        object?[] values = given.Bind(name, "sep", "maxsplit");
        object? separator = Arguments.Or(values[0], null);
        long most = Arguments.Whole(values[1], -1);
        if (most < 0) most = long.MaxValue;
        var parts = new List<object?>();
        if (separator is null) SplitAtSpace(run.Checked(text), most, fromEnd, parts);
        else SplitAt(run.Checked(text), Arguments.Text(separator, name), most, fromEnd, parts);
        if (fromEnd) parts.Reverse();
        run.Charge(parts.Count);
        return new Sequence([.. parts]);
    }

    private static void SplitAt(string text, string separator, long most, bool fromEnd, List<object?> parts)
    {
        if (separator.Length == 0) throw new TemplateError("split needs a separator that is not empty.");
        int start = 0, end = text.Length;
        while (parts.Count < most)
        {
            int at = fromEnd ? text.AsSpan(0, end).LastIndexOf(separator) : text.IndexOf(separator, start, StringComparison.Ordinal);
            if (at < 0) break;
            parts.Add(fromEnd ? text[(at + separator.Length)..end] : text[start..at]);
            if (fromEnd) end = at;
            else start = at + separator.Length;
        }
        parts.Add(text[start..end]);
    }

    private static void SplitAtSpace(string text, long most, bool fromEnd, List<object?> parts)
    {
        int start = 0, end = text.Length;
        while (true)
        {
            while (start < end && Characters.IsSpace(fromEnd ? text[end - 1] : text[start]))
            {
                if (fromEnd) end--;
                else start++;
            }
            if (start == end) return;
            if (parts.Count == most)
            {
                parts.Add(text[start..end]);
                return;
            }
            int from = start, to = end;
            if (fromEnd)
            {
                while (end > start && !Characters.IsSpace(text[end - 1])) end--;
                from = end;
            }
            else
            {
                while (start < end && !Characters.IsSpace(text[start])) start++;
                to = start;
            }
            parts.Add(text[from..to]);
        }
    }

    /// <summary>Python's lines: more characters end a line than in most places.</summary>
    public static IEnumerable<string> Lines(string text, bool keepEnds)
    {
        int start = 0;
        for (int i = 0; i < text.Length; i++)
        {
            if (text[i] is not ('\n' or '\r' or '\v' or '\f' or '\x1c' or '\x1d' or '\x1e' or '\x85' or '\u2028' or '\u2029')) continue;
            int end = i;
            if (text[i] == '\r' && i + 1 < text.Length && text[i + 1] == '\n') i++;
            yield return text[start..(keepEnds ? i + 1 : end)];
            start = i + 1;
        }
        if (start < text.Length) yield return text[start..];
    }

    private static bool Affix(string text, Arguments given, string name, Func<string, string, bool> fits)
    {
        object?[] values = given.Bind(name, "prefix", "start", "end");
        if (values[1] != Arguments.Missing || values[2] != Arguments.Missing)
        {
            string[] parts = Characters.Split(text);
            int from = (int)Math.Clamp(Arguments.Whole(values[1], 0) is var a && a < 0 ? a + parts.Length : a, 0, parts.Length);
            int to = (int)Math.Clamp(Arguments.Whole(values[2], parts.Length) is var b && b < 0 ? b + parts.Length : b, 0, parts.Length);
            text = from < to ? string.Concat(parts[from..to]) : "";
        }
        return values[0] is Sequence { Kind: SequenceKind.Tuple } several
            ? several.Items.Any(part => fits(text, Arguments.Text(part, name))) : fits(text, Arguments.Text(values[0], name));
    }

    /// <summary>Each <paramref name="old"/> replaced, or the first so many; an empty one stands between all characters.</summary>
    public static string Replaced(Interpreter run, string text, string old, string by, long count)
    {
        run.CheckText(text.Length);
        if (count < 0) count = long.MaxValue;
        if (old.Length > 0 && by.Length <= old.Length && count == long.MaxValue) return text.Replace(old, by, StringComparison.Ordinal);
        var result = new StringBuilder();
        int from = 0;
        for (; count > 0; count--)
        {
            int at = old.Length > 0 ? text.IndexOf(old, from, StringComparison.Ordinal) : from;
            if (at < 0) break;
            result.Append(text, from, at - from).Append(by);
            from = at + old.Length;
            run.CheckText(result.Length, isNew: false);
            run.Charge(1 + (by.Length >> 3));
            if (old.Length > 0) continue;
            if (from == text.Length) return result.ToString();
            int length = from + 1 < text.Length && char.IsSurrogatePair(text[from], text[from + 1]) ? 2 : 1;
            result.Append(text, from, length);
            from += length;
        }
        return result.Append(text, from, text.Length - from).ToString();
    }

    private static object Find(Interpreter run, string text, Arguments given, string name, bool last, bool must = false)
    {
        object?[] values = given.Bind(name, "sub", "start");
        long start = Arguments.Whole(values[1], 0);
        string[] parts = Characters.Split(run.Checked(text));
        int from = (int)Math.Clamp(start < 0 ? start + parts.Length : start, 0, parts.Length);
        string rest = string.Concat(parts[from..]), part = Arguments.Text(values[0], name);
        int at = start > parts.Length ? -1 : last ? rest.LastIndexOf(part, StringComparison.Ordinal) : rest.IndexOf(part, StringComparison.Ordinal);
        if (at < 0) return must ? throw new TemplateError("the text is not found.") : -1L;
        return (long)from + Characters.Count(rest[..at]);
    }

    private static long Count(string text, string part)
    {
        if (part.Length == 0) return Characters.Count(text) + 1;
        long count = 0;
        for (int at = 0; (at = text.IndexOf(part, at, StringComparison.Ordinal)) >= 0; at += part.Length) count++;
        return count;
    }

    private static string Join(Interpreter run, string separator, object?[] items)
    {
        var result = new StringBuilder();
        for (int i = 0; i < items.Length; i++)
        {
            if (i > 0) result.Append(separator);
            result.Append(Arguments.Text(items[i], "join"));
            run.CheckText(result.Length, isNew: false);
        }
        return run.Checked(result.ToString());
    }

    private static Sequence Partition(string text, string separator, bool last)
    {
        if (separator.Length == 0) throw new TemplateError("partition needs a separator that is not empty.");
        int at = last ? text.LastIndexOf(separator, StringComparison.Ordinal) : text.IndexOf(separator, StringComparison.Ordinal);
        object?[] parts = at >= 0 ? [text[..at], separator, text[(at + separator.Length)..]] : last ? ["", "", text] : [text, "", ""];
        return new Sequence(parts, SequenceKind.Tuple);
    }

    private static bool Every(string text, Func<char, bool> holds) => text.Length > 0 && text.All(holds);

    public static bool IsUpper(string text) => text.Any(char.IsUpper) && !text.Any(char.IsLower);

    public static bool IsLower(string text) => text.Any(char.IsLower) && !text.Any(char.IsUpper);

    /// <summary>Each word's first letter large, the others small; any other character begins a word.</summary>
    private static string Title(string text)
    {
        var result = new StringBuilder(text.Length);
        bool inWord = false;
        foreach (char c in text)
        {
            result.Append(inWord ? Characters.Lower(c.ToString()) : Characters.Upper(c.ToString()));
            inWord = char.IsUpper(c) || char.IsLower(c);
        }
        return result.ToString();
    }

    private static int Missing(Interpreter run, string text, object? width)
    {
        long wanted = Arguments.Whole(width, 0);
        run.CheckText(wanted);
        return (int)Math.Max(0, wanted - Characters.Count(text));
    }

    private static string Padded(Interpreter run, string text, Arguments given, string name, Func<int, int, int> before)
    {
        object?[] values = given.Bind(name, "width", "fillchar");
        int missing = Missing(run, text, values[0]);
        string fill = Arguments.Text(values[1], name, " ");
        if (fill.Length != 1) throw new TemplateError($"{name} fills with one character.");
        int left = missing == 0 ? 0 : before(missing, (int)Comparison.ToLong(values[0]));
        return new string(fill[0], left) + text + new string(fill[0], missing - left);
    }
}
