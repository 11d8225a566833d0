using System.Numerics;

namespace Finery.Data.Tokenizers.Jinja;

/// <summary>Equality, order and membership as in Python.</summary>
internal static class Comparison
{
    /// <summary>What comparing with "not a number" gives: neither less, equal nor greater.</summary>
    public const int Unordered = 2;

    /// <summary>Never an error: unlike things are unequal.</summary>
    /// <param name="left">One.</param>
    /// <param name="right">The other.</param>
    /// <param name="run">Pays for containers; null where they are known to be small.</param>
    public static bool AreEqual(object? left, object? right, Interpreter? run)
    {
        if (Kinds.TextOf(left) is { } text)
        {
            if (Kinds.TextOf(right) is not { } other) return false;
            if (text.Length == other.Length) run?.Charge(text.Length >> 8);
            return text == other;
        }
        if (Kinds.IsNumber(left)) return Kinds.IsNumber(right) && CompareNumbers(left!, right!) == 0;
        run?.Charge(1);
        return (left, right) switch
        {
            (Sequence a, Sequence b) => a.Kind == b.Kind && AreEqual(a.Items, b.Items, run),
            (Mapping a, Mapping b) => AreEqual(a, b, run),
            (Undefined, Undefined) => true,
            _ => ReferenceEquals(left, right),
        };
    }

    private static bool AreEqual(object?[] left, object?[] right, Interpreter? run)
    {
        if (left.Length != right.Length) return false;
        for (int i = 0; i < left.Length; i++)
        {
            if (!AreEqual(left[i], right[i], run)) return false;
        }
        return true;
    }

    private static bool AreEqual(Mapping left, Mapping right, Interpreter? run)
    {
        if (left.Count != right.Count) return false;
        for (int i = 0; i < left.Count; i++)
        {
            if (!right.TryGet(left.Keys[i], out object? other) || !AreEqual(left.Values[i], other, run)) return false;
        }
        return true;
    }

    /// <summary>Negative, zero or positive; an error for things without an order.</summary>
    public static int Compare(object? left, object? right, Interpreter run, string sign = "<")
    {
        run.Charge(1);
        if (Kinds.IsNumber(left) && Kinds.IsNumber(right)) return CompareNumbers(left!, right!);
        if (Kinds.TextOf(left) is { } a && Kinds.TextOf(right) is { } b) return Math.Sign(Characters.Compare(a, b));
        if (left is Sequence { Kind: SequenceKind.List or SequenceKind.Tuple } x && right is Sequence y && x.Kind == y.Kind)
        {
            for (int i = 0; i < Math.Min(x.Items.Length, y.Items.Length); i++)
            {
                if (!AreEqual(x.Items[i], y.Items[i], run)) return Compare(x.Items[i], y.Items[i], run, sign);
            }
            return x.Items.Length.CompareTo(y.Items.Length);
        }
        if (left is Undefined missing) throw missing.Error();
        if (right is Undefined absent) throw absent.Error();
        throw new TemplateError(
            $"'{sign}' is not possible between '{Kinds.NameOf(left)}' and '{Kinds.NameOf(right)}'.");
    }

    private static int CompareNumbers(object left, object right)
    {
        if (left is BigInteger || right is BigInteger)
        {
            if (left is double or BigInteger && right is double or BigInteger && (left is double || right is double))
                return ToDouble(left).CompareTo(ToDouble(right));
            return ToBig(left).CompareTo(ToBig(right));
        }
        if (left is double || right is double)
        {
            double a = ToDouble(left), b = ToDouble(right);
            return a < b ? -1 : a > b ? 1 : a == b ? 0 : Unordered;
        }
        return ToLong(left).CompareTo(ToLong(right));
    }

    private static BigInteger ToBig(object value) => value switch
    {
        BigInteger big => big,
        double number => double.IsFinite(number) ? new BigInteger(number) : 0,
        _ => ToLong(value),
    };

    public static double ToDouble(object? value) => value switch
    {
        double number => number,
        long number => number,
        bool flag => flag ? 1 : 0,
        BigInteger big => (double)big,
        _ => throw new TemplateError($"a number is needed, not '{Kinds.NameOf(value)}'."),
    };

    public static long ToLong(object? value) => value switch
    {
        long number => number,
        bool flag => flag ? 1 : 0,
        Undefined missing => throw missing.Error(),
        BigInteger => throw new TemplateError("an integer does not fit 64 bits."),
        _ => throw new TemplateError($"an integer is needed, not '{Kinds.NameOf(value)}'."),
    };

    /// <summary>Python's <c>in</c>.</summary>
    public static bool Contains(object? container, object? item, Interpreter run)
    {
        switch (container)
        {
            case string or Markup:
                string text = Kinds.TextOf(container)!;
                run.Charge(text.Length >> 6);
                return Kinds.TextOf(item) is { } part ? text.Contains(part, StringComparison.Ordinal)
                    : item is Undefined missing ? throw missing.Error()
                    : throw new TemplateError($"'in' a string needs a string, not '{Kinds.NameOf(item)}'.");
            case Mapping map:
                return KeyComparer.CanBeKey(item) ? map.TryGet(item, out _)
                    : throw new TemplateError($"'{Kinds.NameOf(item)}' cannot be a key.");
            case Stream stream:
                while (stream.TryNext(out object? next))
                {
                    if (AreEqual(next, item, run)) return true;
                }
                return false;
            case Sequence list:
                run.Charge(list.Items.Length);
                foreach (object? element in list.Items)
                {
                    if (AreEqual(element, item, run)) return true;
                }
                return false;
            case Undefined:
                return false;
            default:
                throw new TemplateError($"'in' needs something to look in, not '{Kinds.NameOf(container)}'.");
        }
    }

    /// <summary>A stable sort; errors of the comparison come out as they are.</summary>
    public static object?[] Sorted(object?[] items, Func<object?, object?> key, Interpreter run, bool reverse = false)
    {
        object?[] keys = [.. items.Select(key)];
        var order = Comparer<int>.Create((a, b) => Compare(keys[a], keys[b], run));
        var indexes = Enumerable.Range(0, items.Length);
        try
        {
            return [.. (reverse ? indexes.OrderDescending(order) : indexes.Order(order)).Select(i => items[i])];
        }
        catch (InvalidOperationException problem) when (problem.InnerException is TemplateError inner)
        {
            throw new TemplateError(inner.Message, inner.Kind, inner.At);
        }
    }
}
