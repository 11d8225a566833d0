using System.Text.Json.Nodes;
using Finery.Data;
using Finery.Data.Deduplication.Spans;
using Finery.Tests.Models;
using Xunit;

namespace Finery.Tests.Data.Deduplication.Spans;

public sealed class SpanStageTests
{
    private static string Paragraph(int seed, int sentences = 8) => string.Join(' ', Enumerable.Range(0, sentences)
        .Select(i => Prose.Words(new Random(seed * 1000 + i), 12) + "."));

    [Fact]
    public void A_block_shared_with_an_earlier_document_goes_and_the_rest_stays_verbatim()
    {
        string shared = Paragraph(1), own = Paragraph(2), other = Paragraph(3), tail = Paragraph(4);
        var documents = new List<Document> { new("0", $"{own} {shared}"), new("1", $"{other} {shared} {tail}") };
        var results = StageRun.Run(new SentenceStage(), documents, 2);
        Assert.Equal(documents[0].Text, results[0].Document.Text);
        Assert.Equal($"{other} {tail}", results[1].Document.Text);
        Assert.All(results, r => Assert.Null(r.Reason));
    }

    [Fact]
    public void With_an_index_the_first_copies_go_too()
    {
        string shared = Paragraph(1), own = Paragraph(2), other = Paragraph(3);
        using TemporaryFolder first = new(), second = new(), index = new();
        StageRun.Phases(new SentenceStage { SaveIndex = index.Path }, new MemoryCorpus([new("i", shared)], 1), first.Path);
        var documents = new List<Document> { new("0", $"{own} {shared}"), new("1", $"{other} {shared}") };
        var results = StageRun.Run(new SentenceStage { Index = index.Path }, new MemoryCorpus(documents, 1), second.Path);
        Assert.Equal([own, other], results.Select(r => r.Document.Text));
    }

    [Fact]
    public void A_document_that_keeps_too_little_is_dropped_and_shows_the_cuts()
    {
        var shared = Paragraph(1);
        var documents = new List<Document> { new("0", shared), new("1", $"Too little is left here. {shared} End of it."),
            new("2", "Short.") };
        var results = StageRun.Run(new SentenceStage { MarkCuts = true }, documents);
        Assert.Equal([null, "sentence_dedup", null], results.Select(r => r.Reason));
        Assert.Equal("Too little is left here.>>>cut<<< End of it.", results[1].Document.Text);
        Assert.Null(StageRun.Run(new SentenceStage { MinSentences = 2, MinWords = 5 }, documents)[1].Reason);
    }

    [Fact]
    public void Lines_seen_more_than_six_times_in_a_bucket_go_everywhere()
    {
        var documents = Enumerable.Range(0, 14).Select(i => new Document(
            $"{i}", $"own line {i}\n Cookie notice \n\n{(i < 6 ? "six times\n" : "")}last {i}")).ToList();
        var results = StageRun.Run(new LineStage(), documents, 4);
        Assert.Equal("own line 0\n\nsix times\nlast 0", results[0].Document.Text);
        Assert.Equal("own line 13\n\nlast 13", results[13].Document.Text);
        // in buckets of 7 it occurs 7 times in each, in buckets of 6 not often enough
        Assert.Equal(results.Select(r => r.Document.Text),
            StageRun.Run(new LineStage { BucketDocuments = 7 }, documents, 3).Select(r => r.Document.Text));
        Assert.Equal(documents.Select(d => d.Text),
            StageRun.Run(new LineStage { BucketDocuments = 6 }, documents, 3).Select(r => r.Document.Text));
        Assert.All(StageRun.Run(new LineStage { MaxCount = 2 }, Enumerable.Repeat(new Document("x", "a\nb\n"), 3).ToList()),
            r => Assert.Equal("line_dedup", r.Reason));
    }

