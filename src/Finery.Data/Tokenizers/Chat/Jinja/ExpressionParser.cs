namespace Finery.Data.Tokenizers.Jinja;

/// <summary>
/// Expressions from tokens. Binding, loosest first: inline if; or; and; not; comparisons, in; + and -; ~; * / // %; **;
/// sign; attributes, items, calls; filters and tests.
/// </summary>
internal sealed class ExpressionParser(TokenReader tokens)
{
    private const int MaxNesting = 60;

    /// <summary>Words that are values or operators, never names.</summary>
    public static readonly IReadOnlySet<string> Reserved = new HashSet<string>(StringComparer.Ordinal)
        { "true", "false", "none", "True", "False", "None", "not", "and", "or", "in", "is", "if", "else" };

    private int _nesting;

    public Expression Expression()
    {
        if (++_nesting > MaxNesting) throw tokens.Error($"expressions are nested more than {MaxNesting} deep");
        Expression value = Or();
        while (tokens.Current.IsName("if"))
        {
            int at = tokens.Next().At;
            Expression condition = Or();
            value = new Conditional(at, condition, value, tokens.SkipName("else") ? Expression() : null);
        }
        _nesting--;
        return value;
    }

    /// <summary>An expression, or several separated by commas: a tuple.</summary>
    public Expression Tuple(bool withConditional = true, string? end = null)
    {
        int at = tokens.Current.At;
        Expression first = One();
        if (!tokens.Current.IsOperator(",")) return first;
        var items = new List<Expression> { first };
        while (tokens.SkipOperator(","))
        {
            Token next = tokens.Current;
            if (next.Kind is TokenKind.BlockEnd or TokenKind.PrintEnd || next.IsOperator(")") || (end is not null && next.IsName(end))) break;
            items.Add(One());
        }
        return new ListLiteral(at, [.. items], SequenceKind.Tuple);

        Expression One() => withConditional ? Expression() : Or();
    }

    private Expression Or()
    {
        Expression left = And();
        while (tokens.Current.IsName("or")) left = new Logical(tokens.Next().At, left, And(), isAnd: false);
        return left;
    }

    private Expression And()
    {
        Expression left = Negation();
        while (tokens.Current.IsName("and")) left = new Logical(tokens.Next().At, left, Negation(), isAnd: true);
        return left;
    }

    private Expression Negation()
    {
        if (!tokens.Current.IsName("not") || tokens.Ahead.IsName("in")) return Comparisons();
        int at = tokens.Next().At;
        if (++_nesting > MaxNesting) throw tokens.Error($"expressions are nested more than {MaxNesting} deep");
        var value = new Not(at, Negation());
        _nesting--;
        return value;
    }

    private Expression Comparisons()
    {
        int at = tokens.Current.At;
        Expression first = Sum();
        List<(string, Expression)>? rest = null;
        while (true)
        {
            Token token = tokens.Current;
            string? sign = token.Kind == TokenKind.Operator && token.Text is "==" or "!=" or "<" or "<=" or ">" or ">=" ? token.Text
                : token.IsName("in") ? "in" : token.IsName("not") && tokens.Ahead.IsName("in") ? "not in" : null;
            if (sign is null) break;
            tokens.Next();
            if (sign == "not in") tokens.Next();
            (rest ??= []).Add((sign, Sum()));
        }
        return rest is null ? first : new Compared(at, first, [.. rest]);
    }

    private Expression Sum()
    {
        Expression left = Concatenation();
        while (tokens.Current.IsOperator("+") || tokens.Current.IsOperator("-"))
        {
            Token sign = tokens.Next();
            left = new Operation(sign.At, sign.Text, left, Concatenation());
        }
        return left;
    }

    private Expression Concatenation()
    {
        Expression first = Product();
        if (!tokens.Current.IsOperator("~")) return first;
        int at = tokens.Current.At;
        var parts = new List<Expression> { first };
        while (tokens.SkipOperator("~")) parts.Add(Product());
        return new Joined(at, [.. parts]);
    }

