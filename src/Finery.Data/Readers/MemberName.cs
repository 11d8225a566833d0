using System.Collections.Frozen;
using System.Text;

namespace Finery.Data.Readers;

/// <summary>
/// A documentation comment id (C# specification, annex D: <c>M:System.String.Join(System.String,System.Object[])</c>) taken
/// apart into names that people write.
/// </summary>
/// <param name="Kind">type, method, property, field, event, constructor, operator or namespace.</param>
/// <param name="Namespace">Dotted, empty for the global one.</param>
/// <param name="Type">Declaring type with generics (<c>List&lt;T&gt;.Enumerator</c>); of a type, itself; else empty.</param>
/// <param name="ShortName">Type and member: <c>String.Join</c>, <c>StringBuilder constructor</c>.</param>
internal sealed record MemberName(string Kind, string Namespace, string Type, string ShortName)
{
    private static readonly FrozenDictionary<string, string> s_operators = new Dictionary<string, string>
    {
        ["op_Addition"] = "addition (+) operator", ["op_Subtraction"] = "subtraction (-) operator",
        ["op_Multiply"] = "multiplication (*) operator", ["op_Division"] = "division (/) operator",
        ["op_Modulus"] = "remainder (%) operator", ["op_BitwiseAnd"] = "bitwise and (&) operator",
        ["op_BitwiseOr"] = "bitwise or (|) operator", ["op_ExclusiveOr"] = "exclusive or (^) operator",
        ["op_OnesComplement"] = "ones complement (~) operator", ["op_LogicalNot"] = "logical not (!) operator",
        ["op_Equality"] = "equality (==) operator", ["op_Inequality"] = "inequality (!=) operator",
        ["op_LessThan"] = "less than (<) operator", ["op_LessThanOrEqual"] = "less than or equal (<=) operator",
        ["op_GreaterThan"] = "greater than (>) operator", ["op_GreaterThanOrEqual"] = "greater than or equal (>=) operator",
        ["op_LeftShift"] = "left shift (<<) operator", ["op_RightShift"] = "right shift (>>) operator",
        ["op_UnsignedRightShift"] = "unsigned right shift (>>>) operator",
        ["op_UnaryNegation"] = "unary negation (-) operator", ["op_UnaryPlus"] = "unary plus (+) operator",
        ["op_Increment"] = "increment (++) operator", ["op_Decrement"] = "decrement (--) operator",
        ["op_True"] = "true operator", ["op_False"] = "false operator",
        ["op_Implicit"] = "implicit conversion", ["op_Explicit"] = "explicit conversion",
    }.ToFrozenDictionary(StringComparer.Ordinal);

    /// <summary>Namespace and short name: what all overloads have in common and nothing else has.</summary>
    public string QualifiedName => Namespace.Length == 0 || Kind == "namespace" ? ShortName : $"{Namespace}.{ShortName}";

    /// <param name="id">With its kind prefix.</param>
    /// <param name="types">Known types, for telling namespaces from nesting and for the names of type parameters.</param>
    public static MemberName Parse(string id, TypeNames types)
    {
        var prefix = id.Length > 2 && id[1] == ':' ? id[0] : 'T';
        var path = Path(id);
        if (prefix == 'N')
            return new("namespace", path, "", path);
        if (prefix == 'T')
        {
            var (space, type) = SplitType(path, types);
            return new("type", space, type, type);
        }
        var dot = LastDot(path);
        var member = path[(dot + 1)..];
        var (ns, declaring) = SplitType(dot < 0 ? "" : path[..dot], types);
        var tick = member.IndexOf('`');
        var bare = tick < 0 ? member : member[..tick];
        var kind = prefix switch { 'P' => "property", 'F' => "field", 'E' => "event", _ => "method" };
        if (bare is "#ctor" or "#cctor")
            return new("constructor", ns, declaring, declaring + (bare == "#ctor" ? " constructor" : " static constructor"));
        if (s_operators.TryGetValue(Unchecked(bare, out var isChecked), out var spoken))
            return new("operator", ns, declaring,
                $"{declaring} {(isChecked ? "checked " : "")}{spoken}{ConversionOf(id, bare, path[..dot], types)}");
        var readable = bare.Contains('#') ? ExplicitName(bare) : bare;
        return new(kind, ns, declaring, declaring.Length == 0 ? readable : $"{declaring}.{readable}");
    }

