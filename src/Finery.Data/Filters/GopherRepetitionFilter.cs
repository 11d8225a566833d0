using Finery.Data.Filters.Segmentation;

namespace Finery.Data.Filters;

/// <summary>
/// The repetition rules of Gopher (Rae et al. 2021, table A1) in datatrove's order and thresholds. A value equal to a threshold
/// is kept; zero disables a rule. The denominator for characters is every code point of the text.
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

    /// <summary>ISO 639 code of the language whose word rules apply, or code and script (<c>fra_Latn</c>).</summary>
    public string Language { get; init; } = "en";

    /// <summary>Settings that cannot work.</summary>
    public IEnumerable<(string Property, string Message)> Validate() => WordRules.Problems(nameof(Language), Language);

    /// <inheritdoc/>
    /// <exception cref="ArgumentException"><see cref="Language"/> is unknown.</exception>
    public override void Apply(WorkingDocument document)
    {
        var text = document.Text.AsSpan();
        var view = document.View;
        double length = view.Length;
        if (length == 0)
            return;
        var start = text.Length - CharacterSets.StripLeft(text).Length;
        Lines.SplitAtRuns(text, start, start + CharacterSets.Strip(text).Length, 2, view.Pieces);
        if (RejectPieces(document, length,
                MaxDuplicateParagraphs, MaxDuplicateParagraphCharacters, "dup_para_frac", "dup_para_char_frac"))
            return;
        Lines.SplitAtRuns(text, 0, text.Length, 1, view.Pieces);
        _ = RejectPieces(document, length,
                MaxDuplicateLines, MaxDuplicateLineCharacters, "dup_line_frac", "dup_line_char_frac")
            || RejectNGrams(document, length);
    }

    private static bool RejectPieces(
        WorkingDocument document, double length, double maxCount, double maxCharacters, string countReason, string charReason)
    {
        if (maxCount <= 0 && maxCharacters <= 0)
            return false;
        var pieces = document.View.Pieces;
        var (count, characters) = Lines.Duplicates(document.Text, pieces, document.View.Occurrences);
        return (maxCount > 0 && document.RejectAbove(countReason, (double)count / pieces.Count, maxCount))
            || (maxCharacters > 0 && document.RejectAbove(charReason, characters / length, maxCharacters));
    }

    private bool RejectNGrams(WorkingDocument document, double length)
    {
        if (MaxTopNGram.Count + MaxDuplicateNGrams.Count == 0)
            return false;
        var runs = document.View.NGramsIn(Language);
        for (var i = 0; i < MaxTopNGram.Count; i++)
            if (MaxTopNGram[i] > 0 && document.RejectAbove(
                i < s_topReasons.Length ? s_topReasons[i] : TopReason(i), runs.TopLength(i + 2) / length, MaxTopNGram[i]))
                return true;
        for (var i = 0; i < MaxDuplicateNGrams.Count; i++)
            if (MaxDuplicateNGrams[i] > 0 && document.RejectAbove(
                i < s_duplicateReasons.Length ? s_duplicateReasons[i] : DuplicateReason(i),
                runs.RepeatedLength(i + 5) / length, MaxDuplicateNGrams[i]))
                return true;
        return false;
    }

    private static readonly string[] s_topReasons = [.. Enumerable.Range(0, 3).Select(TopReason)];

    private static readonly string[] s_duplicateReasons = [.. Enumerable.Range(0, 6).Select(DuplicateReason)];

    private static string TopReason(int i) => $"top_{i + 2}_gram";

    private static string DuplicateReason(int i) => $"duplicated_{i + 5}_n_grams";
}
