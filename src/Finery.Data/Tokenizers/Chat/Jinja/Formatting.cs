using System.Globalization;
using System.Text;

namespace Finery.Data.Tokenizers.Jinja;

/// <summary>Python's two old ways to put values into text: <c>"%s" % value</c> and <c>"{}".format(value)</c>. Of their many
/// options those that chat templates could need; others are refused by name.</summary>
internal static class Formatting
{
    public static string Percent(string format, object? values, Interpreter run)
    {
        var result = new StringBuilder();
        object?[] items = values is Sequence { Kind: SequenceKind.Tuple } tuple ? tuple.Items : [values];
        int used = 0;
        for (int i = 0; i < format.Length; i++)
        {
            if (format[i] != '%')
            {
                result.Append(format[i]);
                continue;
            }
            if (++i >= format.Length) throw new TemplateError("the format ends after '%'.");
            if (format[i] == '%')
            {
                result.Append('%');
                continue;
            }
            object? value = null;
            if (format[i] == '(')
            {
                int close = format.IndexOf(')', i);
                if (close < 0 || values is not Mapping map || !map.TryGet(format[(i + 1)..close], out value))
                    throw new TemplateError("the format names a value that is not there.");
                i = close + 1;
                used = items.Length;
            }
            else if (used < items.Length)
            {
                value = items[used++];
            }
            else
            {
                throw new TemplateError("the format needs more values.");
            }
            int start = i;
            while (i < format.Length && (char.IsAsciiDigit(format[i]) || format[i] is '.' or '-' or '0' or '+' or ' ')) i++;
            if (i >= format.Length) throw new TemplateError("the format ends after '%'.");
            result.Append(One(format[i], format[start..i], value, run));
            run.CheckText(result.Length, isNew: false);
        }
        if (used < items.Length && values is not Mapping) throw new TemplateError("the format takes fewer values.");
        return run.Checked(result.ToString());
    }

    private static string One(char kind, string options, object? value, Interpreter run)
    {
        if (value is Undefined missing && kind is not ('s' or 'r')) throw missing.Error();
        int point = options.IndexOf('.', StringComparison.Ordinal);
        string width = point < 0 ? options : options[..point];
        int? precision = point < 0 ? null : Digits(options[(point + 1)..]);
        string text = kind switch
        {
            's' => Cut(Printing.Text(value, run), precision),
            'r' => Cut(Printing.Repr(value, run), precision),
            'd' or 'i' => value is double real ? Math.Truncate(real).ToString("F0", CultureInfo.InvariantCulture)
                : Comparison.ToLong(value).ToString(CultureInfo.InvariantCulture),
            'f' or 'F' => Comparison.ToDouble(value).ToString($"F{precision ?? 6}", CultureInfo.InvariantCulture),
            'x' => Comparison.ToLong(value).ToString("x", CultureInfo.InvariantCulture),
            _ => throw TemplateError.Unsupported($"The format '%{options}{kind}'"),
        };
        bool isLeft = width.StartsWith('-');
        bool isZero = width.StartsWith('0') && kind is not ('s' or 'r');
        int size = Digits(width.TrimStart('-'));
        if (isLeft) return text.PadRight(size);
        if (!isZero || text.Length >= size) return text.PadLeft(size);
        return text.StartsWith('-') ? "-" + text[1..].PadLeft(size - 1, '0') : text.PadLeft(size, '0');
    }

    private static string Cut(string text, int? precision) => precision is { } length && length < text.Length ? text[..length] : text;

    private static int Digits(string text) => text.Length == 0 ? 0
        : int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int value) && value <= 1000 ? value
        : throw TemplateError.Unsupported($"The format option '{text}'");

    /// <summary><c>{}</c>, <c>{0}</c> and <c>{name}</c>, without options; doubled braces stand for themselves.</summary>
    public static string Braces(string format, Arguments given, Interpreter run)
    {
        var result = new StringBuilder();
        int next = 0;
        for (int i = 0; i < format.Length; i++)
        {
            char c = format[i];
            if (c is not ('{' or '}'))
            {
                result.Append(c);
                continue;
            }
            if (i + 1 < format.Length && format[i + 1] == c)
            {
                result.Append(c);
                i++;
                continue;
            }
            int close = format.IndexOf('}', i);
            if (c == '}' || close < 0) throw new TemplateError("the format has a single brace.");
            string field = format[(i + 1)..close];
            if (field.AsSpan().ContainsAny("!:.[")) throw TemplateError.Unsupported($"The format field '{{{field}}}'");
            result.Append(Printing.Text(Field(field, given, ref next), run));
            run.CheckText(result.Length, isNew: false);
            i = close;
        }
        return run.Checked(result.ToString());
    }

    private static object? Field(string field, Arguments given, ref int next)
    {
        if (field.Length == 0) field = (next++).ToString(CultureInfo.InvariantCulture);
        if (int.TryParse(field, NumberStyles.None, CultureInfo.InvariantCulture, out int index))
            return index < given.Positional.Length ? given.Positional[index] : throw new TemplateError("the format needs more values.");
        foreach (var (name, value) in given.Named)
        {
            if (name == field) return value;
        }
        throw new TemplateError($"the format names '{field}', which is not there.");
    }
}
