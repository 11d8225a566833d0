using Finery.Data.Filters;
using Finery.Data.Filters.Unigrams;
using Finery.Tests.Models;
using Xunit;

namespace Finery.Tests.Data.Filters.Unigrams;

public sealed class UnigramTests
{
    private static string? Reject(DocumentFilter filter, string text) => filter.Reject(new("id", text));

    [Fact]
    public void A_table_counts_merges_and_comes_back_from_its_file()
    {
        using var folder = new TemporaryFolder();
        var table = new UnigramTable();
        table.Add("The sea, the SEA and a ship.");
        table.Add("Ship ahoy!");
        Assert.Equal((2, 2, 2, 1), (table.Count("the"), table.Count("Sea"), table.Count("ship"), table.Count(",")));
        Assert.Equal((12, 9), (table.Total, table.Words));
        var (left, right) = (new UnigramTable(), new UnigramTable());
        left.Add("The sea, the SEA and a ship.");
        right.Add("Ship ahoy!");
        right.Merge(left);
        table.Save(folder["a.tsv"]);
        right.Save(folder["b.tsv"]);
        Assert.Equal(File.ReadAllText(folder["a.tsv"]), File.ReadAllText(folder["b.tsv"]));
        var loaded = UnigramTable.Load(folder["a.tsv"]);
        Assert.Equal((table.Total, 2 / 12.0), (loaded.Total, loaded.Frequency("the")));
        loaded.Prune(2);
        Assert.Equal((6, 3), (loaded.Total, loaded.Words));
        File.WriteAllText(folder["c.csv"], "word,count\nthe,10\nof,5\n");
        Assert.Equal(15, UnigramTable.Load(folder["c.csv"]).Total);
        File.WriteAllText(folder["bad"], "the\t10\nbroken\n");
        Assert.Contains("bad:2", Assert.Throws<InvalidDataException>(() => UnigramTable.Load(folder["bad"])).Message);
        File.WriteAllText(folder["empty"], "");
        Assert.Throws<InvalidDataException>(() => UnigramTable.Load(folder["empty"]));
    }

    [Fact]
    public void Mean_log_probability_must_be_above_the_threshold()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["t"], "a\t1\nb\t1\n");
        var filter = new UnigramLogProbabilityFilter { TableFile = folder["t"], Threshold = Math.Log(0.5) };
        Assert.Equal("unigram_log_prob", Reject(filter, "a b A"));
        Assert.Null(Reject(filter with { Threshold = Math.Log(0.4999) }, "a b A"));
        Assert.Equal("unigram_log_prob", Reject(filter with { Threshold = -10 }, "a q"));
        Assert.Null(Reject(filter with { Threshold = -10.8 }, "a q"));
        Assert.Null(Reject(filter with { Threshold = -1 }, ""));
    }

    [Fact]
    public void The_bundled_table_tells_english_from_noise()
    {
        const string english = "The people of the town said that they would like to see more of the river, because it is a good "
            + "place to be in the summer and there is not much else to do when the days are long.";
        Assert.Null(Reject(new UnigramLogProbabilityFilter(), english));
        Assert.Equal("unigram_log_prob", Reject(new UnigramLogProbabilityFilter(), "xq zzv kkrt wplm qqq nbvc"));
        Assert.InRange(UnigramTable.English.Frequency("the"), 0.03, 0.09);
    }

    [Fact]
    public void Divergence_grows_with_outliers()
    {
        var english = string.Concat(Enumerable.Repeat("The people of the town said that they would like to see the river. ", 5));
        var outliers = string.Concat(Enumerable.Repeat("qzx qzx wvk wvk ", 30));
        var filter = new TokenDistributionFilter();
        Assert.Null(Reject(filter, english));
        Assert.Equal("token_distribution", Reject(filter, outliers));
        Assert.Null(Reject(filter, "qzx wvk"));
        // Two words of equal share against half of one known word each: ln(.5/.25).
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["t"], "a\t1\nb\t1\nc\t2\n");
        var exact = filter with { TableFile = folder["t"], MinWords = 1, MaxDivergence = Math.Log(2) + 1e-9 };
        Assert.Null(Reject(exact, "a b"));
        Assert.Equal("token_distribution", Reject(exact with { MaxDivergence = Math.Log(2) - 1e-9 }, "a b"));
    }
}
