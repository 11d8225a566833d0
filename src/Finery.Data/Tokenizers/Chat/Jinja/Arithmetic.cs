using System.Numerics;
using System.Text;

namespace Finery.Data.Tokenizers.Jinja;

/// <summary>Operators on numbers, text and lists. Integers have 64 bits: what does not fit is an error, never a wrong
/// number.</summary>
internal static class Arithmetic
{
    public static object? Add(object? left, object? right, Interpreter run)
    {
        if (left is string a && right is string b) return run.Concat(a, b);
        if (left is Markup || right is Markup)
        {
            if (Kinds.IsText(left) && Kinds.IsText(right)) return new Markup(run.Concat(Escaped(left), Escaped(right)));
        }
        else if (left is Sequence { Kind: SequenceKind.List or SequenceKind.Tuple } x && right is Sequence y && x.Kind == y.Kind)
        {
            run.Charge((long)x.Items.Length + y.Items.Length);
            return new Sequence([.. x.Items, .. y.Items], x.Kind);
        }
        return Numbers("+", left, right, static (p, q) => checked(p + q), static (p, q) => p + q);
    }

    private static string Escaped(object? text) => text is Markup markup ? markup.Text : Markup.Escape((string)text!);

    public static object? Subtract(object? left, object? right) =>
        Numbers("-", left, right, static (p, q) => checked(p - q), static (p, q) => p - q);

    public static object? Multiply(object? left, object? right, Interpreter run)
    {
        if (left is bool or long && (Kinds.IsText(right) || right is Sequence)) (left, right) = (right, left);
        if (right is bool or long)
        {
            long times = Math.Max(0, Comparison.ToLong(right));
            if (Kinds.TextOf(left) is { } text)
            {
                string repeated = Repeated(text, times, run);
                return left is Markup ? new Markup(repeated) : repeated;
            }
            if (left is Sequence { Kind: SequenceKind.List or SequenceKind.Tuple } list)
            {
                run.Charge(Product(list.Items.Length, times));
                return new Sequence([.. Enumerable.Repeat(list.Items, (int)(list.Items.Length == 0 ? 0 : times)).SelectMany(items => items)], list.Kind);
            }
        }
        return Numbers("*", left, right, static (p, q) => checked(p * q), static (p, q) => p * q);
    }

    private static string Repeated(string text, long times, Interpreter run)
    {
        if (text.Length == 0 || times == 0) return "";
        run.CheckText(Product(text.Length, times));
        return new StringBuilder().Insert(0, text, (int)times).ToString();
    }

    private static long Product(long left, long right) =>
        left == 0 || right <= long.MaxValue / left ? left * right : long.MaxValue;

    public static object? Divide(object? left, object? right)
    {
        (double a, double b) = Reals("/", left, right);
        return b == 0 ? throw new TemplateError("division by zero.") : a / b;
    }

    public static object? FloorDivide(object? left, object? right) => Numbers("//", left, right,
        static (p, q) =>
        {
            if (q == 0) throw new TemplateError("division by zero.");
            if (q == -1) return checked(-p);
            (long quotient, long rest) = Math.DivRem(p, q);
            return rest != 0 && (rest < 0) != (q < 0) ? quotient - 1 : quotient;
        },
        static (p, q) => q == 0 ? throw new TemplateError("division by zero.") : Math.Floor(p / q));

    public static object? Modulo(object? left, object? right, Interpreter run)
    {
        if (Kinds.TextOf(left) is { } format) return Formatting.Percent(format, right, run);
        return Numbers("%", left, right,
            static (p, q) =>
            {
                if (q == 0) throw new TemplateError("modulo by zero.");
                if (q == -1) return 0;
                long rest = p % q;
                return rest != 0 && (rest < 0) != (q < 0) ? rest + q : rest;
            },
            static (p, q) =>
            {
                if (q == 0) throw new TemplateError("modulo by zero.");
                double rest = p % q;
                return rest != 0 && (rest < 0) != (q < 0) ? rest + q : rest;
            });
    }

    public static object? Power(object? left, object? right)
    {
        if (left is bool or long && right is bool or long && Comparison.ToLong(right) >= 0)
        {
            long power = Comparison.ToLong(right), number = Comparison.ToLong(left), result = 1;
            if (number is 0 or 1) return power == 0 ? 1L : number;
            if (number == -1) return power % 2 == 0 ? 1L : -1L;
            if (power > 63) throw new TemplateError("an integer does not fit 64 bits.");
            try
            {
                for (; power > 0; power--) result = checked(result * number);
            }
            catch (OverflowException)
            {
                throw new TemplateError("an integer does not fit 64 bits.");
            }
            return result;
        }
        (double a, double b) = Reals("**", left, right);
        if (a == 0 && b < 0) throw new TemplateError("0 cannot be raised to a negative power.");
        double value = Math.Pow(a, b);
        return double.IsInfinity(value) && double.IsFinite(a) && double.IsFinite(b) || double.IsNaN(value) && a < 0
            ? throw new TemplateError("the power is not a real number in range.") : value;
    }

    public static object? Negate(object? value) => value switch
    {
        double number => -number,
        bool or long => Numbers("-", 0L, value, static (p, q) => checked(p - q), static (p, q) => p - q),
        BigInteger big => -big >= long.MinValue ? (object)(long)-big : -big,
        Undefined missing => throw missing.Error(),
        _ => throw new TemplateError($"'-' is not possible for '{Kinds.NameOf(value)}'."),
    };

    private static object Numbers(
        string sign, object? left, object? right, Func<long, long, long> whole, Func<double, double, double> real)
    {
        if (left is bool or long && right is bool or long)
        {
            try
            {
                return whole(Comparison.ToLong(left), Comparison.ToLong(right));
            }
            catch (OverflowException)
            {
                throw new TemplateError("an integer does not fit 64 bits.");
            }
        }
        if (left is BigInteger || right is BigInteger) throw new TemplateError("an integer does not fit 64 bits.");
        (double a, double b) = Reals(sign, left, right);
        return real(a, b);
    }

    private static (double Left, double Right) Reals(string sign, object? left, object? right)
    {
        if (Kinds.IsNumber(left) && Kinds.IsNumber(right)) return (Comparison.ToDouble(left), Comparison.ToDouble(right));
        if (left is Undefined missing) throw missing.Error();
        if (right is Undefined absent) throw absent.Error();
        throw new TemplateError(
            $"'{sign}' is not possible for '{Kinds.NameOf(left)}' and '{Kinds.NameOf(right)}'.");
    }
}
