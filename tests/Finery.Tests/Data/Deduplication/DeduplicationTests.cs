using System.Text.Json.Nodes;
using Finery.Data;
using Finery.Data.Deduplication;
using Finery.Data.Filters;
using Xunit;

namespace Finery.Tests.Data.Deduplication;

public sealed class DeduplicationTests
{
    private static readonly string[] s_vocabulary =
        [.. Enumerable.Range(0, 500).Select(i => string.Concat(
            Enumerable.Range(0, 3).Select(k => (char)('a' + (i * 7 + k * i * i) % 26)).Append((char)('a' + i % 26))))];

    private static string Lorem(int seed, int words)
    {
        var random = new Random(seed);
        return string.Join(' ', Enumerable.Range(0, words).Select(_ => s_vocabulary[random.Next(s_vocabulary.Length)]));
    }

    private static List<Document> Corpus()
    {
        var documents = new List<Document>();
        for (var i = 0; i < 60; i++)
        {
            var text = Lorem(i, 120);
            documents.Add(new($"{i}", text));
            if (i % 3 == 0)
                documents.Add(new($"{i}b", text + " one more word"));
            if (i % 5 == 0)
                documents.Add(new($"{i}c", "First " + text));
        }
        return documents;
    }

    [Fact]
    public void Near_duplicates_are_dropped_and_name_the_one_kept()
    {
        var result = new MinHashDeduplication().Run(Corpus(), 1).ToList();
        Assert.Equal(60, result.Count(r => r.Reason is null));
        Assert.All(result.Where(r => r.Reason is not null), r =>
        {
            Assert.Equal("near_duplicate", r.Reason);
            Assert.Equal(r.Document.Id.TrimEnd('b', 'c'), (string?)r.Document.Metadata["duplicate_of"]);
        });
        Assert.Equal(3, (int)result.First(r => r.Document.Id == "0").Document.Metadata["minhash_cluster_size"]!);
        Assert.False(result.First(r => r.Document.Id == "1").Document.Metadata.ContainsKey("minhash_cluster_size"));
    }

    [Theory]
    [InlineData(0.0)]
    [InlineData(0.8)]
    public void Threads_and_spilling_change_nothing(double verified)
    {
        var corpus = Corpus();
        List<string> Run(int threads, long memory) =>
            [.. new MinHashDeduplication { VerifiedJaccard = verified, MemoryBytes = memory }.Run(corpus, threads)
                .Select(r => $"{r.Document.Id} {r.Reason} {r.Document.Metadata.ToJsonString()}")];
        var expected = Run(1, 1 << 30);
        Assert.Equal(expected, Run(2, 1 << 30));
        Assert.Equal(expected, Run(3, 0));
    }

    [Fact]
    public void Sorted_runs_on_disk_give_the_order_of_one_sort_in_memory()
    {
        var folder = Directory.CreateTempSubdirectory("finery-sorter-").FullName;
        var documents = Enumerable.Range(0, 3000).Select(i => new Document($"{i}", Lorem(i % 1000, 10))).ToList();
        var expected = new MinHashDeduplication { ShingleWords = 2 }.Run(documents, 1).Select(r => r.Reason).ToList();
        var spilled = new MinHashDeduplication { ShingleWords = 2, MemoryBytes = 1, TemporaryFolder = folder }
            .Run(documents, 2).Select(r => r.Reason).ToList(); // 42,000 keys in buffers of 4,096
        Assert.Equal(expected, spilled);
        Assert.Equal(1000, spilled.Count(r => r is null));
        Assert.Empty(Directory.EnumerateFileSystemEntries(folder));
        Directory.Delete(folder);
    }

    [Fact]
    public void Short_documents_are_always_kept()
    {
        Document[] documents = [new("1", "a b c d"), new("2", "a b c d")];
        Assert.All(new MinHashDeduplication().Run(documents, 1), r => Assert.Null(r.Reason));
        Assert.Equal("near_duplicate", new MinHashDeduplication { ShingleWords = 3 }.Run(documents, 1).Last().Reason);
    }

