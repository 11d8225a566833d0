using System.Text;
using System.Text.RegularExpressions;
using Finery.Data.Filters;

namespace Finery.Tests.Data.Filters;

/// <summary>The published rules as plainly as they can be written, each a name and a measured value; for texts without lone
/// surrogates.</summary>
internal static class PlainFilters
{
    public static List<(string Rule, double Value)> GopherRepetition(string text, List<string> words)
    {
        List<(string, double)> values = [];
        double length = Length(text);
        if (length == 0) return values;
        Add("dup_para", Regex.Split(Strip(text), "\n{2,}"));
        Add("dup_line", Regex.Split(text, "\n+"));
        for (int n = 2; n <= 4; n++)
        {
            var runs = Runs(words, n, " ");
            var top = runs.GroupBy(run => run).OrderByDescending(group => group.Count()).FirstOrDefault();
            values.Add(($"top_{n}_gram", top is null ? 0 : Length(top.Key) * top.Count() / length));
        }
        for (int n = 5; n <= 10; n++)
        {
            var runs = Runs(words, n, "");
            HashSet<string> seen = [];
            double repeated = 0;
            for (int i = 0; i < runs.Count;)
            {
                if (seen.Add(runs[i])) i++;
                else
                {
                    repeated += Length(runs[i]);
                    i += n;
                }
            }
            values.Add(($"duplicated_{n}_n_grams", repeated / length));
        }
        return values;

        void Add(string rule, string[] pieces)
        {
            var (count, characters) = Repeats(pieces);
            values.Add((rule + "_frac", (double)count / pieces.Length));
            values.Add((rule + "_char_frac", characters / length));
        }
    }

    public static List<(string Rule, double Value)> GopherQuality(string text, List<string> words)
    {
        var plain = words.Where(word => !word.EnumerateRunes().All(rune => CharacterSets.IsSymbol(rune.Value))).ToList();
        double average = plain.Count == 0 ? 0 : plain.Sum(Length) / (double)plain.Count;
        double count = Math.Max(1, words.Count);
        var lines = SplitLines(text);
        double Share(Func<string, bool> rule) => lines.Count(rule) / (double)Math.Max(1, lines.Count);
        string[] stops = ["the", "be", "to", "of", "and", "that", "have", "with"];
        return
        [
            ("gopher_short_doc", plain.Count), ("gopher_long_doc", plain.Count),
            ("gopher_below_avg_threshold", average), ("gopher_above_avg_threshold", average),
            ("gopher_too_many_hashes", text.Count(c => c == '#') / count),
            ("gopher_too_many_ellipsis", (Regex.Count(text, @"\.\.\.") + text.Count(c => c == '…')) / count),
            ("gopher_too_many_bullets", Share(line => Strip(line).FirstOrDefault() is '•' or '-')),
            ("gopher_too_many_end_ellipsis", Share(line => Regex.IsMatch(Strip(line), @"(\.\.\.|…)\z"))),
            ("gopher_below_alpha_threshold", words.Count(word => word.EnumerateRunes().Any(Rune.IsLetter)) / count),
            ("gopher_enough_stop_words", stops.Count(words.Contains)),
        ];
    }

    public static List<(string Rule, double Value)> FineWebQuality(string text, List<string> words)
    {
        var lines = text.Split('\n').Where(line => Strip(line).Length > 0).ToList();
        if (lines.Count == 0) return [("empty", 1)];
        double feeds = text.Count(c => c == '\n');
        return
        [
            ("line_punct_ratio",
                lines.Count(line => CharacterSets.IsTerminal(line.EnumerateRunes().Last().Value)) / (double)lines.Count),
            ("short_line_ratio", lines.Count(line => Length(line) <= 30) / (double)lines.Count),
            ("char_dup_ratio", Repeats(lines).Characters / (Length(text) - feeds)),
            ("list_ratio", feeds / Math.Max(1, words.Count)),
        ];
    }

    /// <summary>Reason and rewritten text.</summary>
    public static (string? Reason, string Text) C4(string text, Func<string, List<string>> split, bool requirePunctuation)
    {
        List<string> kept = [];
        int sentences = 0;
        foreach (string raw in SplitLines(text))
        {
            string line = Strip(raw);
            var words = Regex.Split(line, @"[\s\x1C-\x1F]+").Where(word => word.Length > 0).ToList();
            if (words.Any(word => Length(word) > 1000)) continue;
            line = Regex.Replace(line, @"\[\d*]|\[edit]|\[citation needed]", "");
            bool ends = line.Length > 0 && ".?!\"'".Contains(line[^1]) && !line.EndsWith("...", StringComparison.Ordinal);
            if ((requirePunctuation && !ends) || words.Count < 3) continue;
            string lower = line.ToLowerInvariant();
            if (lower.Contains("lorem ipsum")) return ("lorem_ipsum", text);
            if (lower.Contains("javascript")) continue;
            if (line.Contains('{')) return ("curly_bracket", text);
            if (Regex.IsMatch(lower, "terms of use|privacy policy|cookie policy|uses cookies|use of cookies|use cookies"))
                continue;
            sentences += CountSentences(line, split(line));
            kept.Add(line);
        }
        return sentences < 5 ? ("too_few_sentences", text) : (null, Strip(string.Join('\n', kept)));
    }

    /// <summary>Sentences of a line.</summary>
    private static int CountSentences(string line, List<string> words)
    {
        int count = words.Count == 0 ? 0 : 1, at = 0;
        bool ended = false;
        foreach (string word in words)
        {
            int next = line.IndexOf(word, at, StringComparison.Ordinal);
            bool token = next - at > 1 || (next > at && line[at] != ' ');
            at = next + word.Length;
            bool ends = word.Length == 1 && CharacterSets.IsTerminal(word[0]);
            if (ended && (token || (!ends && !word.All(char.IsPunctuation))))
            {
                count++;
                ended = ends;
            }
            else ended |= ends;
        }
        return count;
    }

    private static (int Count, double Characters) Repeats(IEnumerable<string> pieces)
    {
        HashSet<string> seen = [];
        var repeats = pieces.Where(piece => !seen.Add(piece)).ToList();
        return (repeats.Count, repeats.Sum(Length));
    }

    private static List<string> Runs(List<string> words, int n, string separator) =>
        [.. Enumerable.Range(0, Math.Max(0, words.Count - n + 1)).Select(i => string.Join(separator, words.Skip(i).Take(n)))];

    private static List<string> SplitLines(string text)
    {
        var lines = Regex.Split(text, "\r\n|[\n\r\v\f\x1C-\x1E\x85\u2028\u2029]").ToList();
        if (lines[^1].Length == 0) lines.RemoveAt(lines.Count - 1);
        return lines;
    }

    private static string Strip(string text) => CharacterSets.Strip(text).ToString();

    private static int Length(string text) => text.EnumerateRunes().Count();
}
