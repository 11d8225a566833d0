namespace Finery.Data.Tokenizers.Jinja;

/// <summary>Tokens one after the other.</summary>
internal sealed class TokenReader(List<Token> tokens)
{
    public int Index { get; private set; }

    public Token Current => tokens[Index];

    /// <summary>The token after the current one.</summary>
    public Token Ahead => tokens[Math.Min(Index + 1, tokens.Count - 1)];

    public Token Next() => tokens[Index < tokens.Count - 1 ? Index++ : Index];

    public bool SkipOperator(string text) => Skip(Current.IsOperator(text));

    public bool SkipName(string name) => Skip(Current.IsName(name));

    public void ExpectOperator(string text)
    {
        if (!SkipOperator(text)) throw Error($"expected '{text}', but found {Current}");
    }

    public void ExpectName(string name)
    {
        if (!SkipName(name)) throw Error($"expected '{name}', but found {Current}");
    }

    public Token Expect(TokenKind kind, string what) => Current.Kind == kind ? Next()
        : throw Error($"expected {what}, but found {Current}");

    public TemplateError Error(string problem) => new(problem + ".", at: Current.At);

    /// <summary>Whether the tokens since <paramref name="from"/> have one of these names.</summary>
    public bool Mentions(int from, string first, string second) => tokens[from..Index].Exists(token => token.IsName(first) || token.IsName(second));

    private bool Skip(bool fits)
    {
        if (fits) Next();
        return fits;
    }
}
