namespace Finery.Data.Tokenizers.Jinja;

/// <summary>Something that prints, sets or repeats.</summary>
internal abstract class Statement
{
    public Flow Execute(Interpreter run)
    {
        run.Enter();
        Flow flow = Perform(run);
        run.Leave();
        return flow;
    }

    protected abstract Flow Perform(Interpreter run);
}

internal sealed class Verbatim(string text) : Statement
{
    protected override Flow Perform(Interpreter run)
    {
        run.Print(text);
        return Flow.Next;
    }
}

internal sealed class Print(Expression value) : Statement
{
    protected override Flow Perform(Interpreter run)
    {
        object? result = value.Evaluate(run);
        run.At = value.At;
        run.Print(Printing.Text(result, run));
        return Flow.Next;
    }
}

internal sealed class If((Expression Condition, Statement[] Body)[] branches, Statement[] otherwise) : Statement
{
    protected override Flow Perform(Interpreter run)
    {
        foreach (var (condition, body) in branches)
        {
            if (Kinds.IsTrue(condition.Evaluate(run))) return run.Run(body);
        }
        return run.Run(otherwise);
    }
}

/// <summary>What a loop or <c>set</c> assigns to: a name, several in parentheses, or a field of a namespace.</summary>
internal sealed class Target(int at, string name, string? field = null, Target[]? parts = null)
{
    public void Assign(object? value, Interpreter run)
    {
        run.At = at;
        if (parts is not null)
        {
            object?[] items = Kinds.Items(value, run);
            if (items.Length != parts.Length)
                throw new TemplateError($"{parts.Length} values are needed to unpack, not {items.Length}.");
            for (int i = 0; i < parts.Length; i++) parts[i].Assign(items[i], run);
        }
        else if (field is null)
        {
            run.Scope.Set(name, value);
        }
        else
        {
            if (run.Scope.Get(name) is not Namespace space)
                throw new TemplateError($"'{name}' is not a namespace, so that its '{field}' cannot be set.");
            space.Fields[field] = value;
        }
    }
}

internal sealed class Set(Target target, Expression value) : Statement
{
    protected override Flow Perform(Interpreter run)
    {
        target.Assign(value.Evaluate(run), run);
        return Flow.Next;
    }
}

/// <summary><c>{% set name %}text{% endset %}</c>, perhaps through filters.</summary>
internal sealed class SetBlock(Target target, Filtered? filter, Statement[] body) : Statement
{
    protected override Flow Perform(Interpreter run)
    {
        string text = run.Capture(body, new Scope(run.Scope));
        target.Assign(filter is null ? text : filter.ApplyChain(text, run), run);
        return Flow.Next;
    }
}

internal sealed class FilterBlock(Filtered filter, Statement[] body) : Statement
{
    protected override Flow Perform(Interpreter run)
    {
        run.Print(Printing.Text(filter.ApplyChain(run.Capture(body, new Scope(run.Scope)), run), run));
        return Flow.Next;
    }
}

internal sealed class With((Target Target, Expression Value)[] names, Statement[] body) : Statement
{
    protected override Flow Perform(Interpreter run)
    {
        Scope outer = run.Scope, inner = new(outer);
        foreach (var (target, expression) in names)
        {
            run.Scope = outer;
            object? value = expression.Evaluate(run);
            run.Scope = inner;
            target.Assign(value, run);
        }
        run.Scope = inner;
        Flow flow = run.Run(body);
        run.Scope = outer;
        return flow;
    }
}

/// <summary><c>{% generation %}</c>: what the assistant says.</summary>
internal sealed class Generation(Statement[] body) : Statement
{
    protected override Flow Perform(Interpreter run) => run.Generate(body);
}

internal sealed class Jump(Flow flow) : Statement
{
    protected override Flow Perform(Interpreter run) => flow;
}

internal sealed class For(int at, Target target, Expression source, Expression? filter, Statement[] body, Statement[] otherwise) : Statement
{
    protected override Flow Perform(Interpreter run)
    {
        object? value = source.Evaluate(run);
        run.At = at;
        object?[] items = Kinds.Items(value, run);
        Scope outer = run.Scope;
        if (filter is not null) items = Kept(items, outer, run);
        var loop = new LoopState(items);
        for (int i = 0; i < items.Length; i++)
        {
            loop.Index0 = i;
            run.Scope = new Scope(outer);
            run.Scope.Set("loop", loop);
            target.Assign(items[i], run);
            run.Charge(1);
            if (run.Run(body) == Flow.Break) break;
        }
        run.Scope = outer;
        return items.Length == 0 ? run.Run(otherwise) : Flow.Next;
    }

