using System.Buffers.Binary;
using System.Text.Json.Nodes;
using Finery.Data;
using Finery.Data.Deduplication;
using Finery.Data.Deduplication.MinHash;
using Finery.Tests.Models;
using Xunit;

namespace Finery.Tests.Data.Deduplication.MinHash;

public sealed class MinHashStageTests
{
    private const string Bank = "the quick brown fox jumps over the lazy dog near the river bank";
    private const string Shore = "the quick brown fox jumps over the lazy dog near the river shore";

    [Fact]
    public void One_of_each_cluster_is_kept_and_the_others_name_it()
    {
        var documents = Prose.WithNearDuplicates(1, 60);
        var results = StageRun.Run(new MinHashStage { ClusterIds = true }, documents, 3);
        foreach (var group in results.Where(r => !r.Document.Id.EndsWith("short", StringComparison.Ordinal))
            .GroupBy(r => r.Document.Id.TrimEnd('b', 'c')))
        {
            var kept = Assert.Single(group, r => r.Reason is null).Document;
            Assert.Equal(group.First().Document.Id, kept.Id);
            Assert.All(group, r =>
            {
                Assert.Equal(group.Count(), (int)r.Document.Metadata["minhash_cluster_size"]!);
                Assert.Equal((long?)kept.Metadata["minhash_cluster_id"], (long?)r.Document.Metadata["minhash_cluster_id"]);
                if (r.Reason is not null)
                    Assert.Equal(("near_duplicate", kept.Id), (r.Reason, (string?)r.Document.Metadata["duplicate_of"]));
            });
            if (group.Count() == 1)
                Assert.Equal(-1, (long)kept.Metadata["minhash_cluster_id"]!);
        }
        Assert.All(results.Where(r => r.Document.Id.EndsWith("short", StringComparison.Ordinal)), r => Assert.Null(r.Reason));
    }

    [Theory]
    [InlineData(0.0)]
    [InlineData(0.8)]
    public void Parts_tasks_threads_and_memory_change_nothing(double verified)
    {
        var documents = Prose.WithNearDuplicates(2, 150);
        var stage = new MinHashStage { VerifiedJaccard = verified };
        List<string> Run(int parts, int concurrent, int threads, long memory)
        {
            using var folder = new TemporaryFolder();
            return StageRun.Lines(StageRun.Run(stage, new MemoryCorpus(documents, parts, memory), folder.Path, concurrent,
                threads));
        }
        var expected = Run(1, 1, 1, 64 << 20);
        Assert.Equal(expected, Run(3, 1, 1, 64 << 20));
        Assert.Equal(expected, Run(7, 8, 2, 64 << 20));
        Assert.Equal(expected, Run(1, 1, 1, 100_000));
        Assert.Equal(expected, Run(3, 8, 1, 800_000));
    }

    [Fact]
    public void Little_memory_gives_the_same_files()
    {
        var documents = Prose.WithNearDuplicates(3, 120);
        using TemporaryFolder large = new(), small = new();
        StageRun.Phases(new MinHashStage(), new MemoryCorpus(documents, 2), large.Path);
        StageRun.Phases(new MinHashStage(), new MemoryCorpus(documents, 2, 100_000), small.Path);
        Assert.Equal(Contents(large.Path), Contents(small.Path));
    }

    [Fact]
    public void Lost_outputs_are_written_again_the_same()
    {
        var documents = Prose.WithNearDuplicates(4, 80);
        using var folder = new TemporaryFolder();
        var corpus = new MemoryCorpus(documents, 3);
        var stage = new MinHashStage { VerifiedJaccard = 0.7, Keep = KeptCopy.Longest };
        StageRun.Phases(stage, corpus, folder.Path);
        var before = Contents(folder.Path);
        var random = new Random(7);
        foreach (var file in before.Keys)
            if (random.Next(3) == 0)
                File.Delete(Path.Combine(folder.Path, file));
        StageRun.Phases(stage, corpus, folder.Path, concurrent: 4);
        Assert.Equal(before, Contents(folder.Path));
    }

