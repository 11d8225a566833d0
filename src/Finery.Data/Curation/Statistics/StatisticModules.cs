using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text;
using Finery.Data.Filters;

namespace Finery.Data.Curation.Statistics;

/// <summary>Kinds of statistics.</summary>
[Flags]
public enum StatisticKinds
{
    /// <summary>None.</summary>
    None = 0,

    /// <summary>Length and shares of classes of characters.</summary>
    Document = 1,

    /// <summary>Number, length and repetition of lines.</summary>
    Line = 2,

    /// <summary>Number, length and repetition of paragraphs.</summary>
    Paragraph = 4,

    /// <summary>Number and length of sentences.</summary>
    Sentence = 8,

    /// <summary>Number, length and variety of words.</summary>
    Word = 16,

    /// <summary><c>token_count</c> of the metadata, where it is there.</summary>
    Token = 32,

    /// <summary><c>language_score</c> of the metadata by language, where it is there.</summary>
    Language = 64,

    /// <summary>All of them.</summary>
    All = 127,
}

/// <summary>What is measured of one document, by the names and formulas of datatrove 0.10. Where that divides by zero the
/// value is left out.</summary>
internal static class StatisticModules
{
    private static readonly string[] s_stopWords = ["the", "be", "to", "of", "and", "that", "have", "with"];

    private static readonly CharacterClass[] s_ascii = [.. Enumerable.Range(0, 128).Select(c => ClassesOf(new Rune(c)))];

    [Flags]
    private enum CharacterClass
    {
        None = 0,
        Space = 1,
        Letter = 2,
        Digit = 4,
        Upper = 8,
        Punctuation = 16,
    }

