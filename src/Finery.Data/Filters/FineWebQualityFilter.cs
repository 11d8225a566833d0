using System.Text;
using Finery.Data.Filters.Segmentation;

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

    /// <summary>ISO 639 code of the language whose word rules apply, or code and script (<c>fra_Latn</c>).</summary>
    public string Language { get; init; } = "en";

    /// <summary>Settings that cannot work.</summary>
    public IEnumerable<(string Property, string Message)> Validate() => WordRules.Problems(nameof(Language), Language);

    /// <inheritdoc/>
    /// <exception cref="ArgumentException"><see cref="Language"/> is unknown.</exception>
    public override void Apply(WorkingDocument document)
    {
        var text = document.Text.AsSpan();
        var lines = document.View.Pieces;
        SplitWrittenLines(text, lines);
        if (lines.Count == 0)
        {
            document.Reject("empty");
            return;
        }
        int punctuated = 0, shortLines = 0;
        for (var i = 0; i < lines.Count; i++)
        {
            var line = text[lines[i]];
            Rune.DecodeLastFromUtf16(line, out var last, out _);
            punctuated += CharacterSets.IsTerminal(last.Value) ? 1 : 0;
            // Half as many code points as units is the fewest there can be.
            shortLines += line.Length <= 2 * ShortLineLength && CharacterSets.Length(line) <= ShortLineLength ? 1 : 0;
        }
        var punctuation = (double)punctuated / lines.Count;
        if ((MinPunctuatedLines > 0 && !(punctuated == 0 && ExemptUnpunctuated)
                && document.RejectBelow("line_punct_ratio", punctuation, MinPunctuatedLines))
            || (MaxShortLines > 0 && document.RejectAbove("short_line_ratio", (double)shortLines / lines.Count, MaxShortLines)))
            return;
        var newLines = text.Count('\n');
        if (MaxDuplicateCharacters > 0)
        {
            var (_, duplicates) = Lines.Duplicates(text, lines, document.View.Occurrences);
            if (document.RejectAbove(
                "char_dup_ratio", (double)duplicates / (document.View.Length - newLines), MaxDuplicateCharacters))
                return;
        }
        if (MaxNewLinesPerWord > 0)
            document.RejectAbove(
                "list_ratio", (double)newLines / Math.Max(1, document.View.WordsIn(Language).Count), MaxNewLinesPerWord);
    }

    /// <summary>Lines with more than white space, as they stand.</summary>
    private static void SplitWrittenLines(ReadOnlySpan<char> text, TextSpans lines)
    {
        lines.Clear();
        for (var start = 0; start < text.Length;)
        {
            var length = text[start..].IndexOf('\n');
            var end = length < 0 ? text.Length : start + length;
            if (!CharacterSets.StripLeft(text[start..end]).IsEmpty)
                lines.Add(start, end);
            start = end + 1;
        }
    }
}
