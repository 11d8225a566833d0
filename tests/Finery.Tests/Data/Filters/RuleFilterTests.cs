using System.Text.Json.Nodes;
using Finery.Data;
using Finery.Data.Filters;
using Xunit;

namespace Finery.Tests.Data.Filters;

public sealed class RuleFilterTests
{
    private static Document Of(string text, string id = "id") => new(id, text);

    private static Document With(string key, JsonNode? value) => new("id", "t") { Metadata = new JsonObject { [key] = value } };

    [Theory]
    [InlineData("a b c d e f", 2, 0)]
    [InlineData("a b a b", 2, 1)]
    [InlineData("a b c a b", 2, 0.8)]
    [InlineData("x x x x", 2, 1)]
    [InlineData("a b", 3, 0)]
    [InlineData("", 3, 0)]
    public void Coverage_counts_words_in_repeated_runs(string text, int n, double coverage) =>
        Assert.Equal(coverage, NGramCoverageFilter.Coverage(text, Words.Split(text), n), 12);

    [Fact]
    public void Coverage_equals_a_plain_count()
    {
        var random = new Random(9);
        for (var round = 0; round < 500; round++)
        {
            var n = random.Next(1, 5);
            var words = Enumerable.Range(0, random.Next(40)).Select(_ => "abc"[random.Next(3)].ToString()).ToArray();
            var text = string.Join(' ', words);
            var covered = new bool[words.Length];
            for (var i = 0; i + n <= words.Length; i++)
                for (var j = 0; j + n <= words.Length; j++)
                    if (i != j && words[i..(i + n)].SequenceEqual(words[j..(j + n)]))
                        Array.Fill(covered, true, i, n);
            var expected = words.Length == 0 ? 0 : covered.Count(c => c) / (double)words.Length;
            Assert.Equal(expected, NGramCoverageFilter.Coverage(text, Words.Split(text), n), 12);
        }
    }

    [Fact]
    public void Logs_with_unique_lines_are_covered()
    {
        var log = string.Concat(Enumerable.Range(0, 50).Select(i => $"{i} error while reading the file of the server\n"));
        Assert.Equal("ngram_coverage", new NGramCoverageFilter().Reject(Of(log)));
        Assert.Null(new NGramCoverageFilter().Reject(Of("Each of these words is quite different from every other one here.")));
        Assert.Throws<ArgumentOutOfRangeException>(() => new NGramCoverageFilter { NGramSize = 0 });
    }

    [Fact]
    public void Dirty_words_are_counted()
    {
        var filter = new DirtyWordsFilter { UseBundledList = false, Words = ["mud"], MaxCount = 2, MaxShare = 0 };
        Assert.Null(filter.Reject(Of("mud Mud in the garden, muddy")));
        Assert.Equal("dirty_words", filter.Reject(Of("mud, MUD and mud")));
        Assert.Equal("dirty_words", (filter with { MaxShare = 0.4, MaxCount = 0 }).Reject(Of("mud a")));
        Assert.Null((filter with { MaxShare = 0.5, MaxCount = 0 }).Reject(Of("mud a")));
        Assert.Null(new DirtyWordsFilter().Reject(Of("A hundred decent words about the sea and its many fishes.")));
        Assert.Equal("dirty_words", new DirtyWordsFilter().Reject(Of("porn porn porn and more porn")));
    }

    [Fact]
    public void Regex_drops_on_a_match()
    {
        Assert.Equal("regex", new RegexFilter { Patterns = ["x{3}", "^start"] }.Reject(Of("start")));
        Assert.Null(new RegexFilter { Patterns = ["x{3}"] }.Reject(Of("xx")));
        Assert.Throws<ArgumentException>(() => new RegexFilter { Patterns = [@"(a)\1"] });
        Assert.NotEmpty(new RegexFilter().Validate());
        _ = new RegexFilter { Patterns = ["(a*)*b"] }.Reject(Of(new string('a', 200_000)));
    }

