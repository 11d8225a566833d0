using System.Globalization;
using System.Numerics;
using System.Text;

namespace Finery.Data.Tokenizers.Jinja;

/// <summary>Python's <c>str</c> and <c>repr</c>.</summary>
internal static class Printing
{
    /// <summary>What <c>{{ value }}</c> prints.</summary>
    public static string Text(object? value, Interpreter run)
    {
        if (value is string text) return text;
        if (value is Markup markup) return markup.Text;
        if (value is Undefined) return "";
        var output = new StringBuilder();
        Append(output, value, run);
        return output.ToString();
    }

    public static string Repr(object? value, Interpreter run)
    {
        var output = new StringBuilder();
        Append(output, value, run);
        return output.ToString();
    }

    private static void Append(StringBuilder output, object? value, Interpreter run)
    {
        run.Charge(1);
        switch (value)
        {
            case null: output.Append("None"); break;
            case bool flag: output.Append(flag ? "True" : "False"); break;
            case long number: output.Append(CultureInfo.InvariantCulture, $"{number}"); break;
            case BigInteger big: output.Append(CultureInfo.InvariantCulture, $"{big}"); break;
            case double number: output.Append(Number(number)); break;
            case string text: Quote(output, text); break;
            case Markup markup:
                output.Append("Markup(");
                Quote(output, markup.Text);
                output.Append(')');
                break;
            case Sequence { Kind: SequenceKind.Tuple } tuple: AppendItems(output, "(", tuple.Items, tuple.Items.Length == 1 ? ",)" : ")", run); break;
            case Sequence { Kind: SequenceKind.Range } range: output.Append(Range(range)); break;
            case Sequence { Kind: SequenceKind.View } view: AppendItems(output, "dict_view([", view.Items, "])", run); break;
            case Sequence list: AppendItems(output, "[", list.Items, "]", run); break;
            case Mapping map: AppendPairs(output, map, run); break;
            case Undefined: output.Append("Undefined"); break;
            case Callable callable: output.Append($"<function {callable.Name}>"); break;
            case LoopState loop: output.Append(CultureInfo.InvariantCulture, $"<LoopContext {loop.Index0 + 1}/{loop.Count}>"); break;
            default: output.Append($"<{Kinds.NameOf(value)}>"); break;
        }
        run.CheckText(output.Length, isNew: false);
    }

    private static string Range(Sequence range)
    {
        long start = range.Items.Length > 0 ? (long)range.Items[0]! : 0;
        long step = range.Items.Length > 1 ? (long)range.Items[1]! - start : 1;
        long stop = start + (step * range.Items.Length);
        return string.Create(CultureInfo.InvariantCulture, $"range({start}, {stop}{(step == 1 ? "" : $", {step}")})");
    }

    private static void AppendItems(StringBuilder output, string open, object?[] items, string close, Interpreter run)
    {
        output.Append(open);
        for (int i = 0; i < items.Length; i++)
        {
            if (i > 0) output.Append(", ");
            Append(output, items[i], run);
        }
        output.Append(close);
    }

    private static void AppendPairs(StringBuilder output, Mapping map, Interpreter run)
    {
        output.Append('{');
        for (int i = 0; i < map.Count; i++)
        {
            if (i > 0) output.Append(", ");
            Append(output, map.Keys[i], run);
            output.Append(": ");
            Append(output, map.Values[i], run);
        }
        output.Append('}');
    }

    /// <summary>Shortest digits that read back the same, in Python's form: 1.0, 1e+16, 1e-05.</summary>
    public static string Number(double value)
    {
        if (double.IsNaN(value)) return "nan";
        if (double.IsInfinity(value)) return value > 0 ? "inf" : "-inf";
        string digits = value.ToString("R", CultureInfo.InvariantCulture);
        int e = digits.IndexOf('E', StringComparison.Ordinal);
        string mantissa = e < 0 ? digits : digits[..e];
        bool isNegative = mantissa[0] == '-';
        int point = mantissa.IndexOf('.', StringComparison.Ordinal);
        string significant = mantissa.TrimStart('-').Replace(".", "", StringComparison.Ordinal).TrimStart('0').TrimEnd('0');
        if (significant.Length == 0) significant = "0";
        int exponent = e >= 0 ? int.Parse(digits.AsSpan(e + 1), CultureInfo.InvariantCulture) : PlainExponent(mantissa.TrimStart('-'));
        string body;
        if (exponent is < -4 or >= 16)
        {
            string fraction = significant.Length > 1 ? "." + significant[1..] : "";
            body = string.Create(CultureInfo.InvariantCulture,
                $"{significant[0]}{fraction}e{(exponent < 0 ? '-' : '+')}{Math.Abs(exponent):00}");
        }
        else if (e < 0)
        {
            body = (isNegative ? mantissa[1..] : mantissa) + (point < 0 ? ".0" : "");
            isNegative = isNegative && body.Length > 0;
        }
        else if (exponent < 0)
        {
            body = "0." + new string('0', -exponent - 1) + significant;
        }
        else
        {
            string padded = significant.PadRight(exponent + 1, '0');
            body = padded[..(exponent + 1)] + "." + (padded.Length > exponent + 1 ? padded[(exponent + 1)..] : "0");
        }
        return isNegative ? "-" + body : body;
    }

    /// <summary>Power of ten of the first digit that is not 0.</summary>
    private static int PlainExponent(string digits)
    {
        int point = digits.IndexOf('.', StringComparison.Ordinal);
        int first = digits.AsSpan().IndexOfAnyInRange('1', '9');
        if (first < 0) return 0;
        if (point < 0) point = digits.Length;
        return first < point ? point - 1 - first : point - first;
    }

    private static void Quote(StringBuilder output, string text)
    {
        char quote = text.Contains('\'', StringComparison.Ordinal) && !text.Contains('"', StringComparison.Ordinal) ? '"' : '\'';
        output.Append(quote);
        foreach (Rune rune in text.EnumerateRunes())
        {
            int code = rune.Value;
            if (code == quote || code == '\\') output.Append('\\').Append((char)code);
            else if (code == '\n') output.Append("\\n");
            else if (code == '\r') output.Append("\\r");
            else if (code == '\t') output.Append("\\t");
            else if (code is >= ' ' and < 127 || (code > 127 && Characters.IsPrintable(rune))) output.Append(rune.ToString());
            else if (code < 0x100) output.Append(CultureInfo.InvariantCulture, $"\\x{code:x2}");
            else if (code < 0x10000) output.Append(CultureInfo.InvariantCulture, $"\\u{code:x4}");
            else output.Append(CultureInfo.InvariantCulture, $"\\U{code:x8}");
        }
        output.Append(quote);
    }
}