    /// <summary>The text a reference to this id reads as: type alone, or type and member.</summary>
    public static string Reference(string id, TypeNames types)
    {
        if (id.StartsWith("Overload:", StringComparison.Ordinal))
            id = "M:" + id["Overload:".Length..];
        if (id.Length > 2 && id[1] == ':' && id[0] == '!')
            id = "T:" + id[2..];
        return Parse(id, types).ShortName;
    }

    /// <summary>What precedes parameters and return type, without the prefix.</summary>
    private static string Path(string id)
    {
        var start = id.Length > 2 && id[1] == ':' ? 2 : 0;
        var end = id.AsSpan(start).IndexOfAny('(', '~');
        return end < 0 ? id[start..] : id.Substring(start, end);
    }

    private static string Unchecked(string name, out bool isChecked)
    {
        isChecked = name.StartsWith("op_Checked", StringComparison.Ordinal);
        return isChecked ? "op_" + name["op_Checked".Length..] : name;
    }

    private static string ConversionOf(string id, string name, string declaringPath, TypeNames types)
    {
        var open = id.IndexOf('(');
        var close = id.LastIndexOf(")~", StringComparison.Ordinal);
        if (!(name.EndsWith("plicit", StringComparison.Ordinal) && open > 0 && close > open))
            return "";
        var from = id[(open + 1)..close];
        return from.StartsWith(declaringPath, StringComparison.Ordinal)
            ? " to " + ParameterType(id[(close + 2)..], types)
            : " from " + ParameterType(from, types);
    }

    /// <summary>A type in a signature: <c>System.Nullable{System.Int32}[]</c> becomes <c>Nullable&lt;Int32&gt;[]</c>.</summary>
    private static string ParameterType(string type, TypeNames types)
    {
        var open = type.IndexOf('{');
        if (open >= 0)
            return ExplicitName(type);
        var end = type.AsSpan().IndexOfAny('[', '*', '@');
        if (type.StartsWith('`'))
            return "T";
        return end < 0 ? SplitType(type, types).Type : SplitType(type[..end], types).Type + type[end..].TrimEnd('@');
    }

    /// <summary>
    /// <c>System#Collections#Generic#IList{System#String}#Item</c> to <c>IList&lt;String&gt;.Item</c>: of each dotted run only
    /// the last name is kept, of a name without brackets the last two (interface and member).
    /// </summary>
    private static string ExplicitName(string name)
    {
        var text = new StringBuilder();
        var run = new List<string> { "" };
        foreach (var c in name)
        {
            switch (c)
            {
                case '#' or '.':
                    run.Add("");
                    break;
                case '{':
                    text.Append(run[^1]).Append('<');
                    run = [""];
                    break;
                case ',' or '@':
                    text.Append(run[^1]).Append(", ");
                    run = [""];
                    break;
                case '}':
                    text.Append(run[^1]).Append('>');
                    run = [""];
                    break;
                case '`':
                    break;
                default:
                    run[^1] += c;
                    break;
            }
        }
        if (text.Length == 0)
            return string.Join('.', run.Count > 1 ? run[^2..] : run);
        var last = s_operators.GetValueOrDefault(run[^1], run[^1]);
        return last.Length == 0 ? text.ToString() : text.Append(char.IsLetter(last[0]) ? "." : "").Append(last).ToString();
    }

    private static (string Namespace, string Type) SplitType(string path, TypeNames types)
    {
        if (path.Length == 0)
            return ("", "");
        // The outermost type is the first prefix that is a known type or carries an arity; failing both, the last name.
        for (var end = 0; end < path.Length;)
        {
            var next = path.IndexOf('.', end);
            var prefix = next < 0 ? path : path[..next];
            if (next < 0 || types.IsKnown(prefix) || prefix.AsSpan(end).Contains('`'))
            {
                var parts = new List<string>();
                for (var from = end; ; from = next + 1, next = path.IndexOf('.', from))
                {
                    parts.Add(types.Display(next < 0 ? path : path[..next], next < 0 ? path[from..] : path[from..next]));
                    if (next < 0)
                        return (end == 0 ? "" : path[..(end - 1)], string.Join('.', parts));
                }
            }
            end = next + 1;
        }
        return ("", path);
    }

    private static int LastDot(string path)
    {
        var depth = 0;
        for (var i = path.Length - 1; i >= 0; i--)
        {
            if (path[i] == '}')
                depth++;
            else if (path[i] == '{')
                depth--;
            else if (path[i] == '.' && depth == 0)
                return i;
        }
        return -1;
    }
}
