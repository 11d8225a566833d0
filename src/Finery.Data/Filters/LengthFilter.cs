namespace Finery.Data.Filters;

/// <summary>Drops texts that are too short or too long. Zero disables a bound.</summary>
public sealed record LengthFilter : DocumentFilter
{
    /// <summary>Fewest code points; below: <c>too_short</c>.</summary>
    public int MinCharacters { get; init; }

    /// <summary>Most code points; above: <c>too_long</c>.</summary>
    public int MaxCharacters { get; init; }

    /// <summary>Fewest pieces between white space; below: <c>too_few_words</c>.</summary>
    public int MinWords { get; init; }

    /// <inheritdoc/>
    public override void Apply(WorkingDocument document)
    {
        var length = CharacterSets.Length(document.Text);
        if (document.RejectBelow("too_short", length, MinCharacters)
            || (MaxCharacters > 0 && document.RejectAbove("too_long", length, MaxCharacters)))
            return;
        if (MinWords > 0)
            document.RejectBelow("too_few_words", CountWords(document.Text), MinWords);
    }

    private static int CountWords(string text)
    {
        var count = 0;
        var inWord = false;
        foreach (var c in text)
        {
            var isSpace = CharacterSets.IsSpace(c);
            if (!isSpace && !inWord)
                count++;
            inWord = !isSpace;
        }
        return count;
    }
}
