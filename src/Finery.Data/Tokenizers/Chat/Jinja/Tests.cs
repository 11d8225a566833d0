using System.Collections.Frozen;
using System.Numerics;

namespace Finery.Data.Tokenizers.Jinja;

/// <summary>What stands after <c>is</c>.</summary>
internal delegate bool Test(Interpreter run, object? value, Arguments arguments);

/// <summary>Jinja's tests.</summary>
internal static class Tests
{
    private static readonly FrozenDictionary<string, Test> All = Create().ToFrozenDictionary(StringComparer.Ordinal);

    public static Test? Find(string name) => All.GetValueOrDefault(name);

    private static Dictionary<string, Test> Create()
    {
        var tests = new Dictionary<string, Test>(StringComparer.Ordinal)
        {
            ["defined"] = (_, value, _) => value is not Undefined,
            ["undefined"] = (_, value, _) => value is Undefined,
            ["none"] = (_, value, _) => value is null,
            ["boolean"] = (_, value, _) => value is bool,
            ["true"] = (_, value, _) => value is true,
            ["false"] = (_, value, _) => value is false,
            ["integer"] = (_, value, _) => value is long or BigInteger,
            ["float"] = (_, value, _) => value is double,
            ["number"] = (_, value, _) => Kinds.IsNumber(value),
            ["string"] = (_, value, _) => Kinds.IsText(value),
            ["mapping"] = (_, value, _) => value is Mapping,
            ["iterable"] = (_, value, _) => Kinds.IsIterable(value),
            ["sequence"] = (_, value, _) => value is string or Markup or Mapping or Undefined or Sequence { Kind: not SequenceKind.View },
            ["callable"] = (_, value, _) => value is Callable or Undefined,
            ["escaped"] = (_, value, _) => value is Markup,
            ["odd"] = (run, value, _) => Comparison.AreEqual(Arithmetic.Modulo(value, 2L, run), 1L, run),
            ["even"] = (run, value, _) => Comparison.AreEqual(Arithmetic.Modulo(value, 2L, run), 0L, run),
            ["divisibleby"] = (run, value, given) => Comparison.AreEqual(Arithmetic.Modulo(value, One(given, "divisibleby"), run), 0L, run),
            ["lower"] = (run, value, _) => TextMethods.IsLower(Printing.Text(value, run)),
            ["upper"] = (run, value, _) => TextMethods.IsUpper(Printing.Text(value, run)),
            ["sameas"] = (run, value, given) => One(given, "sameas") is var other
                && (ReferenceEquals(value, other) || (Kinds.NameOf(value) == Kinds.NameOf(other)
                    && value is bool or long or string && Comparison.AreEqual(value, other, run))),
            ["in"] = (run, value, given) => Comparison.Contains(One(given, "in"), value, run),
            ["filter"] = (_, value, _) => value is string name && Filters.Find(name) is not null,
            ["test"] = (_, value, _) => value is string name && Find(name) is not null,
        };
        foreach (var (sign, names) in new[]
        {
            ("==", new[] { "==", "eq", "equalto" }), ("!=", ["!=", "ne"]), (">", [">", "gt", "greaterthan"]), (">=", [">=", "ge"]),
            ("<", ["<", "lt", "lessthan"]), ("<=", ["<=", "le"]),
        })
        {
            foreach (string name in names)
                tests[name] = (run, value, given) => Compared.Holds(sign, value, One(given, name), run);
        }
        return tests;
    }

    private static object? One(Arguments given, string name) => Arguments.Required(given.Bind(name, "other")[0], name, "other");
}