    private Expression Product()
    {
        Expression left = Power();
        while (tokens.Current.Kind == TokenKind.Operator && tokens.Current.Text is "*" or "/" or "//" or "%")
        {
            Token sign = tokens.Next();
            left = new Operation(sign.At, sign.Text, left, Power());
        }
        return left;
    }

    private Expression Power()
    {
        Expression left = Unary(withFilters: true);
        while (tokens.Current.IsOperator("**")) left = new Operation(tokens.Next().At, "**", left, Unary(withFilters: true));
        return left;
    }

    private Expression Unary(bool withFilters)
    {
        Token token = tokens.Current;
        Expression value;
        if (tokens.SkipOperator("-") || tokens.SkipOperator("+"))
        {
            if (++_nesting > MaxNesting) throw tokens.Error($"expressions are nested more than {MaxNesting} deep");
            value = new Negative(token.At, Unary(withFilters: false), token.Text == "-");
            _nesting--;
        }
        else
        {
            value = Primary();
        }
        value = Postfix(value);
        return withFilters ? FiltersAndTests(value) : value;
    }

    public Expression Primary()
    {
        Token token = tokens.Next();
        switch (token.Kind)
        {
            case TokenKind.Name:
                return token.Text switch
                {
                    "true" or "True" => new Constant(token.At, true),
                    "false" or "False" => new Constant(token.At, false),
                    "none" or "None" => new Constant(token.At, null),
                    _ when Reserved.Contains(token.Text) => throw new TemplateError($"unexpected '{token.Text}'.", at: token.At),
                    _ => new Name(token.At, token.Text),
                };
            case TokenKind.Text:
                if (tokens.Current.Kind != TokenKind.Text) return new Constant(token.At, token.Text);
                var parts = new List<string> { token.Text };
                while (tokens.Current.Kind == TokenKind.Text) parts.Add(tokens.Next().Text);
                return new Constant(token.At, string.Concat(parts));
            case TokenKind.Number:
                return new Constant(token.At, token.Value);
            case TokenKind.Operator when token.Text == "(":
                if (tokens.SkipOperator(")")) return new Constant(token.At, new Sequence([], SequenceKind.Tuple));
                Expression inner = Tuple();
                tokens.ExpectOperator(")");
                return inner;
            case TokenKind.Operator when token.Text == "[":
                return new ListLiteral(token.At, Listed("]"), SequenceKind.List);
            case TokenKind.Operator when token.Text == "{":
                return MappingFrom(token.At);
            default:
                throw new TemplateError($"unexpected {token}.", at: token.At);
        }
    }

    private Expression[] Listed(string close)
    {
        var items = new List<Expression>();
        while (!tokens.Current.IsOperator(close))
        {
            if (items.Count > 0) tokens.ExpectOperator(",");
            if (tokens.Current.IsOperator(close)) break;
            items.Add(Expression());
        }
        tokens.ExpectOperator(close);
        return [.. items];
    }

    private MappingLiteral MappingFrom(int at)
    {
        List<Expression> keys = [], values = [];
        while (!tokens.Current.IsOperator("}"))
        {
            if (keys.Count > 0) tokens.ExpectOperator(",");
            if (tokens.Current.IsOperator("}")) break;
            keys.Add(Expression());
            tokens.ExpectOperator(":");
            values.Add(Expression());
        }
        tokens.ExpectOperator("}");
        return new MappingLiteral(at, [.. keys], [.. values]);
    }

    private Expression Postfix(Expression value)
    {
        while (true)
        {
            Token token = tokens.Current;
            if (token.IsOperator("."))
            {
                tokens.Next();
                Token name = tokens.Next();
                value = name.Kind switch
                {
                    TokenKind.Name => new Attribute(token.At, value, name.Text),
                    TokenKind.Number when name.Value is long => new Item(token.At, value, new Constant(name.At, name.Value)),
                    _ => throw new TemplateError($"expected a name after '.', but found {name}.", at: name.At),
                };
            }
            else if (token.IsOperator("["))
            {
                tokens.Next();
                value = Subscript(token.At, value);
                tokens.ExpectOperator("]");
            }
            else if (token.IsOperator("("))
            {
                var (positional, named) = CallArguments();
                value = new Call(token.At, value, positional, named);
            }
            else
            {
                return value;
            }
        }
    }

