namespace Finery.Data.Tokenizers.Jinja;

/// <summary>Statements from tokens. Nesting is bounded, so that no source can exhaust the stack.</summary>
internal sealed class Parser
{
    private const int MaxNesting = 100;

    private static readonly string[] Unknown = ["include", "import", "from", "extends", "block", "do", "trans", "autoescape", "debug"];

    private readonly TokenReader _tokens;
    private readonly ExpressionParser _expressions;
    private int _nesting, _loops;

    private Parser(List<Token> tokens)
    {
        _tokens = new TokenReader(tokens);
        _expressions = new ExpressionParser(_tokens);
    }

    /// <summary>Whether a <c>{% generation %}</c> block was seen.</summary>
    public bool HasGeneration { get; private set; }

    public static (Statement[] Body, bool HasGeneration) Parse(string source)
    {
        var parser = new Parser(Lexer.Read(source));
        Statement[] body = parser.Block();
        return (body, parser.HasGeneration);
    }

    /// <summary>Statements up to a tag of this name, whose name is left to be read.</summary>
    private Statement[] Block(params ReadOnlySpan<string> ends)
    {
        if (++_nesting > MaxNesting) throw _tokens.Error($"blocks are nested more than {MaxNesting} deep");
        var statements = new List<Statement>();
        while (true)
        {
            Token token = _tokens.Next();
            if (token.Kind == TokenKind.Data)
            {
                statements.Add(new Verbatim(token.Text));
            }
            else if (token.Kind == TokenKind.PrintBegin)
            {
                statements.Add(new Print(_expressions.Tuple()));
                _tokens.Expect(TokenKind.PrintEnd, "'}}'");
            }
            else if (token.Kind == TokenKind.End)
            {
                if (ends.Length > 0) throw new TemplateError($"the template ends before '{string.Join("' or '", ends!)}'.", at: token.At);
                break;
            }
            else
            {
                Token name = _tokens.Current;
                if (name.Kind == TokenKind.Name && ends.Contains(name.Text)) break;
                statements.Add(Statement());
            }
        }
        _nesting--;
        return [.. statements];
    }

    private void EndTag() => _tokens.Expect(TokenKind.BlockEnd, "'%}'");

    private Statement[] Body(string end)
    {
        EndTag();
        Statement[] body = Block(end);
        _tokens.Next();
        EndTag();
        return body;
    }

    private Statement Statement()
    {
        Token name = _tokens.Next();
        if (name.Kind != TokenKind.Name) throw new TemplateError($"a tag cannot begin with {name}.", at: name.At);
        switch (name.Text)
        {
            case "if": return IfStatement();
            case "for": return ForStatement(name.At);
            case "set": return SetStatement();
            case "macro": return MacroStatement();
            case "call": return CallStatement(name.At);
            case "with": return WithStatement();
            case "filter":
                var filter = _expressions.Filters(null);
                return new FilterBlock(filter, Detached("endfilter"));
            case "generation":
                HasGeneration = true;
                return new Generation(Body("endgeneration"));
            case "break" or "continue":
                if (_loops == 0) throw new TemplateError($"'{name.Text}' is outside any loop.", at: name.At);
                EndTag();
                return new Jump(name.Text == "break" ? Flow.Break : Flow.Continue);
            default:
                if (Unknown.Contains(name.Text)) throw TemplateError.Unsupported($"The tag '{name.Text}'", name.At);
                throw new TemplateError($"unknown tag '{name.Text}'.", at: name.At);
        }
    }

    private If IfStatement()
    {
        var branches = new List<(Expression, Statement[])>();
        while (true)
        {
            Expression condition = _expressions.Tuple(withConditional: false);
            EndTag();
            branches.Add((condition, Block("elif", "else", "endif")));
            Token end = _tokens.Next();
            if (end.Text == "elif") continue;
            Statement[] otherwise = end.Text == "else" ? Body("endif") : [];
            if (end.Text == "endif") EndTag();
            return new If([.. branches], otherwise);
        }
    }

    private For ForStatement(int at)
    {
        Target target = Targets("in");
        _tokens.ExpectName("in");
        Expression source = _expressions.Tuple(withConditional: false, "recursive");
        Expression? filter = _tokens.SkipName("if") ? _expressions.Expression() : null;
        if (_tokens.Current.IsName("recursive")) throw TemplateError.Unsupported("A recursive loop", _tokens.Current.At);
        EndTag();
        _loops++;
        Statement[] body = Block("endfor", "else");
        _loops--;
        bool hasElse = _tokens.Next().Text == "else";
        Statement[] otherwise = hasElse ? Body("endfor") : [];
        if (!hasElse) EndTag();
        return new For(at, target, source, filter, body, otherwise);
    }

