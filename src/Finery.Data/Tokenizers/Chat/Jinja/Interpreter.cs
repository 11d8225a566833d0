using System.Text;

namespace Finery.Data.Tokenizers.Jinja;

/// <summary>How a statement ended.</summary>
internal enum Flow { Next, Break, Continue }

/// <summary>
/// The state of one rendering: names, output, place, and what is left of its budget. Every expression and statement costs a
/// step, and so do the elements and characters of what it makes, so that time and memory are bounded by the input's size
/// whatever a template does. The bounds do not depend on the machine.
/// </summary>
internal sealed class Interpreter
{
    /// <summary>Expressions and statements being evaluated inside one another, macros included: about 300 bytes of stack
    /// each, of the 1.5 MB a thread has at least.</summary>
    private const int MaxDepth = 1200;

    /// <summary>Steps of an empty input: a fraction of a second.</summary>
    private const long BaseSteps = 5_000_000, StepsPerCharacter = 40;

    private const long BaseText = 16 << 20, TextPerCharacter = 4;

    private readonly long _maxText;
    private long _steps;
    private int _depth;

    public Interpreter(IReadOnlyDictionary<string, object?> variables, TimeProvider clock, long inputLength)
    {
        (Clock, Scope) = (clock, new Scope(new Scope(variables)));
        _steps = BaseSteps + (StepsPerCharacter * inputLength);
        _maxText = BaseText + (TextPerCharacter * inputLength);
    }

    public TimeProvider Clock { get; }

    /// <summary>Names visible now.</summary>
    public Scope Scope { get; set; }

    /// <summary>Where text goes now: the result, or what a macro or block collects.</summary>
    public StringBuilder Output { get; private set; } = new();

    /// <summary>Characters [Start, End) of the result that came from <c>{% generation %}</c> blocks.</summary>
    public List<(int Start, int End)> Generated { get; } = [];

    /// <summary>A generation block stood where text is collected first, so that its place in the result is unknown.</summary>
    public bool LostGenerated { get; private set; }

    /// <summary>Offset of what is being evaluated, for errors.</summary>
    public int At { get; set; }

    private int _captures;

    public void Enter()
    {
        if (++_depth > MaxDepth) throw new TemplateError($"evaluation is nested more than {MaxDepth} deep; does a macro call itself forever?");
        Charge(1);
    }

    public void Leave() => _depth--;

    /// <summary>Pays for work.</summary>
    public void Charge(long steps)
    {
        if ((_steps -= steps) < 0 || steps < 0)
            throw new TemplateError("this takes more steps than a template is allowed; does a loop run too long?");
    }

    /// <summary>Refuses text that is too long, and pays for it.</summary>
    public void CheckText(long length, bool isNew = true)
    {
        if (length > _maxText) throw new TemplateError($"a text of {length:N0} characters is longer than the {_maxText:N0} allowed.");
        if (isNew) Charge(length >> 3);
    }

    public string Checked(string text)
    {
        CheckText(text.Length);
        return text;
    }

    public string Concat(string left, string right)
    {
        CheckText((long)left.Length + right.Length);
        return left + right;
    }

    public void Print(string text)
    {
        CheckText((long)Output.Length + text.Length, isNew: false);
        Charge(text.Length >> 4);
        Output.Append(text);
    }

    public Flow Run(Statement[] statements)
    {
        foreach (Statement statement in statements)
        {
            Flow flow = statement.Execute(this);
            if (flow != Flow.Next) return flow;
        }
        return Flow.Next;
    }

    /// <summary>Runs statements in a scope of their own and returns what they print.</summary>
    public string Capture(Statement[] body, Scope scope)
    {
        (StringBuilder output, Scope outer) = (Output, Scope);
        (Output, Scope) = (new StringBuilder(), scope);
        _captures++;
        Run(body);
        _captures--;
        string text = Output.ToString();
        (Output, Scope) = (output, outer);
        return Checked(text);
    }

    /// <summary>Runs a generation block and remembers its place.</summary>
    public Flow Generate(Statement[] body)
    {
        Scope outer = Scope;
        Scope = new Scope(outer);
        int start = Output.Length;
        Flow flow = Run(body);
        Scope = outer;
        if (_captures > 0) LostGenerated = true;
        else Generated.Add((start, Output.Length));
        return flow;
    }
}

/// <summary>Names of a block, those around it behind them. What a loop or macro sets ends with it; <c>if</c> has no scope of
/// its own.</summary>
internal sealed class Scope
{
    private readonly Scope? _outer;
    private readonly IReadOnlyDictionary<string, object?>? _variables;
    private (string Name, object? Value)[] _own = [];
    private int _count;

    public Scope(Scope outer) => _outer = outer;

    public Scope(IReadOnlyDictionary<string, object?> variables) => _variables = variables;

    public void Set(string name, object? value)
    {
        for (int i = 0; i < _count; i++)
        {
            if (_own[i].Name != name) continue;
            _own[i].Value = value;
            return;
        }
        if (_count == _own.Length) Array.Resize(ref _own, Math.Max(4, _count * 2));
        _own[_count++] = (name, value);
    }

    public object? Get(string name)
    {
        for (Scope? scope = this; scope is not null; scope = scope._outer)
        {
            for (int i = 0; i < scope._count; i++)
            {
                if (scope._own[i].Name == name) return scope._own[i].Value;
            }
            if (scope._variables is { } variables && variables.TryGetValue(name, out object? value)) return value;
        }
        return Globals.All.TryGetValue(name, out object? global) ? global : new Undefined(name);
    }
}