    private Expression Subscript(int at, Expression target)
    {
        Expression? start = null;
        if (!tokens.Current.IsOperator(":"))
        {
            start = Tuple();
            if (!tokens.Current.IsOperator(":")) return new Item(at, target, start);
        }
        tokens.ExpectOperator(":");
        Expression? stop = tokens.Current.IsOperator(":") || tokens.Current.IsOperator("]") ? null : Expression();
        Expression? step = tokens.SkipOperator(":") && !tokens.Current.IsOperator("]") ? Expression() : null;
        return new Slice(at, target, start, stop, step);
    }

    public (Expression[] Positional, (string Name, Expression Value)[] Named) CallArguments()
    {
        List<Expression> positional = [];
        List<(string Name, Expression Value)> named = [];
        tokens.ExpectOperator("(");
        while (!tokens.Current.IsOperator(")"))
        {
            if (positional.Count + named.Count > 0) tokens.ExpectOperator(",");
            if (tokens.Current.IsOperator(")")) break;
            if (tokens.Current.IsOperator("*") || tokens.Current.IsOperator("**"))
                throw TemplateError.Unsupported("Unpacking arguments with '*'", tokens.Current.At);
            if (tokens.Current.Kind == TokenKind.Name && tokens.Ahead.IsOperator("="))
            {
                string name = tokens.Next().Text;
                tokens.Next();
                if (named.Exists(pair => pair.Name == name)) throw tokens.Error($"the argument '{name}' is given twice");
                named.Add((name, Expression()));
            }
            else if (named.Count > 0)
            {
                throw tokens.Error("a positional argument follows a named one");
            }
            else
            {
                positional.Add(Expression());
            }
        }
        tokens.ExpectOperator(")");
        return ([.. positional], [.. named]);
    }

    private Expression FiltersAndTests(Expression value)
    {
        while (true)
        {
            if (tokens.Current.IsOperator("|")) value = Filters(value, isChain: true);
            else if (tokens.Current.IsName("is")) value = TestOf(value);
            else if (tokens.Current.IsOperator("("))
            {
                int at = tokens.Current.At;
                var (positional, named) = CallArguments();
                value = new Call(at, value, positional, named);
            }
            else return value;
        }
    }

    /// <summary>One or more filters; without <paramref name="isChain"/> the first has no bar before it.</summary>
    public Filtered Filters(Expression? value, bool isChain = false)
    {
        Filtered? last = null;
        while (isChain ? tokens.SkipOperator("|") : true)
        {
            Token name = tokens.Expect(TokenKind.Name, "a filter's name");
            string full = name.Text;
            while (tokens.SkipOperator(".")) full += "." + tokens.Expect(TokenKind.Name, "a filter's name").Text;
            var (positional, named) = tokens.Current.IsOperator("(") ? CallArguments() : ([], []);
            last = new Filtered(name.At, last ?? value, full, positional, named);
            isChain = true;
        }
        return last!;
    }

    private Expression TestOf(Expression value)
    {
        int at = tokens.Next().At;
        bool isNegated = tokens.SkipName("not");
        string name = tokens.Expect(TokenKind.Name, "a test's name").Text;
        while (tokens.SkipOperator(".")) name += "." + tokens.Expect(TokenKind.Name, "a test's name").Text;
        Expression[] positional = [];
        (string, Expression)[] named = [];
        Token next = tokens.Current;
        if (next.IsOperator("("))
        {
            (positional, named) = CallArguments();
        }
        else if (next.Kind is TokenKind.Text or TokenKind.Number || next.IsOperator("[") || next.IsOperator("{")
            || (next.Kind == TokenKind.Name && next.Text is not ("else" or "or" or "and" or "if" or "in" or "not" or "recursive")))
        {
            if (next.IsName("is")) throw tokens.Error("tests cannot be chained with 'is'");
            positional = [Postfix(Primary())];
        }
        Expression test = new Tested(at, value, name, positional, named);
        return isNegated ? new Not(at, test) : test;
    }
}
