namespace Finery.Data.Tokenizers.Jinja;

internal enum TokenKind { Data, BlockBegin, BlockEnd, PrintBegin, PrintEnd, Name, Text, Number, Operator, End }

/// <summary>A token of template source.</summary>
/// <param name="Kind">What it is.</param>
/// <param name="Text">Data, name, operator, or the unescaped text of a string.</param>
/// <param name="Value">A number's value.</param>
/// <param name="At">Offset in the source.</param>
internal readonly record struct Token(TokenKind Kind, string Text, int At, object? Value = null)
{
    public bool IsName(string name) => Kind == TokenKind.Name && Text == name;

    public bool IsOperator(string text) => Kind == TokenKind.Operator && Text == text;

    public override string ToString() => Kind switch
    {
        TokenKind.End => "the end of the template",
        TokenKind.BlockEnd => "'%}'",
        TokenKind.PrintEnd => "'}}'",
        TokenKind.Data => "text",
        TokenKind.Text => "a string",
        TokenKind.Number => "a number",
        _ => $"'{(Text.Length <= 40 ? Text : Text[..40] + "...")}'",
    };
}
