namespace Finery.Data.Tokenizers.Jinja;

/// <summary>What is wrong with a template or its data. Never leaves <see cref="JinjaTemplate"/>, which adds the place and
/// turns it into the exception a caller sees.</summary>
internal sealed class TemplateError(string message, TemplateErrorKind kind = TemplateErrorKind.Invalid, int at = -1)
    : Exception(message)
{
    public TemplateErrorKind Kind { get; } = kind;

    /// <summary>Offset in the source, or -1 where only the interpreter knows it.</summary>
    public int At { get; } = at;

    public static TemplateError Unsupported(string what, int at = -1) =>
        new($"{what} is not supported.", TemplateErrorKind.Unsupported, at);
}

/// <summary>Whose fault it is.</summary>
internal enum TemplateErrorKind
{
    /// <summary>The template, or data it was not made for.</summary>
    Invalid,

    /// <summary>A feature of Jinja that is not here.</summary>
    Unsupported,

    /// <summary>The template itself refused its data with <c>raise_exception</c>.</summary>
    Raised,
}
