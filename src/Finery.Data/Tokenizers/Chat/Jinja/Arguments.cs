namespace Finery.Data.Tokenizers.Jinja;

/// <summary>What a call passes.</summary>
internal sealed class Arguments(object?[] positional, (string Name, object? Value)[] named)
{
    public static readonly Arguments None = new([], []);

    /// <summary>Stands where a parameter got nothing.</summary>
    public static readonly object Missing = new();

    public object?[] Positional => positional;

    public (string Name, object? Value)[] Named => named;

    /// <summary>One value per parameter, <see cref="Missing"/> where none was passed.</summary>
    public object?[] Bind(string function, params ReadOnlySpan<string> parameters)
    {
        if (positional.Length > parameters.Length)
            throw new TemplateError($"{function} takes at most {parameters.Length} arguments, not {positional.Length}.");
        var values = new object?[parameters.Length];
        Array.Fill(values, Missing);
        positional.CopyTo(values, 0);
        foreach (var (name, value) in named)
        {
            int at = parameters.IndexOf(name);
            if (at < 0) throw new TemplateError($"{function} has no argument '{name}'.");
            if (values[at] != Missing) throw new TemplateError($"{function} got its argument '{name}' twice.");
            values[at] = value;
        }
        return values;
    }

    /// <summary>A call without these first positional arguments.</summary>
    public Arguments Skip(int count) => new(positional[count..], named);

    public static object? Or(object? value, object? otherwise) => value == Missing ? otherwise : value;

    /// <summary>An argument that must be given.</summary>
    public static object? Required(object? value, string function, string name) =>
        value != Missing ? value : throw new TemplateError($"{function} needs its argument '{name}'.");

    public static string Text(object? value, string function, string? otherwise = null) =>
        value == Missing && otherwise is not null ? otherwise
        : Kinds.TextOf(value) ?? (value is Undefined missing ? throw missing.Error()
            : throw new TemplateError(value == Missing ? $"{function} needs a text." : $"{function} needs a text, not '{Kinds.NameOf(value)}'."));

    public static long Whole(object? value, long otherwise) => value == Missing ? otherwise : Comparison.ToLong(value);
}
