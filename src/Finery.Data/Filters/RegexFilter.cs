using System.Text.RegularExpressions;

namespace Finery.Data.Filters;

/// <summary>Drops documents in which a pattern is found. Reason <c>regex</c>. No text can make a pattern slow.</summary>
public sealed record RegexFilter : DocumentFilter
{
    private readonly IReadOnlyList<string> _patterns = [];
    private readonly Regex[] _compiled = [];

    /// <summary>.NET regular expressions without back-references or look-around.</summary>
    /// <exception cref="ArgumentException">One of them is no such expression.</exception>
    public IReadOnlyList<string> Patterns
    {
        get => _patterns;
        init
        {
            _patterns = value;
            _compiled = [.. value.Select(PlaceholderFilter.Compile)];
        }
    }

    /// <inheritdoc/>
    public override void Apply(WorkingDocument document) =>
        document.RejectIf("regex", Array.Exists(_compiled, pattern => pattern.IsMatch(document.Text)));

    /// <summary>Settings that drop nothing.</summary>
    public IEnumerable<(string Property, string Message)> Validate()
    {
        if (Patterns.Count == 0)
            yield return (nameof(Patterns), "Without a pattern nothing is dropped.");
    }
}