    [Fact]
    public void Shared_lines_go_from_the_group_and_repeats_within_a_document_once()
    {
        string filler(int i) => Paragraph(50 + i);
        var documents = new List<Document>
        {
            new("0", $"{filler(0)}\nMenu 12\nonly here\nonly here\n{filler(1)}"),
                new("1", $"{filler(2)}\n\u00ABmenu 34\u00BB\n{filler(3)}"),
            new("2", $"{filler(4)}\nmenu 9\n{filler(5)}"), new("3", "short"),
        };
        var results = StageRun.Run(new CcNetStage(), documents, 4);
        Assert.Equal($"{filler(0)}\nonly here\n{filler(1)}", results[0].Document.Text);
        Assert.Equal($"{filler(2)}\n{filler(3)}", results[1].Document.Text);
        Assert.Equal(documents[2].Text, results[2].Document.Text); // one digit, another line
        Assert.Equal("ccnet_lines_short", results[3].Reason);
        var grouped = StageRun.Run(new CcNetStage { GroupParts = 1 }, documents, 4);
        Assert.Contains("Menu 12", grouped[0].Document.Text, StringComparison.Ordinal);
        Assert.Contains("Menu 12", StageRun.Run(new CcNetStage { KeepFirst = true }, documents, 2)[0].Document.Text,
            StringComparison.Ordinal);
        Assert.Equal("abc 000 d", CcNetStage.Normalise(" ABC 12\u0663\u3002 d\u0007 "));
    }

    [Fact]
    public void Paragraphs_that_occurred_before_go()
    {
        string a = Paragraph(1, 2), b = Paragraph(2, 2), c = Paragraph(3, 2);
        var results = StageRun.Run(new ParagraphStage(), [new("0", $"{a}\n\n{b}\n\nBye."),
            new("1", $"{c}\n\n{a.ToUpperInvariant()}\n\nBye."), new("2", b)], 2);
        Assert.Equal($"{c}\n\nBye.", results[1].Document.Text);
        Assert.Equal("paragraph_dedup", results[2].Reason);
    }

    [Fact]
    public void Parts_tasks_memory_and_order_of_work_change_nothing()
    {
        var random = new Random(5);
        var documents = Enumerable.Range(0, 200).Select(i => new Document($"{i}", string.Join(
            random.Next(2) == 0 ? "\n" : " ", Enumerable.Range(0, random.Next(30)).Select(_ => Paragraph(random.Next(60), 1)))))
                .ToList();
        foreach (var stage in new SpanStage[]
        {
            new SentenceStage { MinWords = 5 }, new SentenceStage { Lines = true, SpanSentences = 2 },
                new LineStage { BucketDocuments = 50 },
            new CcNetStage { KeepFirst = true, MinCharacters = 10 }, new ParagraphStage { Lines = true },
        })
        {
            List<string> Run(int parts, int concurrent, long memory)
            {
                using var folder = new TemporaryFolder();
                return StageRun.Lines(StageRun.Run(stage, new MemoryCorpus(documents, parts, memory), folder.Path, concurrent));
            }
            var expected = Run(1, 1, 64 << 20);
            Assert.Contains(expected.Zip(documents), p => !p.First.Contains(p.Second.Text, StringComparison.Ordinal));
            Assert.Equal(expected, Run(3, 1, 64 << 20));
            Assert.Equal(expected, Run(7, 8, 64 << 20));
            Assert.Equal(expected, Run(3, 1, 1));
        }
    }

    [Fact]
    public void What_was_found_is_reported()
    {
        using var folder = new TemporaryFolder();
        StageRun.Phases(new LineStage { MaxCount = 1 }, new MemoryCorpus([new("0", "a\nb"), new("1", "a\nc")], 2), folder.Path);
        var report = JsonNode.Parse(File.ReadAllText(folder["line_dedup.json"]))!;
        Assert.Equal((2, 4, 2), ((int)report["documents"]!, (int)report["spans"]!, (int)report["spans_removed"]!));
        Assert.Equal(1, (int)report["settings"]!["max_count"]!);
    }
}