    private Statement SetStatement()
    {
        Target target = Targets("=");
        if (_tokens.SkipOperator("="))
        {
            Expression value = _expressions.Tuple();
            EndTag();
            return new Set(target, value);
        }
        Filtered? filter = _tokens.Current.IsOperator("|") ? _expressions.Filters(null, isChain: true) : null;
        return new SetBlock(target, filter, Detached("endset"));
    }

    private With WithStatement()
    {
        var names = new List<(Target, Expression)>();
        while (_tokens.Current.Kind != TokenKind.BlockEnd)
        {
            if (names.Count > 0) _tokens.ExpectOperator(",");
            Target target = OneTarget();
            _tokens.ExpectOperator("=");
            names.Add((target, _expressions.Expression()));
        }
        return new With([.. names], Body("endwith"));
    }

    private Macro MacroStatement()
    {
        string name = _tokens.Expect(TokenKind.Name, "a macro's name").Text;
        return MacroFrom(name, Signature(), "endmacro");
    }

    private CallBlock CallStatement(int at)
    {
        var signature = _tokens.Current.IsOperator("(") ? Signature() : ([], []);
        Expression target = _expressions.Primary();
        while (_tokens.SkipOperator("."))
            target = new Attribute(at, target, _tokens.Expect(TokenKind.Name, "a name").Text);
        var (positional, named) = _expressions.CallArguments();
        return new CallBlock(MacroFrom("caller", signature, "endcall"), target, positional, named);
    }

    private (string[] Parameters, Expression?[] Defaults) Signature()
    {
        var parameters = new List<string>();
        var defaults = new List<Expression?>();
        _tokens.ExpectOperator("(");
        while (!_tokens.Current.IsOperator(")"))
        {
            if (parameters.Count > 0) _tokens.ExpectOperator(",");
            if (_tokens.Current.IsOperator(")")) break;
            parameters.Add(_tokens.Expect(TokenKind.Name, "a parameter's name").Text);
            defaults.Add(_tokens.SkipOperator("=") ? _expressions.Expression() : null);
            if (defaults[^1] is null && defaults.Count > 1 && defaults[^2] is not null)
                throw _tokens.Error("a parameter without default follows one with");
        }
        _tokens.ExpectOperator(")");
        return ([.. parameters], [.. defaults]);
    }

    /// <summary>A macro takes more than its parameters where it speaks of <c>varargs</c> or <c>kwargs</c>.</summary>
    private Macro MacroFrom(string name, (string[] Parameters, Expression?[] Defaults) signature, string end)
    {
        int begin = _tokens.Index;
        Statement[] body = Detached(end);
        return new Macro(name, signature.Parameters, signature.Defaults, _tokens.Mentions(begin, "varargs", "kwargs"), body);
    }

    /// <summary>A body that jumps cannot leave.</summary>
    private Statement[] Detached(string end)
    {
        (int loops, _loops) = (_loops, 0);
        Statement[] body = Body(end);
        _loops = loops;
        return body;
    }

    private Target Targets(string end)
    {
        int at = _tokens.Current.At;
        Target first = OneTarget();
        if (!_tokens.Current.IsOperator(",")) return first;
        var parts = new List<Target> { first };
        while (_tokens.SkipOperator(","))
        {
            if (_tokens.Current.IsName(end) || _tokens.Current.IsOperator(end)) break;
            parts.Add(OneTarget());
        }
        return new Target(at, "", parts: [.. parts]);
    }

    private Target OneTarget()
    {
        int at = _tokens.Current.At;
        if (_tokens.SkipOperator("("))
        {
            if (++_nesting > MaxNesting) throw _tokens.Error("targets are nested too deep");
            Target inner = Targets(")");
            _tokens.ExpectOperator(")");
            _nesting--;
            return inner;
        }
        string name = _tokens.Expect(TokenKind.Name, "a name").Text;
        if (ExpressionParser.Reserved.Contains(name)) throw new TemplateError($"'{name}' cannot be assigned.", at: at);
        return new Target(at, name, _tokens.SkipOperator(".") ? _tokens.Expect(TokenKind.Name, "a field's name").Text : null);
    }
}
