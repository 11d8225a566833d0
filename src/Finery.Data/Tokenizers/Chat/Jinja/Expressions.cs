namespace Finery.Data.Tokenizers.Jinja;

/// <summary>Something with a value.</summary>
/// <param name="at">Offset in the source.</param>
internal abstract class Expression(int at)
{
    public int At => at;

    public object? Evaluate(Interpreter run)
    {
        run.Enter();
        object? value = Compute(run);
        run.Leave();
        return value;
    }

    protected abstract object? Compute(Interpreter run);
}

internal sealed class Constant(int at, object? value) : Expression(at)
{
    public object? Value => value;

    protected override object? Compute(Interpreter run) => value;
}

internal sealed class Name(int at, string name) : Expression(at)
{
    public string Text => name;

    protected override object? Compute(Interpreter run) => run.Scope.Get(name);
}

internal sealed class ListLiteral(int at, Expression[] items, SequenceKind kind) : Expression(at)
{
    public Expression[] Items => items;

    protected override object? Compute(Interpreter run) => new Sequence(Array.ConvertAll(items, item => item.Evaluate(run)), kind);
}

internal sealed class MappingLiteral(int at, Expression[] keys, Expression[] values) : Expression(at)
{
    protected override object? Compute(Interpreter run)
    {
        var found = new object?[keys.Length];
        var held = new object?[keys.Length];
        for (int i = 0; i < keys.Length; i++)
        {
            found[i] = keys[i].Evaluate(run);
            held[i] = values[i].Evaluate(run);
            run.At = At;
            if (!KeyComparer.CanBeKey(found[i])) throw new TemplateError($"'{Kinds.NameOf(found[i])}' cannot be a key.");
        }
        return Mapping.Of(found, held);
    }
}

/// <summary><c>target.name</c>: methods before keys.</summary>
internal sealed class Attribute(int at, Expression target, string name) : Expression(at)
{
    public string Name => name;

    public Expression Target => target;

    protected override object? Compute(Interpreter run)
    {
        object? owner = target.Evaluate(run);
        run.At = At;
        return Members.Attribute(owner, name);
    }
}

/// <summary><c>target[key]</c>: keys before methods.</summary>
internal sealed class Item(int at, Expression target, Expression key) : Expression(at)
{
    protected override object? Compute(Interpreter run)
    {
        object? owner = target.Evaluate(run), index = key.Evaluate(run);
        run.At = At;
        return Members.Item(owner, index, run);
    }
}

internal sealed class Slice(int at, Expression target, Expression? start, Expression? stop, Expression? step) : Expression(at)
{
    protected override object? Compute(Interpreter run)
    {
        object? owner = target.Evaluate(run), from = start?.Evaluate(run), to = stop?.Evaluate(run), by = step?.Evaluate(run);
        run.At = At;
        return Members.Slice(owner, from, to, by, run);
    }
}

internal sealed class Call(int at, Expression target, Expression[] positional, (string Name, Expression Value)[] named) : Expression(at)
{
    protected override object? Compute(Interpreter run)
    {
        object? callee = target.Evaluate(run);
        Arguments arguments = Passed(positional, named, run);
        run.At = At;
        return callee switch
        {
            Callable callable => callable.Invoke(run, arguments),
            Undefined missing => throw missing.Error(),
            _ => throw new TemplateError($"'{Kinds.NameOf(callee)}' object cannot be called."),
        };
    }

    public static Arguments Passed(Expression[] positional, (string Name, Expression Value)[] named, Interpreter run) =>
        positional.Length + named.Length == 0 ? Arguments.None
        : new Arguments(Array.ConvertAll(positional, value => value.Evaluate(run)),
            Array.ConvertAll(named, pair => (pair.Name, pair.Value.Evaluate(run))));
}

/// <summary><c>value | name(arguments)</c>; inside a filter block the value is what the block printed.</summary>
internal sealed class Filtered(
    int at, Expression? value, string name, Expression[] positional, (string Name, Expression Value)[] named) : Expression(at)
{
    private readonly Filter? _filter = Filters.Find(name);

    public object? Apply(object? input, Interpreter run)
    {
        Arguments arguments = Call.Passed(positional, named, run);
        run.At = At;
        return (_filter ?? throw TemplateError.Unsupported($"The filter '{name}'"))(run, input, arguments);
    }

    /// <summary>Applies the innermost filter of a chain to <paramref name="input"/>, then the others.</summary>
    public object? ApplyChain(object? input, Interpreter run) => Apply(value is Filtered inner ? inner.ApplyChain(input, run) : input, run);

    protected override object? Compute(Interpreter run) => Apply(value!.Evaluate(run), run);
}

