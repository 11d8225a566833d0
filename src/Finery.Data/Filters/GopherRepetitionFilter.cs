namespace Finery.Data.Filters;

/// <summary>
/// The repetition rules of Gopher (Rae et al. 2021, table A1) in datatrove's order and thresholds. A value equal to a threshold
/// is kept; zero disables a rule. The denominator for characters is every code point of the text. Words are those of
/// <c>Words</c>, a simpler rule than the published run's.
/// </summary>
public sealed record GopherRepetitionFilter : DocumentFilter
{
    /// <summary>Greatest share of paragraphs that repeat an earlier one.</summary>
    public double MaxDuplicateParagraphs { get; init; } = 0.30;

    /// <summary>Greatest share of characters in such paragraphs.</summary>
    public double MaxDuplicateParagraphCharacters { get; init; } = 0.20;

    /// <summary>Greatest share of lines that repeat an earlier one.</summary>
    public double MaxDuplicateLines { get; init; } = 0.30;

    /// <summary>Greatest share of characters in such lines.</summary>
    public double MaxDuplicateLineCharacters { get; init; } = 0.20;

    /// <summary>Greatest share of characters in all occurrences of the most frequent n-gram; entry i is for n = i + 2.</summary>
    public IReadOnlyList<double> MaxTopNGram { get; init; } = [0.20, 0.18, 0.16];

    /// <summary>Greatest share of characters in n-grams seen before; entry i is for n = i + 5.</summary>
    public IReadOnlyList<double> MaxDuplicateNGrams { get; init; } = [0.15, 0.14, 0.13, 0.12, 0.11, 0.10];

    /// <inheritdoc/>
    public override void Apply(WorkingDocument document)
    {
        var text = document.Text;
        double length = CharacterSets.Length(text);
        if (length == 0)
            return;
        var body = CharacterSets.Strip(text);
        var start = text.Length - CharacterSets.StripLeft(text).Length;
        _ = RejectPieces(document, Lines.SplitAtRuns(text, start..(start + body.Length), 2), length,
                MaxDuplicateParagraphs, MaxDuplicateParagraphCharacters, "dup_para_frac", "dup_para_char_frac")
            || RejectPieces(document, Lines.SplitAtRuns(text, .., 1), length,
                MaxDuplicateLines, MaxDuplicateLineCharacters, "dup_line_frac", "dup_line_char_frac")
            || RejectNGrams(document, length);
    }

    private static bool RejectPieces(
        WorkingDocument document, List<Range> pieces, double length,
        double maxCount, double maxCharacters, string countReason, string charReason)
    {
        var (count, characters) = Lines.Duplicates(document.Text, pieces);
        return (maxCount > 0 && document.RejectAbove(countReason, (double)count / pieces.Count, maxCount))
            || (maxCharacters > 0 && document.RejectAbove(charReason, characters / length, maxCharacters));
    }

    private bool RejectNGrams(WorkingDocument document, double length)
    {
        var words = new WordHashes(document.Text, document.View.Words);
        for (var i = 0; i < MaxTopNGram.Count; i++)
            if (MaxTopNGram[i] > 0 && document.RejectAbove($"top_{i + 2}_gram", words.TopNGramLength(i + 2) / length, MaxTopNGram[i]))
                return true;
        for (var i = 0; i < MaxDuplicateNGrams.Count; i++)
            if (MaxDuplicateNGrams[i] > 0 && document.RejectAbove(
                $"duplicated_{i + 5}_n_grams", words.DuplicateNGramLength(i + 5) / length, MaxDuplicateNGrams[i]))
                return true;
        return false;
    }
}
