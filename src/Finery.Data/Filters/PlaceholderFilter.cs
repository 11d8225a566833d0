using System.Text.RegularExpressions;

namespace Finery.Data.Filters;

/// <summary>
/// Drops text that says nothing: generated boilerplate and placeholders, recognised by pattern. Reason <c>placeholder</c>.
/// </summary>
public sealed record PlaceholderFilter : DocumentFilter
{
    private IReadOnlyList<string> _patterns = [];
    private Regex[] _compiled = [];

    /// <summary>With patterns seen in the documentation of the .NET SDK.</summary>
    public PlaceholderFilter() => Patterns =
    [
        @"(supports|supporting) (the )?([\w.]+ )*infrastructure",
        @"(supports|supporting) internal and deprecated",
        @"[Ii]nternal use only|[Ff]or internal use\b|[Yy]ou should not use this member",
        @"\bTo be added\b|\bTBD\b|\bTODO\b",
        @"not intended to be used (directly )?(from|in|by)",
        @"^(\w*Resources|CoreStrings|SR)\.\w+ (property|method|field)", // message tables of an assembly
    ];

    /// <summary>.NET regular expressions without back-references or look-around; <c>^</c> is the start of the text.</summary>
    /// <exception cref="ArgumentException">One of them is no such expression.</exception>
    public IReadOnlyList<string> Patterns
    {
        get => _patterns;
        init
        {
            _patterns = value;
            _compiled = [.. value.Select(Compile)];
        }
    }

    /// <inheritdoc/>
    public override void Apply(WorkingDocument document)
    {
        document.RejectIf("placeholder", Array.Exists(_compiled, pattern => pattern.IsMatch(document.Text)));
    }

    // Without backtracking no text can make a pattern slow.
    internal static Regex Compile(string pattern)
    {
        try
        {
            return new(pattern, RegexOptions.CultureInvariant | RegexOptions.NonBacktracking);
        }
        catch (NotSupportedException e)
        {
            throw new ArgumentException($"The pattern '{pattern}' cannot be used: {e.Message}", nameof(pattern), e);
        }
    }
}
