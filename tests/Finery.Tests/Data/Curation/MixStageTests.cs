using System.Text.Json.Nodes;
using Finery.Data;
using Finery.Data.Curation;
using Finery.Data.Filters;
using Finery.Tests.Models;
using Xunit;

namespace Finery.Tests.Data.Curation;

public sealed class MixStageTests
{
    private static readonly List<Document> s_documents = [.. Enumerable.Range(0, 3000).Select(i => new Document($"d{i}", "text")
    {
        Metadata = new JsonObject
        {
            ["domain"] = i % 10 == 0 ? "math" : i % 10 == 1 ? "other" : "web", ["token_count"] = 5 + i % 7,
        },
    })];

    private static readonly MixStage s_stage = new() { Shares = [new("web", 0.75), new("math", 0.25)] };

    private static ListCorpus Cut(int parts) =>
        new([.. Enumerable.Range(0, parts).Select(p => s_documents.Where((_, i) => i % parts == p).ToList())]);

    private static Dictionary<string, int> Run(MixStage stage, Corpus corpus, string folder)
    {
        Directory.CreateDirectory(folder);
        foreach (var phase in stage.Phases(corpus, folder))
            for (var task = phase.Tasks - 1; task >= 0; task--)
                phase.Run(task, new(1 << 20, 1, CancellationToken.None));
        var copies = new Dictionary<string, int>();
        for (var part = 0; part < corpus.Parts; part++)
        {
            using var opened = stage.Open(corpus, folder, part);
            long index = 0;
            foreach (var document in corpus.Read(part))
            {
                var work = new WorkingDocument(document);
                opened.Apply(work, index++);
                copies[document.Id] = work.Copies;
            }
        }
        return copies;
    }

    private static double Tokens(Dictionary<string, int> copies, string domain) => s_documents
        .Where(d => (string)d.Metadata["domain"]! == domain)
        .Sum(d => copies[d.Id] * (double)d.Metadata["token_count"]!.GetValue<int>());

    [Fact]
    public void Shares_and_total_are_met()
    {
        using var folder = new TemporaryFolder();
        var copies = Run(s_stage with { Total = 8000 }, Cut(3), folder["a"]);
        Assert.InRange(Tokens(copies, "web"), 6000 * 0.93, 6000 * 1.07);
        Assert.InRange(Tokens(copies, "math"), 2000 * 0.9, 2000 * 1.1);
        Assert.Equal(0, Tokens(copies, "other"));
        // Without a total as much as there is of the scarcer domain.
        copies = Run(s_stage, Cut(3), folder["b"]);
        var math = s_documents.Where(d => (string)d.Metadata["domain"]! == "math")
            .Sum(d => d.Metadata["token_count"]!.GetValue<int>());
        Assert.Equal(math, Tokens(copies, "math"));
        Assert.InRange(Tokens(copies, "web"), math * 3 * 0.93, math * 3 * 1.07);
    }

    [Fact]
    public void Scarce_domains_are_repeated_up_to_the_limit()
    {
        using var folder = new TemporaryFolder();
        var stage = s_stage with { Shares = [new("web", 0.5), new("math", 0.5)], Total = 12000 };
        var copies = Run(stage, Cut(2), folder["a"]);
        var math = s_documents.Where(d => (string)d.Metadata["domain"]! == "math").Select(d => copies[d.Id]).Distinct().Order();
        Assert.Equal([2, 3], math);
        Assert.Equal(3, Run(stage with { Total = 1_000_000, MaxRepeats = 3 }, Cut(2), folder["b"]).Values.Max());
    }

    [Fact]
    public void The_choice_depends_on_seed_and_ids_alone()
    {
        using var folder = new TemporaryFolder();
        var stage = s_stage with { Total = 8000 };
        var one = Run(stage, Cut(1), folder["1"]);
        Assert.Equal(one, Run(stage, Cut(7), folder["7"]).OrderBy(c => int.Parse(c.Key[1..])).ToDictionary());
        Assert.Equal(one, Run(stage, Cut(1), folder["1"]));
        Assert.NotEqual(one, Run(stage with { Seed = 1 }, Cut(1), folder["s"]));
    }

    [Fact]
    public void What_cannot_work_is_said()
    {
        using var folder = new TemporaryFolder();
        var absent = s_stage with { Shares = [new("web", 0.5), new("code", 0.5)] };
        Assert.Contains("code", Assert.Throws<InvalidDataException>(() => Run(absent, Cut(1), folder["a"])).Message);
        var uncounted = new ListCorpus([[new("x", "t") { Metadata = new JsonObject { ["domain"] = "web" } }]]);
        Assert.Contains("token_count", Assert.Throws<InvalidDataException>(() => Run(s_stage, uncounted, folder["b"])).Message);
        Assert.NotEmpty((s_stage with { Shares = [new("a", 0.5)] }).Validate());
        Assert.NotEmpty((s_stage with { Shares = [new("a", 0.5), new("a", 0.5)] }).Validate());
        Assert.Empty(new MixStage().Validate());
        var bytes = Run(s_stage with { Shares = [new("web", 1)], Unit = MixUnit.Bytes }, Cut(1), folder["c"]);
        Assert.Equal(2400, bytes.Values.Sum());
    }
}