    [Fact]
    public void Signature_files_are_those_of_the_reference()
    {
        using var folder = new TemporaryFolder();
        var documents = new Document[] { new("short", "only four words here"), new("shore", Shore), new("bank", Bank) };
        StageRun.Phases(new MinHashStage { Hash = ShingleHash.Sha1 }, new MemoryCorpus(documents, 1), folder.Path);
        var bytes = File.ReadAllBytes(Path.Combine(folder.Path, "signatures", "bucket_000", "00000.minhash.sig"));
        Assert.Equal(2 * 68, bytes.Length);
        // equal in bucket 0, so by document; the short one has no record
        foreach (var (record, document) in new[] { (0, 1u), (1, 2u) })
        {
            Assert.Equal(
                [197166454002902972UL, 284080765670708113, 96549057967596277, 226360113463360020,
                 42312182183823545, 169000609679892039, 73066559689472396, 121981082476695592],
                Enumerable.Range(0, 8).Select(i => BinaryPrimitives.ReadUInt64LittleEndian(bytes.AsSpan(record * 68 + i * 8))));
            Assert.Equal(document, BinaryPrimitives.ReadUInt32LittleEndian(bytes.AsSpan(record * 68 + 64)));
        }
        var pairs = Enumerable.Range(0, 14).Where(b => new FileInfo(
            Path.Combine(folder.Path, "buckets", $"{b:00000}_00.dups")).Length == 16);
        Assert.Equal([0, 1, 7], pairs);
        Assert.Equal(
            [0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0],
            File.ReadAllBytes(Path.Combine(folder.Path, "buckets", "00000_00.dups")).Select(b => (int)b));
    }

    [Fact]
    public void Records_of_32_bits_have_36_bytes()
    {
        using var folder = new TemporaryFolder();
        StageRun.Phases(
            new MinHashStage { Hash = ShingleHash.Sha1, HashBits = 32 }, new MemoryCorpus([new("bank", Bank)], 1), folder.Path);
        var bytes = File.ReadAllBytes(Path.Combine(folder.Path, "signatures", "bucket_000", "00000.minhash.sig"));
        Assert.Equal(36, bytes.Length);
        Assert.Equal(
            [363782059U, 1205137090, 1177392338, 394674840, 305326446, 121714251, 38973575, 435590541, 0],
            Enumerable.Range(0, 9).Select(i => BinaryPrimitives.ReadUInt32LittleEndian(bytes.AsSpan(i * 4))));
    }

    [Fact]
    public void Slices_of_one_text_fall_into_groups()
    {
        // 400-character slices at these offsets of one text, as datatrove's test cuts them
        var lorem = string.Concat(Enumerable.Range(0, 3000).Select(i => Prose.Words(new Random(i), 1) + " "));
        int[][] groups = [[0, 20, 50], [400, 420], [800, 810, 820, 840, 860], [1205, 1215, 1225, 1245], [1600], [2000]];
        var documents = groups.SelectMany((g, n) => g.Select(o => new Document($"{n}:{o}", lorem.Substring(o, 400)))).ToList();
        var results = StageRun.Run(new MinHashStage { ClusterIds = true, ShingleWords = 2 }, documents);
        Assert.Equal(groups.Length, results.Count(r => r.Reason is null));
        Assert.All(results, r => Assert.Equal(
            groups[int.Parse(r.Document.Id[..1])].Length, (int)r.Document.Metadata["minhash_cluster_size"]!));
        Assert.Equal(5, results.Select(r => (long)r.Document.Metadata["minhash_cluster_id"]!).Distinct().Count());
    }

