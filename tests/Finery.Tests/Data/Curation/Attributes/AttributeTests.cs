using System.Text.Json.Nodes;
using Finery.Data;
using Finery.Data.Curation.Attributes;
using Finery.Data.Filters;
using Finery.Tests.Models;
using Xunit;

namespace Finery.Tests.Data.Curation.Attributes;

public sealed class AttributeTests
{
    private static DocumentAttributes Toxic(string id, params (long Start, long End, double Score)[] spans) =>
        new(id, new Dictionary<string, IReadOnlyList<AttributeSpan>>
        {
            ["toxic"] = [.. spans.Select(s => new AttributeSpan(s.Start, s.End, s.Score))],
        });

    private static Document With(string text, string attributes) =>
        new("id", text) { Metadata = new JsonObject { ["attributes"] = JsonNode.Parse(attributes) } };

    [Theory]
    [InlineData("a.jsonl")]
    [InlineData("a.jsonl.gz")]
    public void Files_come_back_as_written(string name)
    {
        using var folder = new TemporaryFolder();
        DocumentAttributes[] written = [Toxic("1", (0, 5, 0.25), (7, 9, 1)), Toxic("2"), Toxic("\"3\n")];
        AttributeFile.Write(folder[name], written);
        var read = AttributeFile.Read(folder[name]).ToList();
        Assert.Equal(written.Select(d => (d.Id, d.ToJson().ToJsonString())), read.Select(d => (d.Id, d.ToJson().ToJsonString())));
        Assert.Equal("{\"toxic\":[[0,5,0.25],[7,9,1]]}", read[0].ToJson().ToJsonString());
    }

    [Theory]
    [InlineData("{}")]
    [InlineData("{\"id\":\"1\",\"attributes\":{\"a\":1}}")]
    [InlineData("{\"id\":\"1\",\"attributes\":{\"a\":[[5,2,0.1]]}}")]
    [InlineData("{\"id\":\"1\",\"attributes\":{\"a\":[[1,2]]}}")]
    [InlineData("[")]
    public void Other_lines_are_refused_with_their_place(string line)
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["a.jsonl"], line + "\n");
        var error = Assert.Throws<FormatException>(() => AttributeFile.Read(folder["a.jsonl"]).ToList());
        Assert.Contains("a.jsonl:1", error.Message);
    }

    [Fact]
    public void Coverage_counts_overlaps_once_in_code_points()
    {
        Assert.Equal(0.5, DocumentAttributes.Coverage([new(0, 3, 1), new(2, 5, 1), new(1, 2, 1)], 10));
        Assert.Equal(0.2, DocumentAttributes.Coverage([new(8, 50, 1)], 10));
        Assert.Equal(0, DocumentAttributes.Coverage([new(0, 1, 1)], 0));
        var filter = new AttributeFilter { Attribute = "toxic", MaxCoverage = 0.5 };
        Assert.Null(filter.Reject(With("😀😀😀😀", "{\"toxic\":[[0,2,1]]}")));
        Assert.Equal("attribute_toxic", filter.Reject(With("😀😀😀😀", "{\"toxic\":[[0,3,1]]}")));
    }

    [Fact]
    public void Documents_are_kept_by_their_attributes()
    {
        const string attributes = "{\"toxic\":[[0,2,0.3],[2,4,0.8]]}";
        var filter = new AttributeFilter { Attribute = "toxic" };
        Assert.Equal("attribute_toxic", (filter with { MaxScore = 0.7 }).Reject(With("abcd", attributes)));
        Assert.Null((filter with { MaxScore = 0.8 }).Reject(With("abcd", attributes)));
        Assert.Equal("attribute_toxic", (filter with { MinScore = 0.9 }).Reject(With("abcd", attributes)));
        Assert.Null((filter with { MaxCoverage = 0.5, MinSpanScore = 0.5 }).Reject(With("abcd", attributes)));
        Assert.Equal("attribute_toxic", (filter with { MinCoverage = 0.6, MinSpanScore = 0.5 }).Reject(With("abcd", attributes)));
        Assert.Null((filter with { MaxScore = 0 }).Reject(new("id", "t")));
        Assert.Equal("missing_attribute", (filter with { AllowMissing = false }).Reject(new("id", "t")));
        Assert.NotEmpty(filter.Validate());
        Assert.Empty((filter with { MaxScore = 1 }).Validate());
    }

    [Fact]
    public void Attributes_are_joined_by_id_in_order()
    {
        using var folder = new TemporaryFolder();
        AttributeFile.Write(AttributeFile.PathOf(folder.Path, "a", 0),
            [Toxic("1", (0, 1, 1)), Toxic("2"), Toxic("4", (0, 2, 1))]);
        AttributeFile.Write(AttributeFile.PathOf(folder.Path, "b", 0),
            [
                new("1", new Dictionary<string, IReadOnlyList<AttributeSpan>>()),
                new("4", new Dictionary<string, IReadOnlyList<AttributeSpan>> { ["long"] = [new(0, 9, 0.5)] }),
            ]);
        var stage = new AttributeJoinStage { Folder = folder.Path, Names = ["a", "b"] };
        Assert.Empty(stage.Phases(new ListCorpus([]), folder.Path));
        using var part = stage.Open(new ListCorpus([]), folder.Path, 0);
        string? Join(string id, long index)
        {
            var document = new WorkingDocument(new Document(id, "t"));
            part.Apply(document, index);
            return document.Document.Metadata["attributes"]?.ToJsonString();
        }
        Assert.Equal("{\"toxic\":[[0,1,1]]}", Join("1", 0));
        Assert.Equal("{\"toxic\":[[0,2,1]],\"long\":[[0,9,0.5]]}", Join("4", 3));
        Assert.Contains("'5'", Assert.Throws<InvalidDataException>(() => Join("5", 4)).Message);
    }
}
