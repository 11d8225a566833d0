using System.Text.Json.Nodes;
using Finery.Data;
using Finery.Data.Deduplication.Bloom;
using Finery.Tests.Models;
using Xunit;

namespace Finery.Tests.Data.Deduplication.Bloom;

public sealed class BloomStageTests
{
    private static readonly BloomStage s_small = new() { FilterBytes = 1 << 20 };

    [Fact]
    public void What_was_mostly_seen_before_is_dropped()
    {
        var random = new Random(1);
        string a = Prose.Words(random, 200), b = Prose.Words(random, 200), c = Prose.Words(random, 100);
        var documents = new List<Document>
        {
            new("a", a), new("a again", a.ToUpperInvariant() + "!"), new("b", b), new("half", $"{a} {Prose.Words(random, 200)}"),
            new("mostly", $"{b} {string.Join(' ', c.Split(' ')[..20])}"), new("short", "few words"),
                new("short again", "few words"),
        };
        var results = StageRun.Run(s_small, documents, 3);
        Assert.Equal(["a", "b", "half", "short", "short again"], StageRun.Kept(results));
        Assert.Equal("bloom_dedup", results[1].Reason);
    }

    [Fact]
    public void Lines_seen_before_are_cut()
    {
        var random = new Random(2);
        string a = Prose.Words(random, 30), b = Prose.Words(random, 30), c = Prose.Words(random, 300);
        var documents = new List<Document> { new("1", $"{a}\n{a}\nTitle"), new("2", $"Title\n{a}\n{b}\n\n{c}"), new("3", b),
            new("4", c) };
        var results = StageRun.Run(s_small with { Unit = BloomUnit.Paragraph }, documents, 2);
        Assert.Equal([$"{a}\nTitle", $"Title\n{b}\n\n{c}", "", ""], results.Select(r => r.Document.Text));
        Assert.Equal([null, null, "bloom_dedup", "bloom_dedup"], results.Select(r => r.Reason));
        var both = StageRun.Run(s_small with { Unit = BloomUnit.Both }, documents, 2);
        Assert.Equal($"Title\n{b}\n\n{c}", both[1].Document.Text);
        Assert.Equal(b, both[2].Document.Text); // dropped whole, not cut
        Assert.Equal("bloom_dedup", both[2].Reason);
    }

    [Fact]
    public void The_false_positive_rate_is_the_one_reported()
    {
        const int count = 20_000;
        foreach (var bytes in new[] { 16_000, 24_000, 64_000 })
        {
            var filter = new BloomFilter(bytes, BloomFilter.BestHashes(bytes, count));
            var random = new Random(3);
            var added = Enumerable.Range(0, count).Select(_ => (ulong)random.NextInt64()).ToList();
            added.ForEach(filter.Add);
            Assert.All(added, hash => Assert.True(filter.Contains(hash)));
            var wrong = Enumerable.Range(0, 200_000).Count(_ =>
                filter.Contains((ulong)random.NextInt64() | (1UL << 63))) / 200_000.0;
            Assert.InRange(wrong, filter.FalsePositiveRate * 0.8 - 0.0005, filter.FalsePositiveRate * 1.2 + 0.0005);
            Assert.Equal(BloomFilter.ExpectedRate(bytes, count, filter.Hashes), filter.FalsePositiveRate, 0.01);
        }
    }

    [Fact]
    public void Size_and_rate_are_reported_and_too_little_memory_is_refused()
    {
        using var folder = new TemporaryFolder();
        var corpus = new MemoryCorpus(Prose.WithNearDuplicates(1, 20), 2, 8 << 20);
        var stage = s_small with { ExpectedNGrams = 10_000 };
        StageRun.Phases(stage, corpus, folder.Path);
        var report = JsonNode.Parse(File.ReadAllText(folder["bloom_dedup.json"]))!;
        Assert.Equal(30, (int)report["bits_per_n_gram"]!);
        Assert.InRange((double)report["false_positive_rate"]!, 0, 1e-9);
        Assert.Contains("does not fit", Assert.Throws<InvalidOperationException>(
            () => StageRun.Phases(new BloomStage(), corpus, folder.Path)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Parts_and_threads_change_nothing()
    {
        var documents = Prose.WithNearDuplicates(7, 150);
        List<string> Run(int parts, int threads)
        {
            using var folder = new TemporaryFolder();
            return StageRun.Lines(StageRun.Run(s_small, new MemoryCorpus(documents, parts), folder.Path, 1, threads));
        }
        var expected = Run(1, 1);
        Assert.Contains(expected, line => line.Contains("bloom_dedup", StringComparison.Ordinal));
        Assert.Equal(expected, Run(3, 1));
        Assert.Equal(expected, Run(7, 4));
    }
}