    [Theory]
    [InlineData(KeptCopy.First, "a")]
    [InlineData(KeptCopy.Last, "d")]
    [InlineData(KeptCopy.Longest, "b")]
    [InlineData(KeptCopy.Highest, "c")]
    public void The_kept_copy_is_chosen_by_policy(KeptCopy keep, string expected)
    {
        var text = Prose.Words(new Random(1), 300);
        Document Make(string id, string added, string date) =>
            new(id, text + added) { Metadata = new JsonObject { ["date"] = date } };
        var documents = new List<Document>
        {
            Make("a", "", "2020-05-01T00:00:00Z"), new("other", Prose.Words(new Random(2), 300)),
                Make("b", " more", "2019-05-01"),
            Make("c", "", "2020-05-01T00:00:01Z"), Make("d", "", "not a date"),
        };
        // texts that are no date sort above dates only by their bytes; leave one without any instead
        documents[4].Metadata.Remove("date");
        Assert.Equal(
            new[] { expected, "other" }.Order(), StageRun.Kept(StageRun.Run(new MinHashStage { Keep = keep }, documents, 2))
                .Order());
    }

    [Fact]
    public void The_root_policy_joins_the_smaller_set_to_the_larger()
    {
        var documents = Prose.WithNearDuplicates(5, 90);
        var root = StageRun.Run(new MinHashStage { Keep = KeptCopy.Root }, documents, 4);
        var first = StageRun.Run(new MinHashStage(), documents, 4);
        Assert.Equal(first.Count(r => r.Reason is null), root.Count(r => r.Reason is null));
        Assert.Equal(root.Select(r => (int)r.Document.Metadata["minhash_cluster_size"]!),
            first.Select(r => (int)r.Document.Metadata["minhash_cluster_size"]!));
    }

    [Fact]
    public void Verification_keeps_what_is_not_similar_enough()
    {
        var random = new Random(11);
        var text = Prose.Words(random, 100).Split(' ');
        var chain = new List<Document>();
        for (var i = 0; i < 12; i++)
        {
            chain.Add(new($"{i}", string.Join(' ', text)));
            for (var k = 0; k < 3; k++)
                text[random.Next(text.Length)] = Prose.Words(random, 1);
        }
        var loose = StageRun.Kept(StageRun.Run(new MinHashStage(), chain));
        var results = StageRun.Run(new MinHashStage { VerifiedJaccard = 0.7 }, chain);
        var verified = StageRun.Kept(results);
        Assert.True(verified.Count > loose.Count, $"{verified.Count} {loose.Count}");
        var hasher = new MinHasher(5, 8, 1);
        var byId = chain.ToDictionary(d => d.Id, d => MinHashDeduplication.Distinct(hasher.Shingles(d.Text)));
        Assert.All(results.Where(r => r.Reason is not null), r => Assert.True(
            MinHashDeduplication.Jaccard(byId[r.Document.Id], byId[(string)r.Document.Metadata["duplicate_of"]!]) >= 0.7));
    }

    [Fact]
    public void With_an_index_what_matches_it_is_dropped_and_nothing_else()
    {
        var documents = Prose.WithNearDuplicates(6, 60);
        using TemporaryFolder first = new(), second = new(), index = new();
        StageRun.Phases(new MinHashStage { SaveIndex = index.Path }, new MemoryCorpus([.. documents.Take(40)], 2), first.Path);
        var seen = documents.Take(40).Select(d => d.Id.TrimEnd('b', 'c')).ToHashSet();
        var rest = documents.Skip(40).ToList();
        bool IsSeen(Document d) => seen.Contains(d.Id.TrimEnd('b', 'c')) && !d.Id.EndsWith("short", StringComparison.Ordinal);

        var only = StageRun.Run(new MinHashStage { Index = index.Path }, rest, 2);
        Assert.Equal(rest.Where(d => !IsSeen(d)).Select(d => d.Id), StageRun.Kept(only));
        Assert.All(only.Where(r => r.Reason is not null), r => Assert.False(r.Document.Metadata.ContainsKey("duplicate_of")));

        var both = StageRun.Run(new MinHashStage { Index = index.Path, OnlyIndex = false }, rest, 2);
        var expected = rest.Where(d => !IsSeen(d)).GroupBy(d => d.Id.EndsWith("short", StringComparison.Ordinal) ? d.Id
            : d.Id.TrimEnd('b', 'c')).Select(g => g.First().Id);
        Assert.Equal(expected, StageRun.Kept(both));
        Assert.Throws<FileNotFoundException>(
            () => StageRun.Run(new MinHashStage { Index = second.Path }, new MemoryCorpus(rest, 1), second.Path));
    }