    public static void Measure(WorkingDocument document, StatisticKinds kinds, Action<string, double> report)
    {
        var text = document.Text;
        if (text.Length > 0)
        {
            if (kinds.HasFlag(StatisticKinds.Document))
                MeasureDocument(text, report);
            if (kinds.HasFlag(StatisticKinds.Line))
                MeasureLines(document, report);
            if (kinds.HasFlag(StatisticKinds.Paragraph))
                MeasureParagraphs(document, report);
            if (kinds.HasFlag(StatisticKinds.Sentence))
                MeasureSentences(document, report);
            if (kinds.HasFlag(StatisticKinds.Word))
                MeasureWords(document, report);
        }
        var metadata = document.Document.Metadata;
        if (kinds.HasFlag(StatisticKinds.Token) && MetadataFilter.NumberOf(metadata["token_count"]) is { } tokens)
            report("token_count", tokens);
        if (kinds.HasFlag(StatisticKinds.Language) && document.GetMetadata("language") is { } language
            && MetadataFilter.NumberOf(metadata["language_score"]) is { } score)
            report("fasttext_" + language, score);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void MeasureDocument(string text, Action<string, double> report)
    {
        // How many characters are of each combination of classes.
        Span<int> counts = stackalloc int[32];
        counts.Clear();
        var ascii = s_ascii;
        for (var i = 0; i < text.Length; i++)
        {
            if (text[i] < ascii.Length)
            {
                counts[(int)ascii[text[i]]]++;
                continue;
            }
            Rune.DecodeFromUtf16(text.AsSpan(i), out var rune, out var units);
            counts[(int)ClassesOf(rune)]++;
            i += units - 1;
        }
        double length = 0;
        int space = 0, letters = 0, digits = 0, upper = 0, punctuation = 0;
        for (var classes = 0; classes < counts.Length; classes++)
        {
            var count = counts[classes];
            length += count;
            space += Has(CharacterClass.Space) ? count : 0;
            letters += Has(CharacterClass.Letter) ? count : 0;
            digits += Has(CharacterClass.Digit) ? count : 0;
            upper += Has(CharacterClass.Upper) ? count : 0;
            punctuation += Has(CharacterClass.Punctuation) ? count : 0;

            bool Has(CharacterClass wanted) => ((CharacterClass)classes & wanted) != 0;
        }
        report("length", length);
        report("white_space_ratio", space / length);
        report("non_alpha_digit_ratio", (length - letters - digits) / length);
        report("digit_ratio", digits / length);
        report("uppercase_ratio", upper / length);
        report("elipsis_ratio", (3 * text.AsSpan().Count("...") + text.AsSpan().Count('…')) / length);
        report("punctuation_ratio", punctuation / length);
    }

    private static CharacterClass ClassesOf(Rune rune)
    {
        var category = Rune.GetUnicodeCategory(rune);
        var classes = category == UnicodeCategory.DecimalDigitNumber || IsSuperscriptDigit(rune.Value) ? CharacterClass.Digit
            : category <= UnicodeCategory.OtherLetter ? CharacterClass.Letter : CharacterClass.None;
        return classes
            | (rune.IsBmp && CharacterSets.IsSpace((char)rune.Value) ? CharacterClass.Space : CharacterClass.None)
            | (category == UnicodeCategory.UppercaseLetter ? CharacterClass.Upper : CharacterClass.None)
            | (CharacterSets.IsPunctuation(rune.Value) ? CharacterClass.Punctuation : CharacterClass.None);
    }

    private static void MeasureLines(WorkingDocument document, Action<string, double> report)
    {
        var text = document.Text;
        var lines = SplitAtLineFeeds(text);
        double count = lines.Count;
        long characters = 0;
        int upTo10 = 0, upTo30 = 0, from2000 = 0, from10000 = 0, ended = 0, bullets = 0;
        foreach (var range in lines)
        {
            var line = text.AsSpan(range);
            var length = CharacterSets.Length(line);
            characters += length;
            upTo10 += length <= 10 ? 1 : 0;
            upTo30 += length <= 30 ? 1 : 0;
            from2000 += length >= 2000 ? 1 : 0;
            from10000 += length >= 10000 ? 1 : 0;
            ended += line is [.., '.' or '?' or '!' or '"' or '\''] ? 1 : 0;
            bullets += CharacterSets.StripLeft(line) is ['-' or '*' or '•', ..] ? 1 : 0;
        }
        var (duplicates, duplicateCharacters) = Duplicates(document, lines);
        report("n_lines", count);
        report("avg_line_length", characters / count);
        report("short_line_ratio_chars_10", upTo10 / count);
        report("short_line_ratio_chars_30", upTo30 / count);
        report("long_line_ratio_chars_2000", from2000 / count);
        report("long_line_ratio_chars_10000", from10000 / count);
        report("lines_ending_with_terminal_mark_ratio", ended / count);
        report("bullet_point_lines_ratio", bullets / count);
        report("line_duplicates", duplicates / count);
        if (characters > 0)
            report("line_char_duplicates", duplicateCharacters / (double)characters);
    }

    private static void MeasureParagraphs(WorkingDocument document, Action<string, double> report)
    {
        var text = document.Text;
        var paragraphs = new List<Range>();
        for (int start = 0, end; start <= text.Length; start = end + 2)
        {
            end = text.IndexOf("\n\n", start, StringComparison.Ordinal);
            if (end < 0)
                end = text.Length;
            if (!CharacterSets.Strip(text.AsSpan(start..end)).IsEmpty)
                paragraphs.Add(start..end);
        }
        if (paragraphs.Count == 0)
            return;
        ReportLengths(text, paragraphs, "paragraph", 100, 1000, report);
        var characters = paragraphs.Sum(p => (long)CharacterSets.Length(text.AsSpan(p)));
        var (duplicates, duplicateCharacters) = Duplicates(document, paragraphs);
        report("paragraph_duplicates", duplicates / (double)paragraphs.Count);
        if (characters > 0)
            report("paragraph_char_duplicates", duplicateCharacters / (double)characters);
    }

    private static (int Count, long Characters) Duplicates(WorkingDocument document, List<Range> pieces)
    {
        var spans = document.View.Pieces;
        spans.Clear();
        foreach (var piece in pieces)
            spans.Add(piece.Start.Value, piece.End.Value);
        return Lines.Duplicates(document.Text, spans, document.View.Occurrences);
    }

    private static void MeasureSentences(WorkingDocument document, Action<string, double> report)
    {
        var text = document.Text;
        var sentences = document.View.Sentences.FindAll(s => !CharacterSets.Strip(text.AsSpan(s)).IsEmpty);
        if (sentences.Count > 0)
            ReportLengths(text, sentences, "sentence", 20, 75, report);
    }

    private static void MeasureWords(WorkingDocument document, Action<string, double> report)
    {
        var text = document.Text;
        var words = document.View.Words;
        if (words.Count == 0)
            return;
        double count = words.Count;
        int upper = 0, title = 0, stop = 0;
        var different = new HashSet<string>(StringComparer.Ordinal);
        var lookup = different.GetAlternateLookup<ReadOnlySpan<char>>();
        foreach (var range in words)
        {
            var word = text.AsSpan(range);
            lookup.Add(word);
            var (isUpper, isTitle) = CaseOf(word);
            upper += isUpper ? 1 : 0;
            title += isTitle ? 1 : 0;
            foreach (var stopWord in s_stopWords)
                stop += word.SequenceEqual(stopWord) ? 1 : 0;
        }
        ReportLengths(text, words, "word", 3, 7, report);
        Lines.SplitLines(text, document.View.Pieces);
        report("avg_words_per_line", count / Math.Max(1, document.View.Pieces.Count));
        report("type_token_ratio", different.Count / count);
        report("uppercase_word_ratio", upper / count);
        report("capitalized_word_ratio", title / count);
        report("stop_word_ratio", stop / count);
    }

    private static void ReportLengths(
        string text, List<Range> pieces, string name, int atMost, int atLeast, Action<string, double> report)
    {
        long characters = 0;
        int below = 0, above = 0;
        foreach (var piece in pieces)
        {
            var length = CharacterSets.Length(text.AsSpan(piece));
            characters += length;
            below += length <= atMost ? 1 : 0;
            above += length >= atLeast ? 1 : 0;
        }
        double count = pieces.Count;
        report($"n_{name}s", count);
        report($"avg_{name}_length", characters / count);
        report($"short_{name}_ratio_{atMost}", below / count);
        report($"long_{name}_ratio_{atLeast}", above / count);
    }

    private static List<Range> SplitAtLineFeeds(string text)
    {
        var lines = new List<Range>();
        foreach (var range in text.AsSpan().Split('\n'))
            lines.Add(range);
        return lines;
    }

    // Python's isupper (a cased letter, none of them lower) and istitle (capitals start runs of letters, and only they do).
    private static (bool Upper, bool Title) CaseOf(ReadOnlySpan<char> word)
    {
        bool cased = false, upper = true, title = true, afterCased = false;
        foreach (var rune in word.EnumerateRunes())
        {
            var category = Rune.GetUnicodeCategory(rune);
            var isUpper = category is UnicodeCategory.UppercaseLetter or UnicodeCategory.TitlecaseLetter;
            var isLower = category == UnicodeCategory.LowercaseLetter;
            cased |= isUpper || isLower;
            upper &= !isLower && category != UnicodeCategory.TitlecaseLetter;
            title &= isUpper ? !afterCased : !isLower || afterCased;
            afterCased = isUpper || isLower;
        }
        return (cased && upper, cased && title);
    }

    private static bool IsSuperscriptDigit(int c) => c is 0xB2 or 0xB3 or 0xB9 or 0x2070 or (>= 0x2074 and <= 0x2079)
        or (>= 0x2080 and <= 0x2089) or (>= 0x2460 and <= 0x2468);
}
