using System.Globalization;
using System.Numerics;
using System.Text;

namespace Finery.Data.Tokenizers.Jinja;

/// <summary>Filters of text and numbers.</summary>
internal static class TextFilters
{
    public static Dictionary<string, Filter> Create() => new(StringComparer.Ordinal)
    {
        ["tojson"] = (run, value, given) => Json.Write(value, given, run),
        ["string"] = (run, value, _) => Soft(value, run),
        ["safe"] = (run, value, _) => new Markup(Printing.Text(value, run)),
        ["e"] = Escape,
        ["escape"] = Escape,
        ["forceescape"] = (run, value, _) => new Markup(Markup.Escape(Printing.Text(value, run))),
        ["trim"] = (run, value, given) =>
        {
            object? characters = Arguments.Or(given.Bind("trim", "chars")[0], null);
            return Members.Like(value,
                TextMethods.Stripped(run.Checked(Printing.Text(value, run)), characters is null ? null : Arguments.Text(characters, "trim")));
        },
        ["upper"] = (run, value, _) => Members.Like(value, Characters.Upper(run.Checked(Printing.Text(value, run)))),
        ["lower"] = (run, value, _) => Members.Like(value, Characters.Lower(run.Checked(Printing.Text(value, run)))),
        ["capitalize"] = (run, value, _) => Members.Like(value, Characters.Capitalized(run.Checked(Printing.Text(value, run)))),
        ["title"] = (run, value, _) => Title(run.Checked(Printing.Text(value, run))),
        ["replace"] = (run, value, given) =>
        {
            object?[] values = given.Bind("replace", "old", "new", "count");
            object? count = Arguments.Or(values[2], null);
            return TextMethods.Replaced(run, Printing.Text(value, run),
                Printing.Text(Arguments.Required(values[0], "replace", "old"), run),
                Printing.Text(Arguments.Required(values[1], "replace", "new"), run),
                count is null ? -1 : Comparison.ToLong(count));
        },
        ["indent"] = Indent,
        ["center"] = (run, value, given) => Method(run, value, "center", new Arguments([Arguments.Whole(given.Bind("center", "width")[0], 80)], [])),
        ["truncate"] = Truncate,
        ["wordcount"] = (run, value, _) => (long)((Sequence)Method(run, value, "split", Arguments.None)!).Items.Length,
        ["format"] = (run, value, given) => Formatting.Percent(Printing.Text(value, run), new Sequence(given.Positional, SequenceKind.Tuple), run),
        ["urlencode"] = (run, value, _) => Kinds.IsText(value) ? Encoded(Printing.Text(value, run))
            : throw TemplateError.Unsupported($"urlencode of '{Kinds.NameOf(value)}'"),
        ["default"] = Default,
        ["d"] = Default,
        ["int"] = Int,
        ["float"] = (run, value, given) => Real(value) ?? Arguments.Or(given.Bind("float", "default")[0], 0.0),
        ["abs"] = (_, value, _) => value switch
        {
            double number => (object)Math.Abs(number),
            long.MinValue => throw new TemplateError("an integer does not fit 64 bits."),
            Undefined missing => throw missing.Error(),
            _ => Math.Abs(Comparison.ToLong(value)),
        },
        ["round"] = Round,
        ["attr"] = (_, value, given) => Arguments.Text(given.Bind("attr", "name")[0], "attr") is var name
            && value is Mapping ? Members.Method(value, name) ?? new Undefined(name, value, hasOwner: true) : Members.Attribute(value, name),
    };

    private static object Soft(object? value, Interpreter run) => value as Markup ?? (object)Printing.Text(value, run);

    private static object Escape(Interpreter run, object? value, Arguments given) =>
        value as Markup ?? new Markup(Markup.Escape(Printing.Text(value, run)));

    private static object? Default(Interpreter run, object? value, Arguments given)
    {
        object?[] values = given.Bind("default", "default_value", "boolean");
        bool isMissing = value is Undefined || (Kinds.IsTrue(Arguments.Or(values[1], false)) && !Kinds.IsTrue(value));
        return isMissing ? Arguments.Or(values[0], "") : value;
    }

    private static object? Method(Interpreter run, object? value, string name, Arguments arguments) =>
        TextMethods.Find(Soft(value, run), name)!.Invoke(run, arguments);

    private static string Title(string text)
    {
        var result = new StringBuilder();
        bool begins = true;
        foreach (char c in text)
        {
            result.Append(begins ? Characters.Upper(c.ToString()) : Characters.Lower(c.ToString()));
            begins = Characters.IsSpace(c) || c is '-' or '(' or '{' or '[' or '<';
        }
        return result.ToString();
    }