    [Fact]
    public void Sampling_follows_from_id_and_seed_and_grows_with_the_rate()
    {
        var documents = Enumerable.Range(0, 4000).Select(i => Of("t", $"doc-{i}")).ToList();
        HashSet<string> Kept(double rate, ulong seed) =>
            [.. documents.Where(d => new SamplerFilter { Rate = rate, Seed = seed }.Reject(d) is null).Select(d => d.Id)];
        Assert.Empty(Kept(0, 1));
        Assert.Equal(4000, Kept(1, 1).Count);
        var half = Kept(0.5, 1);
        Assert.InRange(half.Count, 1850, 2150);
        Assert.Subset(Kept(0.7, 1), half);
        Assert.InRange(half.Intersect(Kept(0.5, 2)).Count(), 850, 1150);
        Assert.Equal("sampled_out", new SamplerFilter { Rate = 0 }.Reject(documents[0]));
        Assert.Throws<ArgumentOutOfRangeException>(() => new SamplerFilter { Rate = double.NaN });
    }

    [Fact]
    public void Pcg64_draws_what_numpy_draws()
    {
        var random = new Pcg64(42);
        Assert.Equal(0.7739560485559633, random.NextDouble());
        Assert.Equal(0.4388784397520523, random.NextDouble());
        Assert.Equal(0.8585979199113825, random.NextDouble());
        random = new Pcg64(42);
        Assert.Equal(503, Enumerable.Range(0, 1000).Count(_ => random.NextDouble() < 0.5));
        random = new Pcg64(7383);
        Assert.Equal([2, 0, 1], random.Permutation(3));
        Assert.Equal([1, 0, 2], random.Permutation(3));
        Assert.Equal([1, 0], random.Permutation(2));
    }

    [Fact]
    public void Metadata_bounds_and_values()
    {
        var edu = new MetadataFilter { Min = 3 };
        Assert.Null(edu.Reject(With("int_score", 3)));
        Assert.Null(edu.Reject(With("int_score", "4")));
        Assert.Equal("metadata_int_score", edu.Reject(With("int_score", 2)));
        Assert.Equal("metadata_int_score", edu.Reject(With("int_score", 2.99)));
        foreach (var value in new JsonNode?[] { null, "high", new JsonArray(), true })
        {
            Assert.Equal("missing_int_score", edu.Reject(With("int_score", value)));
            Assert.Null((edu with { AllowMissing = true }).Reject(With("int_score", value?.DeepClone())));
        }
        var language = new MetadataFilter { Key = "language", Allowed = ["en", "fr"], Denied = ["fr"] };
        Assert.Null(language.Reject(With("language", "en")));
        Assert.Equal("metadata_language", language.Reject(With("language", "fr")));
        Assert.Equal("metadata_language", language.Reject(With("language", "de")));
        Assert.Equal("metadata_int_score", (edu with { Max = 4 }).Reject(With("int_score", 5)));
        Assert.NotEmpty(new MetadataFilter().Validate());
        Assert.NotEmpty(new MetadataFilter { Min = 2, Max = 1 }.Validate());
        Assert.Empty(edu.Validate());
    }

    [Theory]
    [InlineData(2.5, 2)]
    [InlineData(3.5, 4)]
    [InlineData(-1, 0)]
    [InlineData(7.2, 5)]
    [InlineData(2.51, 3)]
    public void Scores_round_half_to_even(double score, int expected)
    {
        var document = new WorkingDocument(With("score", score));
        new IntegerScoreAnnotator().Apply(document);
        Assert.Equal(expected, document.Document.Metadata["int_score"]!.GetValue<int>());
    }

    [Fact]
    public void Copies_follow_the_cluster_size()
    {
        (int Size, int Copies)[] cases =
            [(1, 1), (2, 2), (3, 3), (4, 3), (5, 5), (99, 5), (100, 8), (999, 8), (1000, 1), (50_000, 1)];
        foreach (var (size, copies) in cases)
        {
            var document = new WorkingDocument(With("minhash_cluster_size", size));
            new RehydrateFilter().Apply(document);
            Assert.Equal(copies, document.Copies);
        }
        var single = new WorkingDocument(Of("t"));
        new RehydrateFilter().Apply(single);
        Assert.Equal(1, single.Copies);
        Assert.Equal(4, new RehydrateFilter { Weights = ["1:0", "10:4"] }.CopiesOf(10));
        Assert.Throws<ArgumentException>(() => new RehydrateFilter { Weights = ["1:1", "1:2"] });
        Assert.Throws<ArgumentException>(() => new RehydrateFilter { Weights = ["x"] });
    }
}
