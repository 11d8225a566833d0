using System.Globalization;
using System.Text;

namespace Finery.Data.Tokenizers.Jinja;

/// <summary>Functions every template has.</summary>
internal static class Globals
{
    /// <summary>The sandbox's limit.</summary>
    private const long MaxRange = 100_000;

    public static readonly Dictionary<string, object?> All = new Callable[]
    {
        new("range", Range),
        new("namespace", MakeNamespace),
        new("dict", (_, given) => Mapping.OfDistinct(
            [.. Only(given, "dict").Named.Select(pair => (object)pair.Name)], [.. given.Named.Select(pair => pair.Value)])),
        new("raise_exception", (run, given) => throw new TemplateError(
            Printing.Text(Arguments.Required(given.Bind("raise_exception", "message")[0], "raise_exception", "message"), run), TemplateErrorKind.Raised)),
        new("strftime_now", (run, given) => Time(run.Clock.GetLocalNow(), Arguments.Text(given.Bind("strftime_now", "format")[0], "strftime_now"))),
    }.ToDictionary(callable => callable.Name, object? (callable) => callable, StringComparer.Ordinal);

    private static Arguments Only(Arguments given, string name) => given.Positional.Length == 0 ? given
        : throw TemplateError.Unsupported($"{name} with a positional argument");

    private static Sequence Range(Interpreter run, Arguments given)
    {
        if (given.Named.Length > 0 || given.Positional.Length is 0 or > 3)
            throw new TemplateError("range takes one to three arguments, none by name.");
        long[] values = Array.ConvertAll(given.Positional, Comparison.ToLong);
        (long start, long stop) = values.Length == 1 ? (0, values[0]) : (values[0], values[1]);
        long step = values.Length == 3 ? values[2] : 1;
        if (step == 0) throw new TemplateError("the step of a range cannot be 0.");
        Int128 count = step > 0 ? (((Int128)stop - start) + step - 1) / step : (((Int128)start - stop) - step - 1) / -(Int128)step;
        if (count > MaxRange) throw new TemplateError($"a range of more than {MaxRange:N0} numbers is not allowed.");
        var items = new object?[count > 0 ? (int)count : 0];
        run.Charge(items.Length);
        for (int i = 0; i < items.Length; i++) items[i] = start + (i * step);
        return new Sequence(items, SequenceKind.Range);
    }

    private static Namespace MakeNamespace(Interpreter run, Arguments given)
    {
        var space = new Namespace();
        foreach (object? source in given.Positional)
        {
            if (source is not Mapping map) throw new TemplateError("namespace takes a mapping and named values.");
            for (int i = 0; i < map.Count; i++) space.Fields[Printing.Text(map.Keys[i], run)] = map.Values[i];
        }
        foreach (var (name, value) in given.Named) space.Fields[name] = value;
        return space;
    }

    /// <summary>C's <c>strftime</c> with English names.</summary>
    private static string Time(DateTimeOffset now, string format)
    {
        var result = new StringBuilder();
        for (int i = 0; i < format.Length; i++)
        {
            if (format[i] != '%' || i + 1 == format.Length)
            {
                result.Append(format[i]);
                continue;
            }
            bool isUnpadded = format[++i] == '-' && i + 1 < format.Length;
            if (isUnpadded) i++;
            string part = Field(now, format[i]);
            result.Append(isUnpadded && part.Length > 1 ? part.TrimStart('0') is { Length: > 0 } number ? number : "0" : part);
        }
        return result.ToString();
    }

    private static string Field(DateTimeOffset now, char code)
    {
        string? net = code switch
        {
            'Y' => "yyyy", 'y' => "yy", 'm' => "MM", 'd' => "dd", 'H' => "HH", 'I' => "hh", 'M' => "mm", 'S' => "ss",
            'f' => "ffffff", 'B' => "MMMM", 'b' or 'h' => "MMM", 'A' => "dddd", 'a' => "ddd", 'p' => "tt",
            'F' => "yyyy-MM-dd", 'T' or 'X' => "HH:mm:ss", 'R' => "HH:mm", 'D' or 'x' => "MM/dd/yy", 'c' => "ddd MMM d HH:mm:ss yyyy",
            _ => null,
        };
        if (code == 'c')
            return now.ToString("ddd MMM ", CultureInfo.InvariantCulture) + $"{now.Day,2}" + now.ToString(" HH:mm:ss yyyy", CultureInfo.InvariantCulture);
        // A format of one letter would be a standard one; these all have two or more.
        if (net is not null) return now.ToString(net, CultureInfo.InvariantCulture);
        return code switch
        {
            '%' => "%",
            'n' => "\n",
            't' => "\t",
            'e' => $"{now.Day,2}",
            'j' => now.DayOfYear.ToString("000", CultureInfo.InvariantCulture),
            'w' => ((int)now.DayOfWeek).ToString(CultureInfo.InvariantCulture),
            'u' => ((((int)now.DayOfWeek + 6) % 7) + 1).ToString(CultureInfo.InvariantCulture),
            's' => now.ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture),
            // Python's datetime.now() knows no zone.
            'z' or 'Z' => "",
            _ => throw TemplateError.Unsupported($"The time format '%{code}'"),
        };
    }
}