    private static object Indent(Interpreter run, object? value, Arguments given)
    {
        object?[] values = given.Bind("indent", "width", "first", "blank");
        object? width = Arguments.Or(values[0], 4L);
        string indent = Kinds.TextOf(width) ?? new string(' ', (int)Math.Clamp(Comparison.ToLong(width), 0, 10_000));
        bool first = Kinds.IsTrue(Arguments.Or(values[1], false)), blank = Kinds.IsTrue(Arguments.Or(values[2], false));
        var result = new StringBuilder();
        bool isFirst = true;
        foreach (string line in TextMethods.Lines((value is Undefined ? "" : Arguments.Text(value, "indent")) + "\n", keepEnds: false))
        {
            if (!isFirst) result.Append('\n');
            if (isFirst ? first : blank || line.Length > 0) result.Append(indent);
            result.Append(line);
            isFirst = false;
            run.CheckText(result.Length, isNew: false);
        }
        return Members.Like(value, run.Checked(result.ToString()));
    }

    private static object? Truncate(Interpreter run, object? value, Arguments given)
    {
        object?[] values = given.Bind("truncate", "length", "killwords", "end", "leeway");
        long length = Arguments.Whole(values[0], 255);
        string text = Arguments.Text(value, "truncate"), end = Arguments.Text(values[2], "truncate", "...");
        if (length < end.Length) throw new TemplateError("truncate needs a length of at least its end.");
        string[] parts = Characters.Split(run.Checked(text));
        if (parts.Length <= length + (Arguments.Or(values[3], null) is { } leeway ? Comparison.ToLong(leeway) : 5)) return value;
        string cut = string.Concat(parts[..(int)(length - end.Length)]);
        bool kills = Kinds.IsTrue(Arguments.Or(values[1], false));
        int space = cut.LastIndexOf(' ');
        return (kills || space < 0 ? cut : cut[..space]) + end;
    }

    private static string Encoded(string text)
    {
        var result = new StringBuilder();
        foreach (byte b in Encoding.UTF8.GetBytes(text))
        {
            if (char.IsAsciiLetterOrDigit((char)b) || b is (byte)'-' or (byte)'_' or (byte)'.' or (byte)'~' or (byte)'/') result.Append((char)b);
            else result.Append(CultureInfo.InvariantCulture, $"%{b:X2}");
        }
        return result.ToString();
    }

    private static object? Int(Interpreter run, object? value, Arguments given)
    {
        object?[] values = given.Bind("int", "default", "base");
        object? otherwise = Arguments.Or(values[0], 0L);
        if (value is Undefined missing) throw missing.Error();
        if (Kinds.TextOf(value) is { } text)
        {
            if (Arguments.Whole(values[1], 10) != 10) throw TemplateError.Unsupported("int with another base than 10");
            string digits = TextMethods.Stripped(text, null).Replace("_", "", StringComparison.Ordinal);
            if (BigInteger.TryParse(digits.Length <= 30 ? digits : "", NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out BigInteger whole))
                return whole >= long.MinValue && whole <= long.MaxValue ? (long)whole : throw new TemplateError("an integer does not fit 64 bits.");
        }
        if (value is bool or long) return Comparison.ToLong(value);
        if (value is BigInteger) return value;
        if (Real(value) is not { } number || !double.IsFinite(number)) return otherwise;
        return Math.Abs(number) < 9.2e18 ? (long)number : throw new TemplateError("an integer does not fit 64 bits.");
    }

    /// <summary>Python's <c>float(value)</c>, or null where it fails.</summary>
    private static double? Real(object? value)
    {
        if (value is Undefined missing) throw missing.Error();
        if (Kinds.IsNumber(value)) return Comparison.ToDouble(value);
        if (Kinds.TextOf(value) is not { } text) return null;
        string stripped = TextMethods.Stripped(text, null).Replace("_", "", StringComparison.Ordinal);
        string word = stripped.TrimStart('+', '-').ToUpperInvariant();
        if (word is "INF" or "INFINITY") return stripped.StartsWith('-') ? double.NegativeInfinity : double.PositiveInfinity;
        if (word is "NAN") return double.NaN;
        return double.TryParse(stripped, NumberStyles.AllowLeadingSign | NumberStyles.AllowDecimalPoint | NumberStyles.AllowExponent,
            CultureInfo.InvariantCulture, out double number) ? number : null;
    }

    private static object? Round(Interpreter run, object? value, Arguments given)
    {
        object?[] values = given.Bind("round", "precision", "method");
        long precision = Arguments.Whole(values[0], 0);
        string method = Arguments.Text(values[1], "round", "common");
        if (precision is < 0 or > 15) throw TemplateError.Unsupported($"round to {precision} places");
        if (method == "common")
            return value is bool or long ? (object)Comparison.ToLong(value) : Math.Round(Number(value), (int)precision, MidpointRounding.ToEven);
        double scale = Math.Pow(10, precision), number = Number(value);
        return method switch
        {
            "ceil" => Math.Ceiling(number * scale) / scale,
            "floor" => Math.Floor(number * scale) / scale,
            _ => throw new TemplateError("round's method is 'common', 'ceil' or 'floor'."),
        };
    }

    private static double Number(object? value) => value is Undefined missing ? throw missing.Error() : Comparison.ToDouble(value);
}