    [Fact]
    public void A_file_that_was_cut_short_is_found()
    {
        using var folder = new TemporaryFolder();
        var stage = new MinHashStage();
        var corpus = new MemoryCorpus(Prose.WithNearDuplicates(8, 20), 2);
        StageRun.Phases(stage, corpus, folder.Path);
        var path = Path.Combine(folder.Path, "signatures", "bucket_003", "00001.minhash.sig");
        using (var file = new FileStream(path, FileMode.Open))
            file.SetLength(file.Length - 30);
        var phases = stage.Phases(corpus, folder.Path).Skip(1).First();
        var exception = Assert.Throws<InvalidDataException>(() => phases.Run(3, new(1 << 20, 1, CancellationToken.None)));
        Assert.Contains("00001.minhash.sig", exception.Message, StringComparison.Ordinal);
        Assert.Contains("bytes", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void An_empty_corpus_and_a_changed_one_are_errors()
    {
        Assert.Contains("no document", Assert.Throws<InvalidDataException>(
            () => StageRun.Run(new MinHashStage(), [], 2)).Message, StringComparison.Ordinal);
        using var folder = new TemporaryFolder();
        var documents = Prose.WithNearDuplicates(9, 30);
        StageRun.Phases(new MinHashStage(), new MemoryCorpus(documents, 1), folder.Path);
        documents.Reverse();
        Assert.Contains("changed", Assert.Throws<InvalidOperationException>(
            () => StageRun.Apply(new MinHashStage(), new MemoryCorpus(documents, 1), folder.Path)).Message,
                StringComparison.Ordinal);
    }

    [Fact]
    public void Settings_and_curve_are_reported()
    {
        using var folder = new TemporaryFolder();
        StageRun.Phases(new MinHashStage(), new MemoryCorpus(Prose.WithNearDuplicates(10, 30), 1), folder.Path);
        var report = JsonNode.Parse(File.ReadAllText(Path.Combine(folder.Path, "minhash.json")))!;
        Assert.Equal(14, (int)report["settings"]!["buckets"]!);
        Assert.Equal(0.9235, (double)report["match_probability_by_similarity"]!["0.80"]!, 4);
        Assert.Equal(0.5645, new MinHashStage().MatchProbability(0.7), 4);
        Assert.Equal(0.60, new MinHashStage { Buckets = 32, HashesPerBucket = 10 }.MatchProbability(0.7), 2);
    }

    [Fact]
    public void Impossible_settings_are_named()
    {
        Assert.Contains(new MinHashStage { Buckets = 0 }.Validate(), p => p.Property == "Buckets");
        Assert.Contains(new MinHashStage { VerifiedJaccard = 2 }.Validate(), p => p.Property == "VerifiedJaccard");
        Assert.Contains(
            new MinHashStage { VerifiedJaccard = 0.8, Index = "x" }.Validate(), p => p.Property == "VerifiedJaccard");
        Assert.Empty(new MinHashStage().Validate());
        Assert.Throws<ArgumentException>(() => new MinHashStage { HashBits = 16 });
    }

    private static SortedDictionary<string, string> Contents(string folder) => new(
        Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories)
            .ToDictionary(f => Path.GetRelativePath(folder, f), f => Convert.ToBase64String(File.ReadAllBytes(f))),
        StringComparer.Ordinal);
}
