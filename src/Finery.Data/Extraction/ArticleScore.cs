using System.Text.RegularExpressions;

namespace Finery.Data.Extraction;

/// <summary>How well extracted texts match articles made by hand.</summary>
/// <param name="Precision">Share of the 4-grams of words extracted that are the article's, averaged over pages with any.</param>
/// <param name="Recall">Share of the article's 4-grams that are extracted, averaged over pages.</param>
internal readonly partial record struct ArticleScore(double Precision, double Recall)
{
    private const int Words = 4;

    /// <summary>Harmonic mean of both averages.</summary>
    public double F1 => Precision + Recall > 0 ? 2 * Precision * Recall / (Precision + Recall) : 0;

    /// <summary>Scores pages as the public benchmark of article extraction (scrapinghub) does.</summary>
    public static ArticleScore Of(IEnumerable<(string Article, string Extracted)> pages)
    {
        List<double> precision = [], recall = [];
        foreach (var (article, extracted) in pages)
        {
            var (want, got) = (Shingles(article), Shingles(extracted));
            var hits = want.Sum(pair => Math.Min(pair.Value, got.GetValueOrDefault(pair.Key)));
            if (got.Count > 0)
                precision.Add(hits / (double)got.Values.Sum());
            if (want.Count > 0)
                recall.Add(got.Count > 0 ? hits / (double)want.Values.Sum() : 0);
        }
        return new(precision.DefaultIfEmpty().Average(), recall.DefaultIfEmpty().Average());
    }

    private static Dictionary<string, int> Shingles(string text)
    {
        string[] words = [.. Word().Matches(text).Select(match => match.Value)];
        var shingles = new Dictionary<string, int>(StringComparer.Ordinal);
        // A text of fewer words is one shingle.
        for (var i = 0; i < Math.Max(1, words.Length - Words + 1); i++)
        {
            var shingle = string.Join(' ', words, i, Math.Min(Words, words.Length - i));
            if (shingle.Length > 0)
                shingles[shingle] = shingles.GetValueOrDefault(shingle) + 1;
        }
        return shingles;
    }

    // What \w is in Python: letters and numerals of any kind, without marks.
    [GeneratedRegex(@"[\p{L}\p{N}_]+")]
    private static partial Regex Word();
}
