using Finery.Data;
using Finery.Data.Curation;
using Finery.Data.Filters;
using Xunit;

namespace Finery.Tests.Data.Curation;

public class CurationStatisticsTests
{
    [Fact]
    public void Statistics_survive_being_written_and_read()
    {
        var statistics = new CurationStatistics { Parts = 2 };
        statistics.Stages.Add(new() { Name = "length" });
        StageStatistics.Of(statistics.Stages[0].Rules, "too_short").Add(new("too_short", 3, 4, RuleKind.AtLeast, true));
        StageStatistics.Of(statistics.Stages[0].Examples, "too_short")
            .Add(Example.Ticket("a"), new Document("a", "text \ud83d\ude00"));
        statistics.Clusters.Add(new("b", "copy"), "a");
        string json = statistics.ToJson();
        Assert.Equal(json, CurationStatistics.FromJson(json).ToJson());
        Assert.Throws<InvalidDataException>(() => CurationStatistics.FromJson("{"));
    }

    [Fact]
    public void A_histogram_counts_every_value_and_keeps_the_threshold_between_bins()
    {
        var rule = new RuleStatistics();
        foreach (double value in new[] { 0, 0.1, 0.2999, 0.3, 0.31, 5, double.NaN, -1 })
            rule.Add(new("r", value, 0.3, RuleKind.AtMost, value > 0.3));
        Assert.Equal(8, rule.Bins.Sum());
        Assert.Equal(2, rule.Failed);
        Assert.Equal(0.6, rule.High);
        Assert.Equal(5, rule.Max);
        var merged = new RuleStatistics();
        merged.Merge(rule);
        merged.Merge(rule);
        Assert.Equal((16, 4), (merged.Bins.Sum(), merged.Failed));
    }

    [Fact]
    public void Samples_do_not_depend_on_order()
    {
        var documents = Enumerable.Range(0, 50).Select(i => new Document($"d{i}", $"text {i}")).ToList();
        ExampleSample forward = new(), backward = new(), left = new(), right = new();
        foreach (var document in documents) forward.Add(Example.Ticket(document.Id), document);
        foreach (var document in documents.AsEnumerable().Reverse()) backward.Add(Example.Ticket(document.Id), document);
        foreach (var document in documents.Take(20)) left.Add(Example.Ticket(document.Id), document);
        foreach (var document in documents.Skip(20)) right.Add(Example.Ticket(document.Id), document);
        right.Merge(left);
        Assert.Equal(4, forward.Documents.Count);
        Assert.Equal(forward.Documents, backward.Documents);
        Assert.Equal(forward.Documents, right.Documents);
    }

    [Fact]
    public void Counts_of_too_many_values_stay_bounded_and_lose_no_total()
    {
        var counts = new ValueCounts();
        for (int i = 0; i < 50_000; i++) counts.Add($"host{i}");
        for (int i = 0; i < 1000; i++) counts.Add("often");
        Assert.InRange(counts.Values.Count, 1, 20_001);
        Assert.Equal(51_000, counts.Values.Values.Sum() + counts.Others);
        Assert.Equal(1000, counts.Values["often"]);
    }
}
