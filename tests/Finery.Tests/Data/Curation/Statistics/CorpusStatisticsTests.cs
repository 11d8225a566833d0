using System.Text.Json.Nodes;
using Finery.Data;
using Finery.Data.Curation.Statistics;
using Finery.Data.Filters;
using Finery.Data.Filters.Urls;
using Finery.Tests.Models;
using Xunit;

namespace Finery.Tests.Data.Curation.Statistics;

public sealed class CorpusStatisticsTests
{
    private static WorkingDocument Of(string text, string? url = null) =>
        new(new Document("id", text) { Metadata = url is null ? [] : new JsonObject { ["url"] = url } });

    private static Dictionary<string, double> Histogram(CorpusStatistics statistics, string name) =>
        statistics.ToJson()["histogram"]![name]!.AsObject().ToDictionary(e => e.Key, e => e.Value!.GetValue<double>());

    private static CorpusStatistics Sum(params string[] texts)
    {
        var statistics = new CorpusStatistics();
        foreach (var text in texts)
            statistics.Add(Of(text, "test.cz"));
        return statistics;
    }

    [Fact]
    public void Groups_of_the_reference()
    {
        var statistics = new CorpusStatistics();
        foreach (var (value, url) in new[] { (1.5, "test1.co.uk"), (2.0, "test1.co.uk"), (1.0, "test2.cz"), (1.0, "test3.cz") })
            statistics.Add("stat", value, WebAddress.Parse(url, PublicSuffixes.Bundled), 1, null);
        double Total(string group, string key) => statistics.Find(group, "stat", key)!.Total;
        Assert.Equal(5.5, Total("summary", "summary"));
        Assert.Equal((3.5, 1.0, 1.0), (Total("fqdn", "test1.co.uk"), Total("fqdn", "test2.cz"), Total("fqdn", "test3.cz")));
        Assert.Equal((3.5, 2.0), (Total("suffix", "co.uk"), Total("suffix", "cz")));
        Assert.Equal((2.0, 1.0, 1.0), (Total("histogram", "1.0"), Total("histogram", "1.5"), Total("histogram", "2.0")));
    }

    [Fact]
    public void Line_document_and_word_values_of_the_reference()
    {
        var lines = Sum("hello\nhow\nare \nyou?", "test test a");
        Assert.Equal(new() { ["1"] = 1, ["4"] = 1 }, Histogram(lines, "n_lines"));
        Assert.Equal(new() { ["11.0"] = 1, ["4.0"] = 1 }, Histogram(lines, "avg_line_length"));
        var documents = Sum("1~", "test ");
        Assert.Equal(new() { ["2"] = 1, ["5"] = 1 }, Histogram(documents, "length"));
        Assert.Equal(new() { ["0.0"] = 1, ["0.2"] = 1 }, Histogram(documents, "white_space_ratio"));
        Assert.Equal(new() { ["0.2"] = 1, ["0.5"] = 1 }, Histogram(documents, "non_alpha_digit_ratio"));
        Assert.Equal(new() { ["0.0"] = 1, ["0.5"] = 1 }, Histogram(documents, "digit_ratio"));
        var words = Sum("okay\nokay", "test test a", "looooooooong");
        Assert.Equal(new() { ["1"] = 1, ["2"] = 1, ["3"] = 1 }, Histogram(words, "n_words"));
        Assert.Equal(new() { ["12.0"] = 1, ["3.0"] = 1, ["4.0"] = 1 }, Histogram(words, "avg_word_length"));
        Assert.Equal(new() { ["1.0"] = 2, ["3.0"] = 1 }, Histogram(words, "avg_words_per_line"));
        Assert.Equal(new() { ["0.0"] = 2, ["0.333"] = 1 }, Histogram(words, "short_word_ratio_3"));
        Assert.Equal(new() { ["0.0"] = 2, ["1.0"] = 1 }, Histogram(words, "long_word_ratio_7"));
        Assert.Equal(2, words.Find("histogram", "n_words__chars", "2")!.Mean - 7);
    }

    [Theory]
    [InlineData(0.1875, 3, false, "0.188")]
    [InlineData(0.0625, 3, false, "0.062")]
    [InlineData(2.675, 2, false, "2.67")]
    [InlineData(1 / 3.0, 3, false, "0.333")]
    [InlineData(10 / 3.0, 3, false, "3.333")]
    [InlineData(4, 3, false, "4.0")]
    [InlineData(4, 3, true, "4")]
    [InlineData(2.5, 0, false, "2.0")]
    [InlineData(0, 3, false, "0.0")]
    public void Values_round_as_python_does(double value, int digits, bool isCount, string expected) =>
        Assert.Equal(expected, CorpusStatistics.HistogramKey(value, digits, isCount));

    [Fact]
    public void Duplicate_lines_of_the_reference() =>
        // 3 of 16 characters: .1875.
        Assert.Equal(new() { ["0.188"] = 1 }, Histogram(Sum("abc\nabc\n0123456789"), "line_char_duplicates"));

    [Fact]
    public void Metric_json_leaves_out_what_follows()
    {
        static string Json(params double[] values)
        {
            var moments = new RunningMoments();
            foreach (var value in values)
                moments.Add(value);
            return moments.ToJson().ToJsonString();
        }
        Assert.Equal("0", Json());
        Assert.Equal("0", Json(0, 0));
        Assert.Equal("3", Json(1, 1, 1));
        Assert.Equal("{\"total\":2,\"mean\":2}", Json(2));
        Assert.Equal("{\"total\":4,\"n\":2,\"mean\":2}", Json(2, 2));
        Assert.Equal("{\"total\":6,\"n\":2,\"mean\":3,\"variance\":2,\"std_dev\":1.4142135623730951,\"min\":2,\"max\":4}",
            Json(2, 4));
    }

