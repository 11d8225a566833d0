using System.IO.Compression;
using System.Runtime.CompilerServices;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Xunit;

namespace Finery.Tests.Data.Extraction;

/// <summary>Saved pages with the text of each article made by hand, where they are at hand.</summary>
internal static partial class WebArticles
{
    private static readonly Lazy<(string Id, string Html, string Article)[]> Read = new(ReadAll);

    public static (string Id, string Html, string Article)[] Pages
    {
        get
        {
            Assert.SkipUnless(Directory.Exists(Folder()), "the pages with their articles are not at hand");
            return Read.Value;
        }
    }

    /// <summary>Precision, recall and F1 as the public benchmark of article extraction takes them: shared 4-grams of words, averaged over
    /// pages.</summary>
    public static (double F1, double Precision, double Recall) Score(IEnumerable<(string Article, string Predicted)> pages)
    {
        List<double> precision = [], recall = [];
        foreach (var (article, predicted) in pages)
        {
            var (want, got) = (Shingles(article), Shingles(predicted));
            var hit = want.Sum(pair => Math.Min(pair.Value, got.GetValueOrDefault(pair.Key)));
            if (got.Count > 0)
                precision.Add(hit / (double)got.Values.Sum());
            if (want.Count > 0)
                recall.Add(got.Count > 0 ? hit / (double)want.Values.Sum() : 0);
        }
        var (p, r) = (precision.Average(), recall.Average());
        return (2 * p * r / (p + r), p, r);
    }

    private static Dictionary<string, int> Shingles(string text)
    {
        string[] words = [.. Word().Matches(text).Select(match => match.Value)];
        var shingles = new Dictionary<string, int>(StringComparer.Ordinal);
        for (var i = 0; i < Math.Max(1, words.Length - 3); i++)
        {
            var shingle = string.Join(' ', words.Skip(i).Take(4));
            if (shingle.Length > 0)
                shingles[shingle] = shingles.GetValueOrDefault(shingle) + 1;
        }
        return shingles;
    }

    private static (string, string, string)[] ReadAll()
    {
        var truth = JsonNode.Parse(File.ReadAllText(Path.Combine(Folder(), "ground-truth.json")))!.AsObject();
        return [.. truth.Select(pair => (pair.Key, Unzip(pair.Key), (string)pair.Value!["articleBody"]!))];
    }

    private static string Unzip(string id)
    {
        using var stream = new GZipStream(File.OpenRead(Path.Combine(Folder(), "html", id + ".html.gz")), CompressionMode.Decompress);
        using var reader = new StreamReader(stream);
        return reader.ReadToEnd();
    }

    private static string Folder([CallerFilePath] string file = "") =>
        Path.GetFullPath(Path.Combine(Path.GetDirectoryName(file)!, "..", "..", "..", "..", "..", "shared", "data", "web-articles"));

    // What Python's \w stands for, but for a few numerals.
    [GeneratedRegex(@"[\p{L}\p{N}_]+")]
    private static partial Regex Word();
}