    [Fact]
    public void Verification_keeps_what_is_similar_only_through_others()
    {
        // Sliding windows: each resembles its neighbour, the ends have nothing in common.
        var words = Lorem(1, 400).Split(' ');
        var documents = Enumerable.Range(0, 61)
            .Select(i => new Document($"{i}", string.Join(' ', words.Skip(i * 5).Take(100)))).ToList();
        var chained = new MinHashDeduplication().Run(documents, 1).Count(r => r.Reason is null);
        var verified = new MinHashDeduplication { VerifiedJaccard = 0.7 }.Run(documents, 1).ToList();
        Assert.True(verified.Count(r => r.Reason is null) > chained);
        var hasher = new MinHasher(5, 8, 1);
        var texts = documents.ToDictionary(d => d.Id, d => hasher.Shingles(d.Text).ToHashSet());
        foreach (var (document, reason) in verified.Where(r => r.Reason is not null))
        {
            var (a, b) = (texts[document.Id], texts[(string)document.Metadata["duplicate_of"]!]);
            Assert.True((double)a.Intersect(b).Count() / a.Union(b).Count() >= 0.7);
        }
    }

    [Fact]
    public void Exact_duplicates_ignore_white_space_only_and_the_first_wins()
    {
        Document[] documents =
        [
            new("1", "Some text."), new("2", "some text."), new("3", " Some\n text. "), new("4", "Some text"),
            new("5", "Some text."),
        ];
        var report = new FilterReport();
        var result = new ExactDeduplication().Run(documents, 2, report).ToList();
        Assert.Equal(["1", "2", "4"], result.Where(r => r.Reason is null).Select(r => r.Document.Id));
        Assert.Equal("1", (string?)result[2].Document.Metadata["duplicate_of"]);
        Assert.Equal(3, (int)result[0].Document.Metadata["exact_cluster_size"]!);
        Assert.Equal(new DocumentCount(2, 23), report.Dropped["exact_duplicate"]);
        Assert.Empty(documents[2].Metadata);
    }

    [Fact]
    public void Input_that_changes_between_passes_is_an_error()
    {
        var pass = 0;
        IEnumerable<Document> Changing()
        {
            pass++;
            for (var i = 0; i < 3; i++)
                yield return new($"{pass}-{i}", Lorem(i, 20));
        }
        Assert.Contains("changed between", Assert.Throws<InvalidOperationException>(
            () => new ExactDeduplication().Run(Changing(), 1).ToList()).Message);
    }

    [Fact]
    public void Held_out_documents_go_together_and_the_fraction_is_met()
    {
        var split = new HeldOutSplit { Fraction = 0.1 };
        var documents = Enumerable.Range(0, 20_000)
            .Select(i => new Document($"{i}", "t") { Metadata = new JsonObject { ["name"] = $"name {i / 2}" } }).ToList();
        var heldOut = documents.Select(split.IsHeldOut).ToList();
        for (var i = 0; i < heldOut.Count; i += 2)
            Assert.Equal(heldOut[i], heldOut[i + 1]);
        Assert.InRange(heldOut.Count(h => h), 1800, 2200);
        Assert.NotEqual(heldOut, documents.Select((split with { Seed = 1 }).IsHeldOut));
        Assert.All(documents, d => Assert.False((split with { Fraction = 0 }).IsHeldOut(d)));
        Assert.All(documents, d => Assert.True((split with { Fraction = 1 }).IsHeldOut(d)));
    }

    [Fact]
    public void Training_documents_that_resemble_held_out_ones_are_dropped()
    {
        var index = new NearDuplicateIndex(new MinHashDeduplication());
        var text = Lorem(1, 80);
        index.Add(new("held", text) { Metadata = new JsonObject { ["summary"] = "What it does." } });
        index.Add(new("short", "Two words"));
        Document[] documents =
        [
            new("near", text + " end"), new("other", Lorem(2, 80)), new("case", text.ToUpperInvariant()),
            new("short2", "two WORDS!"),
            new("summary", Lorem(3, 80)) { Metadata = new JsonObject { ["summary"] = "what it does" } },
            new("text is a summary", "What it does."),
        ];
        foreach (var threads in new[] { 1, 3 })
        {
            var result = index.Run(documents, threads).ToList();
            Assert.Equal(
                ["near_heldout", null, "near_heldout", "near_heldout", "near_heldout", null], result.Select(r => r.Reason));
            Assert.Equal("held", (string?)result[4].Document.Metadata["duplicate_of"]);
        }
    }
}