    [Fact]
    public void Parts_and_order_do_not_matter()
    {
        var random = new Random(31);
        var documents = Enumerable.Range(0, 120).Select(_ => Of(
            string.Concat(Enumerable.Range(0, random.Next(60)).Select(_ => "The of a River 1 2.\n“é😀"[random.Next(24)])),
            $"https://www.site{random.Next(20)}.{(random.Next(2) == 0 ? "co.uk" : "de")}/x")).ToList();
        var whole = new CorpusStatistics();
        documents.ForEach(whole.Add);
        foreach (var parts in new[] { 2, 7 })
        {
            var merged = new CorpusStatistics();
            for (var part = 0; part < parts; part++)
            {
                var one = new CorpusStatistics();
                foreach (var document in documents.Where((_, i) => i % parts == part).Reverse())
                    one.Add(document);
                using var state = new MemoryStream();
                one.Save(state);
                state.Position = 0;
                merged.MergeSaved(state);
            }
            Assert.Equal(whole.Documents, merged.Documents);
            AssertClose(whole.ToJson(), merged.ToJson());
        }
    }

    [Fact]
    public void A_stage_measures_parts_and_writes_the_merged_metrics()
    {
        using var folder = new TemporaryFolder();
        var corpus = new ListCorpus([Of("one two", "https://a.co.uk").Document], [Of("three", "https://b.de").Document]);
        var stage = new StatisticsStage { Kinds = [StatisticKinds.Word] };
        for (var twice = 0; twice < 2; twice++)
            foreach (var phase in stage.Phases(corpus, folder.Path))
                for (var task = 0; task < phase.Tasks; task++)
                    phase.Run(task, new(1 << 20, 1, CancellationToken.None));
        var words = JsonNode.Parse(File.ReadAllText(Path.Combine(folder.Path, "summary", "n_words", "metric.json")))!;
        Assert.Equal(3, words["summary"]!["total"]!.GetValue<int>());
        Assert.Equal("{\"co.uk\":{\"total\":2,\"mean\":2},\"de\":1}",
            File.ReadAllText(Path.Combine(folder.Path, "suffix", "n_words", "metric.json")));
        var document = Of("one two");
        using var part = stage.Open(corpus, folder.Path, 0);
        part.Apply(document, 0);
        Assert.Equal("one two", document.Text);
    }

    [Fact]
    public void Rare_hosts_are_forgotten_within_the_bound()
    {
        var statistics = new CorpusStatistics(StatisticKinds.Document, maxKeys: 2);
        for (var i = 0; i < 100; i++)
        {
            statistics.Add(Of("text", $"https://rare{i}.com/"));
            statistics.Add(Of("text", $"https://often{i % 2}.com/"));
        }
        Assert.Equal(["often0.com", "often1.com"], statistics.ToJson()["fqdn"]!["length"]!.AsObject().Select(e => e.Key));
        Assert.Equal(50, statistics.Find("fqdn", "length", "often0.com")!.Count);
        // Without the memory for four times two, only half are held while counting.
        var small = new CorpusStatistics(StatisticKinds.Document, maxKeys: 100, memoryBytes: 4 * 80 * 256);
        for (var i = 0; i < 100; i++)
            small.Add(Of("text", $"https://rare{i}.com/"));
        Assert.InRange(small.ToJson()["fqdn"]!["length"]!.AsObject().Count, 2, 4);
        Assert.Equal(100, small.Find("summary", "length", "summary")!.Count);
    }

    [Fact]
    public void A_damaged_state_is_refused()
    {
        using var state = new MemoryStream();
        Sum("some text").Save(state);
        foreach (var length in new[] { 0, 7, 20, (int)state.Length / 2, (int)state.Length - 1 })
            Assert.Throws<InvalidDataException>(
                () => new CorpusStatistics().MergeSaved(new MemoryStream(state.ToArray()[..length])));
        Assert.Throws<InvalidDataException>(() => new CorpusStatistics().MergeSaved(new MemoryStream(new byte[64])));
    }

    [Fact]
    public void Any_text_is_measured()
    {
        var statistics = Sum("", "\n", "\n\n", " ", "\uD800", "...", "\u0000", "．．", "😀");
        Assert.Equal(9, statistics.Documents);
        var document = Of("x");
        document.SetMetadata("token_count", 7);
        document.SetMetadata("language", "en");
        document.SetMetadata("language_score", 0.887);
        statistics.Add(document);
        Assert.Equal(7, statistics.Find("summary", "token_count", "summary")!.Total);
        Assert.Equal(1, statistics.Find("histogram", "fasttext_en", "0.887")!.Total);
        Assert.Equal(7, statistics.Find("histogram", "length__tokens", "1")!.Total);
    }

    private static void AssertClose(JsonNode expected, JsonNode actual)
    {
        if (expected is JsonObject map)
        {
            Assert.Equal(map.Select(e => e.Key), actual.AsObject().Select(e => e.Key));
            foreach (var (key, value) in map)
                AssertClose(value!, actual[key]!);
            return;
        }
        var (a, b) = (double.Parse(expected.ToJsonString()), double.Parse(actual.ToJsonString()));
        Assert.InRange(Math.Abs(a - b), 0, 1e-12 * Math.Max(1, Math.Abs(a)));
    }
}
