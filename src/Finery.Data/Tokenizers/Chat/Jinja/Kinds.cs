using System.Numerics;

namespace Finery.Data.Tokenizers.Jinja;

/// <summary>What a value is: its Python type and truth, and its items.</summary>
internal static class Kinds
{
    public static string NameOf(object? value) => value switch
    {
        null => "None",
        bool => "bool",
        long or BigInteger => "int",
        double => "float",
        string => "str",
        Markup => "Markup",
        Sequence { Kind: SequenceKind.List } => "list",
        Sequence { Kind: SequenceKind.Tuple } => "tuple",
        Sequence { Kind: SequenceKind.Range } => "range",
        Sequence => "dict view",
        Mapping => "dict",
        Stream => "generator",
        Namespace => "Namespace",
        LoopState => "LoopContext",
        Undefined => "Undefined",
        _ => "function",
    };

    public static bool IsTrue(object? value) => value switch
    {
        null or Undefined => false,
        bool flag => flag,
        string text => text.Length > 0,
        long number => number != 0,
        double number => number != 0,
        BigInteger number => !number.IsZero,
        Markup markup => markup.Text.Length > 0,
        Sequence list => list.Items.Length > 0,
        Mapping map => map.Count > 0,
        _ => true,
    };

    public static bool IsText(object? value) => value is string or Markup;

    /// <summary>The characters of a string or marked string, else null.</summary>
    public static string? TextOf(object? value) => value as string ?? (value as Markup)?.Text;

    public static bool IsNumber(object? value) => value is bool or long or double or BigInteger;

    /// <summary>Whether a loop over it is possible.</summary>
    public static bool IsIterable(object? value) => value is string or Markup or Sequence or Mapping or Stream or Undefined or LoopState;

    /// <summary>Items in order: of a list its elements, of a mapping its keys, of text its characters, of nothing none.</summary>
    public static object?[] Items(object? value, Interpreter run)
    {
        object?[] items = value switch
        {
            Sequence list => list.Items,
            Mapping map => map.Keys,
            string text => [.. Characters.Split(run.Checked(text))],
            Markup markup => [.. Characters.Split(run.Checked(markup.Text)).Select(part => new Markup(part))],
            Stream stream => stream.Take(),
            Undefined => [],
            _ => throw new TemplateError($"'{NameOf(value)}' object is not iterable."),
        };
        run.Charge(items.Length);
        return items;
    }

    /// <summary>Python's <c>len</c>.</summary>
    public static long Length(object? value) => value switch
    {
        string text => Characters.Count(text),
        Markup markup => Characters.Count(markup.Text),
        Sequence list => list.Items.Length,
        Mapping map => map.Count,
        Undefined => 0,
        LoopState loop => loop.Count,
        _ => throw new TemplateError($"object of type '{NameOf(value)}' has no length."),
    };
}
