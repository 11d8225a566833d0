using System.Diagnostics;
using System.IO.Compression;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using AngleSharp.Html.Parser;
using Finery.Data.Extraction;

namespace Finery.Benchmarks;

/// <summary>
/// Extraction of articles on one thread, by turns with AngleSharp's building of a tree alone: <c>extraction [--data FOLDER]
/// [--rounds 15]</c>. The folder holds <c>html/*.html.gz</c> and <c>ground-truth.json</c>; without it, shared/data/web-articles
/// beside the repository. One JSON line for the quality, one for the speed (medians of rounds and of their ratios).
/// </summary>
internal static class ExtractionBenchmark
{
    private const int WarmUp = 5;

    public static void Run(string[] args)
    {
        var folder = Options.Value(args, "--data") ?? Path.Combine(Repository.Data, "web-articles");
        var rounds = Options.Number(args, "--rounds", 15);
        if (!Directory.Exists(folder))
            throw new FormatException($"--data: there is no folder '{folder}'.");
        var truth = JsonNode.Parse(File.ReadAllText(Path.Combine(folder, "ground-truth.json")))!.AsObject();
        var pages = truth.Select(pair => (Html: Read(folder, pair.Key), Article: (string)pair.Value!["articleBody"]!)).ToArray();
        var bytes = pages.Sum(page => (long)Encoding.UTF8.GetByteCount(page.Html));
        var extractor = new HtmlExtractor();
        PrintQuality(pages, extractor);
        Measure(pages, bytes, rounds, extractor);
    }

    private static void PrintQuality((string Html, string Article)[] pages, HtmlExtractor extractor)
    {
        var extracted = pages.Select(page => (page.Article, extractor.Extract(page.Html).Text)).ToArray();
        Print("extraction quality", pages.Length, extracted);
        Print("extraction quality, even pages", pages.Length / 2, extracted.Where((_, i) => i % 2 == 0));
        Print("extraction quality, odd pages", pages.Length / 2, extracted.Where((_, i) => i % 2 == 1));
    }

    private static void Print(string name, int pages, IEnumerable<(string, string)> extracted)
    {
        var score = ArticleScore.Of(extracted);
        Console.WriteLine(JsonSerializer.Serialize(new Dictionary<string, object>
        {
            ["case"] = name, ["pages"] = pages, ["f1"] = Math.Round(score.F1, 4), ["precision"] = Math.Round(score.Precision, 4),
            ["recall"] = Math.Round(score.Recall, 4),
        }));
    }

    private static void Measure((string Html, string Article)[] pages, long bytes, int rounds, HtmlExtractor extractor)
    {
        var parser = new HtmlParser();
        List<double> ours = [], tree = [];
        for (var round = -WarmUp; round < rounds; round++)
        {
            var extracting = Seconds(pages, html => extractor.Extract(html));
            var parsing = Seconds(pages, html =>
            {
                using var document = parser.ParseDocument(html);
            });
            if (round < 0)
                continue;
            ours.Add(pages.Length / extracting);
            tree.Add(pages.Length / parsing);
        }
        Measurement.Print("extraction, beside AngleSharp's tree alone", ours, tree, "pages/s", 1);
        double megabytes = bytes / 1e6 / pages.Length;
        Measurement.Print(
            "extraction, beside AngleSharp's tree alone", [.. ours.Select(rate => rate * megabytes)],
            [.. tree.Select(rate => rate * megabytes)], "MB/s", 1);
    }

    private static double Seconds((string Html, string Article)[] pages, Action<string> work)
    {
        var start = Stopwatch.GetTimestamp();
        foreach (var page in pages)
            work(page.Html);
        return Stopwatch.GetElapsedTime(start).TotalSeconds;
    }

    private static string Read(string folder, string id)
    {
        using var file = File.OpenRead(Path.Combine(folder, "html", id + ".html.gz"));
        using var stream = new GZipStream(file, CompressionMode.Decompress);
        using var reader = new StreamReader(stream);
        return reader.ReadToEnd();
    }
}
