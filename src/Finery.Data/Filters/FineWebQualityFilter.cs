namespace Finery.Data.Filters;

/// <summary>
/// FineWeb's own rules (Penedo et al. 2024, section 3.6) with the thresholds of the released code. A value equal to a threshold
/// is kept; zero disables a rule.
/// </summary>
public sealed record FineWebQualityFilter : DocumentFilter
{
    /// <summary>Least share of lines that end in a terminal character.</summary>
    public double MinPunctuatedLines { get; init; } = 0.12;

    /// <summary>Whether a text without any such line is exempt.</summary>
    public bool ExemptUnpunctuated { get; init; }

    /// <summary>Greatest share of short lines.</summary>
    public double MaxShortLines { get; init; } = 0.67;

    /// <summary>A line of at most this many code points is short.</summary>
    public int ShortLineLength { get; init; } = 30;

    /// <summary>Greatest share of characters in repeated lines.</summary>
    public double MaxDuplicateCharacters { get; init; } = 0.01;

    /// <summary>Most line feeds per word.</summary>
    public double MaxNewLinesPerWord { get; init; } = 0.3;

    /// <inheritdoc/>
    public override void Apply(WorkingDocument document)
    {
        var text = document.Text;
        var lines = new List<Range>();
        int punctuated = 0, shortLines = 0;
        foreach (var range in Lines.SplitAtRuns(text, .., 1))
        {
            var line = text.AsSpan(range);
            if (CharacterSets.StripLeft(line).IsEmpty)
                continue;
            lines.Add(range);
            System.Text.Rune.DecodeLastFromUtf16(line, out var last, out _);
            punctuated += CharacterSets.IsTerminal(last.Value) ? 1 : 0;
            shortLines += CharacterSets.Length(line) <= ShortLineLength ? 1 : 0;
        }
        if (lines.Count == 0)
        {
            document.Reject("empty");
            return;
        }
        var punctuation = (double)punctuated / lines.Count;
        if ((MinPunctuatedLines > 0 && !(punctuated == 0 && ExemptUnpunctuated)
                && document.RejectBelow("line_punct_ratio", punctuation, MinPunctuatedLines))
            || (MaxShortLines > 0 && document.RejectAbove("short_line_ratio", (double)shortLines / lines.Count, MaxShortLines)))
            return;
        var newLines = text.AsSpan().Count('\n');
        var (_, duplicateCharacters) = Lines.Duplicates(text, lines);
        if (MaxDuplicateCharacters > 0 && document.RejectAbove(
            "char_dup_ratio", (double)duplicateCharacters / (CharacterSets.Length(text) - newLines), MaxDuplicateCharacters))
            return;
        if (MaxNewLinesPerWord > 0)
            document.RejectAbove("list_ratio", (double)newLines / Math.Max(1, document.View.Words.Count), MaxNewLinesPerWord);
    }
}
