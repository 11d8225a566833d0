using System.Text.Json.Nodes;
using Finery.Data;
using Finery.Data.Deduplication.Exact;
using Finery.Tests.Models;
using Xunit;

namespace Finery.Tests.Data.Deduplication.Exact;

public sealed class ExactStageTests
{
    private static Document Make(string id, string text, params (string Key, JsonNode Value)[] metadata)
    {
        var document = new Document(id, text);
        foreach (var (key, value) in metadata)
            document.Metadata[key] = value;
        return document;
    }

    [Fact]
    public void The_first_of_equal_texts_is_kept_and_counts_the_others()
    {
        var documents = new List<Document>
        {
            new("1", "hello world"), new("2", "something else"), new("3", "Hello, world!"), new("4", "hello  world "),
                new("5", "hello world"),
        };
        var results = StageRun.Run(new ExactStage(), documents, 2);
        Assert.Equal(["1", "2", "3"], StageRun.Kept(results));
        Assert.Equal([2, 0, 0], results.Where(r => r.Reason is null).Select(r => (int)r.Document.Metadata["duplicate_count"]!));
        Assert.All(results.Where(r => r.Reason is not null), r =>
            Assert.Equal(("exact_duplicate", "1"), (r.Reason, (string?)r.Document.Metadata["duplicate_of"])));
        Assert.Equal(["1", "2"], StageRun.Kept(StageRun.Run(
            new ExactStage { Normalization = ExactNormalization.Simplified }, documents)));
        Assert.Equal(["1", "2", "3", "4"], StageRun.Kept(StageRun.Run(
            new ExactStage { Normalization = ExactNormalization.None }, documents)));
    }

    [Fact]
    public void The_highest_priority_is_kept_and_of_equals_the_first()
    {
        var documents = new List<Document>
        {
            Make("1", "a", ("priority", 1)), Make("2", "a", ("priority", 2)), Make("3", "a", ("priority", 2)),
            Make("4", "b"), Make("5", "b", ("priority", 1)),
        };
        Assert.Equal(["2", "5"], StageRun.Kept(StageRun.Run(new ExactStage { PriorityKey = "priority" }, documents, 3)));
    }

    [Fact]
    public void Any_metadata_value_may_be_the_field()
    {
        var documents = new List<Document>
        {
            Make("1", "a", ("key", "x")), Make("2", "b", ("key", "x")), Make("3", "c"), Make("4", "d"),
                Make("5", "e", ("key", 7)),
        };
        Assert.Equal(["1", "3", "4", "5"], StageRun.Kept(StageRun.Run(new ExactStage { Field = "key" }, documents)));
    }

    [Fact]
    public void What_an_index_has_is_dropped()
    {
        using TemporaryFolder first = new(), second = new(), index = new();
        StageRun.Phases(new ExactStage { SaveIndex = index.Path }, new MemoryCorpus([new("1", "a"), new("2", "b")], 1),
            first.Path);
        var results = StageRun.Run(
            new ExactStage { Index = index.Path },
            new MemoryCorpus([new("3", "b"), new("4", "c"), new("5", "b"), new("6", "c")], 2), second.Path);
        Assert.Equal(["4"], StageRun.Kept(results));
        Assert.False(results[0].Document.Metadata.ContainsKey("duplicate_of"));
    }

    [Fact]
    public void Parts_tasks_and_memory_change_nothing()
    {
        var random = new Random(3);
        var documents = Enumerable.Range(0, 6000).Select(i => Make(
            $"{i}", $"text {random.Next(2000)}", ("priority", random.Next(3)))).ToList();
        List<string> Run(int parts, int concurrent, long memory)
        {
            using var folder = new TemporaryFolder();
            return StageRun.Lines(StageRun.Run(
                new ExactStage { PriorityKey = "priority" }, new MemoryCorpus(documents, parts, memory), folder.Path,
                    concurrent));
        }
        var expected = Run(1, 1, 64 << 20);
        Assert.Equal(documents.Select(d => d.Text).Distinct().Count(),
            expected.Count(l => l.Contains("||", StringComparison.Ordinal)));
        Assert.Equal(expected, Run(3, 1, 64 << 20));
        Assert.Equal(expected, Run(7, 8, 64 << 20));
        Assert.Equal(expected, Run(3, 1, 1));
    }

    [Theory]
    [InlineData("HTTP://Example.COM:80/Path/?b=1#top", "http://example.com/Path?b=1")]
    [InlineData("https://example.com:443", "https://example.com")]
    [InlineData("https://example.com/", "https://example.com")]
    [InlineData("https://example.com:8443/a/", "https://example.com:8443/a")]
    [InlineData(" http://example.com?x=a/b ", "http://example.com?x=a/b")]
    [InlineData("example.com/a#b", "//example.com/a")]
    [InlineData("#", "//")]
    [InlineData("http://", "http://")]
    public void Urls_are_normalised(string url, string expected) =>
        Assert.Equal(expected, new UrlDeduplicationStage().Normalise(url));

    [Fact]
    public void Of_one_url_the_newest_document_is_kept_else_the_longest()
    {
        var documents = new List<Document>
        {
            Make("1", "old and long text", ("url", "http://a.com/x"), ("date", "2020-01-01T00:00:00Z")),
            Make("2", "new", ("url", "http://A.com/x#f"), ("date", "2021-01-01T00:00:00Z")),
            Make("3", "short", ("url", "http://b.com/")), Make("4", "longer text", ("url", "http://b.com")),
            Make("5", "no address"), Make("6", "no address"),
            Make("7", "same", ("url", "http://c.com/?q")), Make("8", "same", ("url", "http://c.com?q")),
        };
        var results = StageRun.Run(new UrlDeduplicationStage(), documents, 3);
        Assert.Equal(["2", "4", "5", "6", "7"], StageRun.Kept(results));
        Assert.Equal("duplicate_url", results[0].Reason);
        Assert.Equal(
            ["2", "4", "5", "6", "7"], StageRun.Kept(StageRun.Run(new UrlDeduplicationStage { IgnoreScheme = true }, documents,
                1)));
    }
}
