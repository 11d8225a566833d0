using Finery.Data.Curation;
using Finery.Data.Filters;
using Finery.Data.Readers;
using Xunit;

namespace Finery.Tests.Data.Curation;

public sealed class ExplanationTests : IDisposable
{
    private readonly SmallCuration _small = new(files: 2);

    public void Dispose() => _small.Dispose();

    private Explanation Explain(string id) => Explanation.Of(_small.Settings, _small.Folder("out"), id)!;

    [Fact]
    public void It_agrees_with_what_became_of_every_document()
    {
        _small.Run("out");
        var kept = _small.Documents("out").Select(document => document.Id).ToHashSet();
        var dropped = new JsonLinesReader { Paths = [Path.Combine(_small["out"], "dropped", "**", "*")] }.Read(new())
            .ToDictionary(document => document.Id, document => (string)document.Metadata["filter_reason"]!);
        for (int i = 0; i < 60; i++)
        {
            var explanation = Explain($"1-{i}");
            Assert.Equal(kept.Contains(explanation.Id), explanation.Reason is null);
            if (explanation.Reason is not null) Assert.Equal(dropped[explanation.Id], explanation.Reason);
        }
    }

    [Fact]
    public void It_measures_the_rules_behind_the_one_that_dropped_the_document_too()
    {
        _small.Run("out");
        var explanation = Enumerable.Range(0, 120).Select(i => Explain($"0-{i}")).First(found => found.Reason == "words");
        Assert.Equal(["length", "WordFilter"], explanation.Stages.Select(stage => stage.Name));
        var failed = Assert.Single(explanation.Stages[1].Measurements, measured => measured.Rule == "words");
        Assert.True(failed is { Failed: true, Value: >= 1, Threshold: 0, Kind: RuleKind.AtMost });
        Assert.True(explanation.Stages[1].Reached);
    }

    [Fact]
    public void A_document_is_found_by_its_address()
    {
        _small.Run("out");
        string url = (string)_small.Documents("out")[0].Metadata["url"]!;
        Assert.Equal(_small.Documents("out")[0].Id, Explain(url).Id);
        Assert.Null(Explanation.Of(_small.Settings, _small.Folder("out"), "no such document"));
    }

    [Fact]
    public void An_unfinished_curation_cannot_be_explained() =>
        Assert.Throws<InvalidOperationException>(() => Explain("0-1"));
}
