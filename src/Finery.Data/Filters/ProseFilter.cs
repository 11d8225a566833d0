using System.Collections.Frozen;

namespace Finery.Data.Filters;

/// <summary>
/// Drops English text without function words, which is no sentence: instruction signatures, bare identifiers, tables of codes.
/// Reason <c>no_prose</c>. Gentler than Gopher's stop word rule, which asks for two of eight words and suits whole pages.
/// </summary>
public sealed record ProseFilter : DocumentFilter
{
    private static readonly FrozenSet<string> s_functionWords = FrozenSet.Create(
        StringComparer.OrdinalIgnoreCase,
        "a", "an", "the", "of", "to", "in", "on", "at", "by", "for", "from", "with", "as", "and", "or", "but", "if", "when",
        "that", "this", "which", "is", "are", "was", "be", "been", "has", "have", "can", "will", "not", "it", "its", "than",
        "into");

    private static readonly FrozenSet<string>.AlternateLookup<ReadOnlySpan<char>> s_lookup =
        s_functionWords.GetAlternateLookup<ReadOnlySpan<char>>();

    /// <summary>Fewest function words, repeats included. A word counts only when it stands between white space: the
    /// <c>a,</c> of a parameter list does not.</summary>
    public int MinFunctionWords { get; init; } = 1;

    /// <inheritdoc/>
    public override void Apply(WorkingDocument document)
    {
        var text = document.Text.AsSpan();
        var count = 0;
        for (var i = 0; i < text.Length && count < MinFunctionWords;)
        {
            while (i < text.Length && CharacterSets.IsSpace(text[i]))
                i++;
            var start = i;
            while (i < text.Length && !CharacterSets.IsSpace(text[i]))
                i++;
            count += i - start is > 0 and <= 5 && s_lookup.Contains(text[start..i]) ? 1 : 0;
        }
        document.RejectBelow("no_prose", count, MinFunctionWords);
    }
}