    private object?[] Kept(object?[] items, Scope outer, Interpreter run)
    {
        var kept = new List<object?>();
        foreach (object? item in items)
        {
            run.Scope = new Scope(outer);
            target.Assign(item, run);
            if (Kinds.IsTrue(filter!.Evaluate(run))) kept.Add(item);
        }
        run.Scope = outer;
        return [.. kept];
    }
}

/// <summary>The <c>loop</c> of a loop's body.</summary>
internal sealed class LoopState(object?[] items)
{
    private object? _changed = Arguments.Missing;

    public int Index0 { get; set; }

    public int Count => items.Length;

    public object? Field(string name) => name switch
    {
        "index" => Index0 + 1L,
        "index0" => (long)Index0,
        "revindex" => (long)(Count - Index0),
        "revindex0" => Count - Index0 - 1L,
        "first" => Index0 == 0,
        "last" => Index0 == Count - 1,
        "length" => (long)Count,
        "previtem" => Index0 > 0 ? items[Index0 - 1] : new Undefined("there is no previous item"),
        "nextitem" => Index0 + 1 < Count ? items[Index0 + 1] : new Undefined("there is no next item"),
        "depth" => 1L,
        "depth0" => 0L,
        "cycle" => new Callable(name, (_, arguments) => arguments.Positional.Length > 0
            ? arguments.Positional[Index0 % arguments.Positional.Length] : throw new TemplateError("loop.cycle needs values.")),
        "changed" => new Callable(name, (run, arguments) =>
        {
            var now = new Sequence(arguments.Positional, SequenceKind.Tuple);
            bool differs = _changed == Arguments.Missing || !Comparison.AreEqual(_changed, now, run);
            _changed = now;
            return differs;
        }),
        _ => new Undefined(name, this, hasOwner: true),
    };
}

/// <summary>A macro's definition: the name gets a function that returns what the body prints.</summary>
internal sealed class Macro(string name, string[] parameters, Expression?[] defaults, bool takesMore, Statement[] body) : Statement
{
    protected override Flow Perform(Interpreter run)
    {
        run.Scope.Set(name, Callable(run.Scope));
        return Flow.Next;
    }

    /// <summary>The function, seeing the names of <paramref name="around"/> as they are when it is called.</summary>
    public Callable Callable(Scope around) => new(name, (run, arguments) =>
    {
        var scope = new Scope(around);
        Bind(scope, arguments, run);
        return run.Capture(body, scope);
    });

    private void Bind(Scope scope, Arguments arguments, Interpreter run)
    {
        int count = parameters.Length;
        if (arguments.Positional.Length > count && !takesMore)
            throw new TemplateError($"macro '{name}' takes at most {count} arguments, not {arguments.Positional.Length}.");
        var rest = arguments.Named.ToList();
        Scope outer = run.Scope;
        for (int i = 0; i < count; i++)
        {
            int named = rest.FindIndex(pair => pair.Name == parameters[i]);
            object? value;
            if (i < arguments.Positional.Length)
            {
                if (named >= 0) throw new TemplateError($"macro '{name}' got its argument '{parameters[i]}' twice.");
                value = arguments.Positional[i];
            }
            else if (named >= 0)
            {
                value = rest[named].Value;
                rest.RemoveAt(named);
            }
            else if (defaults[i] is { } expression)
            {
                run.Scope = scope;
                value = expression.Evaluate(run);
                run.Scope = outer;
            }
            else
            {
                value = new Undefined(parameters[i]);
            }
            scope.Set(parameters[i], value);
        }
        int caller = rest.FindIndex(pair => pair.Name == "caller");
        if (caller >= 0)
        {
            scope.Set("caller", rest[caller].Value);
            rest.RemoveAt(caller);
        }
        if (takesMore)
        {
            scope.Set("varargs", new Sequence(arguments.Positional.Length > count ? arguments.Positional[count..] : [], SequenceKind.Tuple));
            scope.Set("kwargs", Mapping.OfDistinct([.. rest.Select(pair => (object)pair.Name)], [.. rest.Select(pair => pair.Value)]));
        }
        else if (rest.Count > 0)
        {
            throw new TemplateError($"macro '{name}' has no argument '{rest[0].Name}'.");
        }
    }
}

/// <summary><c>{% call macro(arguments) %}body{% endcall %}</c>.</summary>
internal sealed class CallBlock(Macro caller, Expression target, Expression[] positional, (string Name, Expression Value)[] named) : Statement
{
    protected override Flow Perform(Interpreter run)
    {
        object? callee = target.Evaluate(run);
        Arguments given = Call.Passed(positional, named, run);
        run.At = target.At;
        if (callee is not Callable callable) throw new TemplateError($"'{Kinds.NameOf(callee)}' object cannot be called.");
        var arguments = new Arguments(given.Positional, [.. given.Named, ("caller", caller.Callable(run.Scope))]);
        run.Print(Printing.Text(callable.Invoke(run, arguments), run));
        return Flow.Next;
    }
}