/// <summary><c>value is name(arguments)</c>.</summary>
internal sealed class Tested(int at, Expression value, string name, Expression[] positional, (string Name, Expression Value)[] named) : Expression(at)
{
    private readonly Test? _test = Tests.Find(name);

    protected override object? Compute(Interpreter run)
    {
        object? input = value.Evaluate(run);
        Arguments arguments = Call.Passed(positional, named, run);
        run.At = At;
        return (_test ?? throw TemplateError.Unsupported($"The test '{name}'"))(run, input, arguments);
    }
}

internal sealed class Not(int at, Expression value) : Expression(at)
{
    protected override object? Compute(Interpreter run) => !Kinds.IsTrue(value.Evaluate(run));
}

/// <summary><c>and</c>, <c>or</c>: the operand that decides.</summary>
internal sealed class Logical(int at, Expression left, Expression right, bool isAnd) : Expression(at)
{
    protected override object? Compute(Interpreter run)
    {
        object? first = left.Evaluate(run);
        return Kinds.IsTrue(first) == isAnd ? right.Evaluate(run) : first;
    }
}

/// <summary><c>value if condition else otherwise</c>.</summary>
internal sealed class Conditional(int at, Expression condition, Expression value, Expression? otherwise) : Expression(at)
{
    protected override object? Compute(Interpreter run) => Kinds.IsTrue(condition.Evaluate(run)) ? value.Evaluate(run)
        : otherwise is null ? new Undefined("the inline if without else") : otherwise.Evaluate(run);
}

/// <summary>A chain such as <c>a &lt; b &lt;= c</c>.</summary>
internal sealed class Compared(int at, Expression first, (string Sign, Expression Value)[] rest) : Expression(at)
{
    protected override object? Compute(Interpreter run)
    {
        object? left = first.Evaluate(run);
        foreach (var (sign, expression) in rest)
        {
            object? right = expression.Evaluate(run);
            run.At = At;
            if (!Holds(sign, left, right, run)) return false;
            left = right;
        }
        return true;
    }

    public static bool Holds(string sign, object? left, object? right, Interpreter run) => sign switch
    {
        "==" => Comparison.AreEqual(left, right, run),
        "!=" => !Comparison.AreEqual(left, right, run),
        "in" => Comparison.Contains(right, left, run),
        "not in" => !Comparison.Contains(right, left, run),
        "<" => Comparison.Compare(left, right, run, sign) < 0,
        "<=" => Comparison.Compare(left, right, run, sign) <= 0,
        ">" => Comparison.Compare(left, right, run, sign) is > 0 and not Comparison.Unordered,
        _ => Comparison.Compare(left, right, run, sign) is >= 0 and not Comparison.Unordered,
    };
}

internal sealed class Negative(int at, Expression value, bool isMinus) : Expression(at)
{
    protected override object? Compute(Interpreter run)
    {
        object? number = value.Evaluate(run);
        run.At = At;
        return isMinus ? Arithmetic.Negate(number) : Arithmetic.Add(0L, number, run);
    }
}

/// <summary><c>left ~ right</c>: both as text.</summary>
internal sealed class Joined(int at, Expression[] parts) : Expression(at)
{
    protected override object? Compute(Interpreter run)
    {
        string text = "";
        foreach (Expression part in parts)
        {
            object? value = part.Evaluate(run);
            run.At = At;
            text = run.Concat(text, Printing.Text(value, run));
        }
        return text;
    }
}

internal sealed class Operation(int at, string sign, Expression left, Expression right) : Expression(at)
{
    protected override object? Compute(Interpreter run)
    {
        object? a = left.Evaluate(run), b = right.Evaluate(run);
        run.At = At;
        return sign switch
        {
            "+" => Arithmetic.Add(a, b, run),
            "-" => Arithmetic.Subtract(a, b),
            "*" => Arithmetic.Multiply(a, b, run),
            "/" => Arithmetic.Divide(a, b),
            "//" => Arithmetic.FloorDivide(a, b),
            "%" => Arithmetic.Modulo(a, b, run),
            _ => Arithmetic.Power(a, b),
        };
    }
}
