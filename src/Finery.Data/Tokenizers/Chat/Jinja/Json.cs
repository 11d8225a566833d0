using System.Globalization;
using System.Numerics;
using System.Text;

namespace Finery.Data.Tokenizers.Jinja;

/// <summary>Python's <c>json.dumps</c> with <c>ensure_ascii=False</c> unless asked otherwise: the <c>tojson</c> of chat
/// templates. Nothing is escaped for HTML.</summary>
internal sealed class Json
{
    private readonly Interpreter _run;
    private readonly StringBuilder _output = new();
    private readonly string? _indent;
    private readonly string _comma, _colon;
    private readonly bool _ascii, _sort;

    private Json(Interpreter run, string? indent, string? comma, string? colon, bool ascii, bool sort)
    {
        (_run, _indent, _ascii, _sort) = (run, indent, ascii, sort);
        _comma = comma ?? (indent is null ? ", " : ",");
        _colon = colon ?? ": ";
    }

    public static string Write(object? value, Arguments arguments, Interpreter run)
    {
        object?[] given = arguments.Bind("tojson", "ensure_ascii", "indent", "separators", "sort_keys");
        string? indent = Arguments.Or(given[1], null) switch
        {
            null => null,
            string text => text,
            object width => new string(' ', (int)Math.Clamp(Comparison.ToLong(width), 0, 1000)),
        };
        string? comma = null, colon = null;
        if (Arguments.Or(given[2], null) is Sequence { Items: [string first, string second] }) (comma, colon) = (first, second);
        var json = new Json(run, indent, comma, colon, Kinds.IsTrue(Arguments.Or(given[0], false)),
            Kinds.IsTrue(Arguments.Or(given[3], false)));
        json.Append(value, 0);
        return json._output.ToString();
    }

    private void Append(object? value, int depth)
    {
        _run.Charge(1);
        switch (value)
        {
            case null: _output.Append("null"); break;
            case bool flag: _output.Append(flag ? "true" : "false"); break;
            case long or BigInteger: _output.Append(CultureInfo.InvariantCulture, $"{value}"); break;
            case double number: _output.Append(Number(number)); break;
            case string or Markup: Quote(Kinds.TextOf(value)!); break;
            case Sequence { Kind: SequenceKind.List or SequenceKind.Tuple } list: AppendItems(list.Items, depth + 1); break;
            case Mapping map: AppendPairs(map, depth + 1); break;
            default: throw new TemplateError($"Object of type {Kinds.NameOf(value)} is not JSON serializable.");
        }
        _run.CheckText(_output.Length, isNew: false);
    }

    private static string Number(double value) => double.IsNaN(value) ? "NaN" : double.IsInfinity(value)
        ? value > 0 ? "Infinity" : "-Infinity" : Printing.Number(value);

    private void AppendItems(object?[] items, int depth)
    {
        _output.Append('[');
        for (int i = 0; i < items.Length; i++)
        {
            if (i > 0) _output.Append(_comma);
            NewLine(depth);
            Append(items[i], depth);
        }
        if (items.Length > 0) NewLine(depth - 1);
        _output.Append(']');
    }

    private void AppendPairs(Mapping map, int depth)
    {
        _output.Append('{');
        var order = Enumerable.Range(0, map.Count);
        if (_sort) order = [.. Comparison.Sorted([.. order.Select(i => (object)(long)i)], i => map.Keys[(long)i!], _run).Select(i => (int)(long)i!)];
        bool isFirst = true;
        foreach (int i in order)
        {
            if (!isFirst) _output.Append(_comma);
            isFirst = false;
            NewLine(depth);
            Quote(Key(map.Keys[i]));
            _output.Append(_colon);
            Append(map.Values[i], depth);
        }
        if (map.Count > 0) NewLine(depth - 1);
        _output.Append('}');
    }

    private static string Key(object? key) => key switch
    {
        null => "null",
        bool flag => flag ? "true" : "false",
        double number => Number(number),
        long or BigInteger => string.Create(CultureInfo.InvariantCulture, $"{key}"),
        _ => Kinds.TextOf(key) ?? throw new TemplateError($"JSON keys must be text, not {Kinds.NameOf(key)}."),
    };

    private void NewLine(int depth)
    {
        if (_indent is null) return;
        _output.Append('\n');
        for (int i = 0; i < depth; i++) _output.Append(_indent);
    }

    private void Quote(string text)
    {
        _run.CheckText(_output.Length + (long)text.Length, isNew: false);
        _output.Append('"');
        foreach (char c in text)
        {
            switch (c)
            {
                case '"': _output.Append("\\\""); break;
                case '\\': _output.Append("\\\\"); break;
                case '\n': _output.Append("\\n"); break;
                case '\r': _output.Append("\\r"); break;
                case '\t': _output.Append("\\t"); break;
                case '\b': _output.Append("\\b"); break;
                case '\f': _output.Append("\\f"); break;
                default:
                    if (c < ' ' || (_ascii && c > 126 && c != ContentGuard.Mark)) _output.Append(CultureInfo.InvariantCulture, $"\\u{(int)c:x4}");
                    else _output.Append(c);
                    break;
            }
        }
        _output.Append('"');
    }
}
