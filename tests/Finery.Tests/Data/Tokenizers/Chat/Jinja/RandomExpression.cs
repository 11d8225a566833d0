namespace Finery.Tests.Data.Tokenizers.Chat.Jinja;

/// <summary>Expressions of any kind over the variables of the snippets.</summary>
internal static class RandomExpression
{
    private static readonly string[] Leaves = ["none", "true", "0", "1", "-3", "2.5", "''", "'a b'", "s", "t", "u", "n", "l", "d", "m", "w", "nothing", "q",
        "big", "[]", "{}", "()", "range(3)", "9223372036854775807", "'%s'", "'{}'"];

    private static readonly string[] Binary = ["+", "-", "*", "/", "//", "%", "**", "~", "==", "!=", "<", ">", "<=", ">=", " in ", " not in ", " and ", " or "];

    private static readonly string[] Suffixes = ["|upper", "|trim", "|length", "|list", "|first", "|last", "|sort", "|join('-')", "|tojson", "|tojson(indent=1)",
        "|string", "|int", "|float", "|default('x', true)", "|reverse", "|unique|list", "|map('string')|list", "|selectattr('role')|list", "|dictsort", "|items|list",
        "|map(attribute='n')|list", "|indent", "|title", "|replace('a', 'b')", "|sum", "|min", "|max", "|abs", "|round", "|safe", "|e", "|batch(2)|list", "|groupby(0)",
        "|wordcount", "|center(9)", "|truncate(5)", "|capitalize", "|select|list", "|reject('none')|list", "|format(1)",
        ".split()", ".split('a')", ".strip()", ".replace(' ', '')", ".upper()", ".items()", ".keys()", ".get('a')", ".startswith('a')", ".find('l')", ".zfill(5)",
        ".join(w)", ".splitlines()", ".partition(' ')", ".count('a')", ".format(1)", ".title()", ".index(1)", ".a", ".b", ".x", "['a']", "[0]", "[-1]", "[1:]", "[::-1]",
        "[:2]", "[::2]", "[-2:]", " is defined", " is string", " is mapping", " is none", " is iterable", " is sequence", " is odd", " is in l", " is equalto 1", "()", "(1)"];

    public static string Next(Random random, int depth)
    {
        if (depth == 0 || random.Next(6) == 0) return Leaves[random.Next(Leaves.Length)];
        string One() => Next(random, depth - 1);
        return random.Next(9) switch
        {
            0 or 1 => $"({One()}{Binary[random.Next(Binary.Length)]}{One()})",
            2 => $"({One()} if {One()} else {One()})",
            3 => $"[{One()}, {One()}]",
            4 => $"{{{One()}: {One()}}}",
            5 => $"(not {One()})",
            6 => $"{One()}[{One()}:{One()}]",
            _ => $"({One()}){Suffixes[random.Next(Suffixes.Length)]}",
        };
    }
}
