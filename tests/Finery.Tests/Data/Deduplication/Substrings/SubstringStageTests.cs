using System.Text;
using Finery.Data;
using Finery.Data.Deduplication.Substrings;
using Finery.Data.Tokenizers;
using Finery.Tests.Models;
using Xunit;

namespace Finery.Tests.Data.Deduplication.Substrings;

public sealed class SubstringStageTests
{
    [Fact]
    public void Only_the_repeated_range_goes_and_the_first_stays()
    {
        var random = new Random(1);
        string shared = Prose.Words(random, 60), nearly = Prose.Words(random, 49), a = Prose.Words(random, 80),
            b = Prose.Words(random, 30);
        var documents = new List<Document>
        {
            new("0", $"{a} {shared}\nend {nearly}"), new("1", $"{b} {shared} {nearly} tail"), new("2", shared), new("3", "short"),
        };
        var results = StageRun.Run(new SubstringStage(), documents, 3);
        Assert.Equal(documents[0].Text, results[0].Document.Text);
        Assert.Equal($"{b} {nearly} tail", results[1].Document.Text);
        Assert.Equal([null, null, "substring_dedup", null], results.Select(r => r.Reason));
    }

    [Fact]
    public void A_run_that_repeats_within_a_document_leaves_one_copy()
    {
        var random = new Random(2);
        string shared = Prose.Words(random, 70), b = Prose.Words(random, 10);
        var results = StageRun.Run(new SubstringStage(), [new("0", $"{shared} {b} {shared} end"),
            new("1", string.Join(' ', Enumerable.Repeat("ha", 500)))]);
        Assert.Equal($"{shared} {b} end", results[0].Document.Text);
        Assert.Equal(50, results[1].Document.Text.TrimEnd().Split(' ').Length);
    }

    [Theory]
    [InlineData(SubstringUnit.Word)]
    [InlineData(SubstringUnit.Byte)]
    public void What_goes_is_what_a_plain_search_finds(SubstringUnit unit)
    {
        const int least = 6;
        var random = new Random(3);
        for (var round = 0; round < 30; round++)
        {
            var separator = unit == SubstringUnit.Word ? " " : "";
            var documents = Enumerable.Range(0, 5).Select(i => new Document($"{i}", string.Join(
                separator, Enumerable.Range(0, random.Next(60)).Select(_ => "abc"[random.Next(random.Next(2) + 2)])))).ToList();
            var stage = new SubstringStage { MinTokens = least, Unit = unit };
            var seen = new Dictionary<string, (int Document, int At)>();
            var expected = new List<string>();
            foreach (var (number, document) in documents.Index())
            {
                var tokens = unit == SubstringUnit.Word ? document.Text.Split(' ') : [.. document.Text.Select(c => $"{c}")];
                var isCut = new bool[tokens.Length];
                for (var i = 0; i + least <= tokens.Length; i++)
                    if (seen.TryGetValue(string.Join(' ', tokens[i..(i + least)]), out var first))
                        for (var k = first.Document == number ? Math.Max(i, first.At + least) : i; k < i + least; k++)
                            isCut[k] = true;
                    else
                        seen[string.Join(' ', tokens[i..(i + least)])] = (number, i);
                expected.Add(string.Join(separator, tokens.Where((_, i) => !isCut[i])));
            }
            Assert.Equal(expected, StageRun.Run(stage, documents, 2).Select(r => r.Document.Text.TrimEnd(' ')));
        }
    }

    [Fact]
    public void Characters_are_never_broken()
    {
        // the bytes of the accented letters differ in their last byte only, so that byte runs end within characters
        var random = new Random(4);
        string Text() => string.Concat(Enumerable.Range(0, 40).Select(_ => "àáâ日曰旧😀😁"[random.Next(4)]));
        var shared = Text();
        var documents = Enumerable.Range(0, 20).Select(i => new Document($"{i}", Text() + "à" + shared + "á" + Text())).ToList();
        foreach (var (result, document) in StageRun.Run(new SubstringStage { MinTokens = 20, Unit = SubstringUnit.Byte },
            documents, 2).Zip(documents))
        {
            Assert.Equal(result.Document.Text, Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(result.Document.Text)));
            Assert.DoesNotContain('\uFFFD', result.Document.Text);
            Assert.True(result.Document.Text.Length <= document.Text.Length);
        }
    }

    [Fact]
    public void Parts_tasks_and_memory_change_nothing()
    {
        var random = new Random(5);
        var pool = Enumerable.Range(0, 30).Select(_ => Prose.Words(random, 20)).ToList();
        var documents = Enumerable.Range(0, 120).Select(i => new Document(
            $"{i}", string.Join("\n", Enumerable.Range(0, random.Next(20)).Select(_ => pool[random.Next(pool.Count)])))).ToList();
        List<string> Run(int parts, int concurrent, long memory)
        {
            using var folder = new TemporaryFolder();
            return StageRun.Lines(StageRun.Run(
                new SubstringStage { MinTokens = 15 }, new MemoryCorpus(documents, parts, memory), folder.Path, concurrent));
        }
        var expected = Run(1, 1, 64 << 20);
        Assert.Equal(expected, Run(3, 1, 64 << 20));
        Assert.Equal(expected, Run(7, 8, 64 << 20));
        Assert.Equal(expected, Run(3, 1, 1));
    }

    [Fact]
    public void Tokens_of_a_tokenizer_are_cut_by_their_offsets()
    {
        var random = new Random(6);
        using var folder = new TemporaryFolder();
        TokenizerFile.Save(new BpeTrainer { VocabSize = 500 }.Train([Prose.Words(random, 3000)]), folder.Path);
        string tail = Prose.Words(random, 10), shared = Prose.Words(random, 60), a = Prose.Words(random, 40) + " café 日本",
            b = Prose.Words(random, 20) + " naïve 😀";
        var documents = new List<Document> { new("0", $"{a} {shared}"), new("1", $"{b} {shared} {tail}") };
        var stage = new SubstringStage { TokenizerFile = folder.Path };
        var results = StageRun.Run(stage, documents, 2);
        Assert.Equal(documents[0].Text, results[0].Document.Text);
        Assert.Equal($"{b} {tail}", results[1].Document.Text);
        Assert.Equal(stage, new SubstringStage { TokenizerFile = folder.Path });
    }
}
