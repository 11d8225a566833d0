namespace Finery.Data.Filters;

/// <summary>The rule of multilingual C4 (Xue et al. 2021): enough long lines.</summary>
public sealed record C4ParagraphFilter : DocumentFilter
{
    /// <summary>Fewest lines of at least <see cref="MinParagraphLength"/>.</summary>
    public int MinParagraphs { get; init; } = 3;

    /// <summary>Fewest code points of a line that counts.</summary>
    public int MinParagraphLength { get; init; } = 200;

    /// <inheritdoc/>
    public override void Apply(WorkingDocument document)
    {
        var count = 0;
        foreach (var line in document.Text.AsSpan().Split('\n'))
        {
            var (start, length) = line.GetOffsetAndLength(document.Text.Length);
            if (length >= MinParagraphLength && CharacterSets.Length(document.Text.AsSpan(start, length)) >= MinParagraphLength)
                count++;
        }
        document.RejectBelow($"< {MinParagraphs} paragraphs", count, MinParagraphs);
    }
}
