using Finery.Data;
using Finery.Data.Readers;
using Finery.Data.Writers;
using Finery.Tests.Data.Parquet;
using Finery.Tests.Models;
using Xunit;

namespace Finery.Tests.Data.Writers;

public sealed class DocumentWriterTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private static Dictionary<string, byte[]> Files(string folder) => Directory.GetFiles(folder, "*", SearchOption.AllDirectories)
        .ToDictionary(path => Path.GetRelativePath(folder, path).Replace('\\', '/'), File.ReadAllBytes);

    private static void Write(OutputSettings settings, string folder, IReadOnlyList<Document> documents, params int[] checkpoints)
    {
        using var writer = DocumentWriter.Create(settings, folder, "00007");
        for (var i = 0; i < documents.Count; i++)
        {
            writer.Write(documents[i]);
            if (checkpoints.Contains(i))
                writer.Checkpoint();
        }
        writer.Commit();
        Assert.Equal(documents.Count, writer.Count);
    }

    [Theory]
    [InlineData(OutputFormat.Jsonl, "00007.jsonl")]
    [InlineData(OutputFormat.JsonlGz, "00007.jsonl.gz")]
    [InlineData(OutputFormat.JsonlZst, "00007.jsonl.zst")]
    [InlineData(OutputFormat.Parquet, "00007.parquet")]
    public void A_file_of_each_format_reads_back(OutputFormat format, string name)
    {
        var documents = ParquetTests.Documents(300);
        Write(new() { Format = format }, _folder["out"], documents);
        Assert.Equal([name], Files(_folder["out"]).Keys);
        ParquetTests.AssertSame(documents, [.. DocumentReader.ForPaths([_folder["out"]]).Read(new())]);
        Write(new() { Format = format }, _folder["empty"], []);
        Assert.Equal([name], Files(_folder["empty"]).Keys);
        var report = new ReadReport();
        Assert.Empty(DocumentReader.ForPaths([_folder["empty"]]).Read(report));
        Assert.Empty(report.Skipped);
    }

    [Theory]
    [InlineData(OutputFormat.Jsonl, "${rank}", 0)]
    [InlineData(OutputFormat.JsonlGz, "${rank}", 0)]
    [InlineData(OutputFormat.JsonlZst, "${rank}", 0)]
    [InlineData(OutputFormat.Parquet, "${rank}", 0)]
    [InlineData(OutputFormat.JsonlZst, "${language}/${rank}", 3000)]
    [InlineData(OutputFormat.Jsonl, "${group}-${rank}", 2000)]
    [InlineData(OutputFormat.Parquet, "${group}/${rank}", 9000)]
    public void Writing_that_was_interrupted_ends_in_the_same_bytes(OutputFormat format, string template, long maxFileBytes)
    {
        var settings = new OutputSettings { Format = format, Template = template, MaxFileBytes = maxFileBytes };
        var documents = ParquetTests.Documents(400);
        for (var i = 0; i < documents.Count; i++)
            documents[i].Metadata["group"] = i * 7919 % 45; // more than may be open at once
        Write(settings, _folder["whole"], documents, 100, 250);
        var whole = Files(_folder["whole"]);
        Assert.DoesNotContain(whole.Keys, name => name.EndsWith(".partial", StringComparison.Ordinal));
        foreach (var stop in new[] { 101, 180, 251, 399 })
        {
            var folder = _folder["stopped" + stop];
            string? checkpoint = null;
            var done = 0;
            using (var writer = DocumentWriter.Create(settings, folder, "00007"))
                for (var i = 0; i < stop; i++)
                {
                    writer.Write(documents[i]);
                    if (i is 100 or 250)
                        (checkpoint, done) = (writer.Checkpoint(), i + 1);
                }
            Assert.All(Files(folder).Keys, name => Assert.EndsWith(".partial", name));
            using (var writer = DocumentWriter.Create(settings, folder, "00007", checkpoint))
            {
                Assert.Equal(done, writer.Count);
                for (var i = done; i < documents.Count; i++)
                {
                    writer.Write(documents[i]);
                    if (i is 100 or 250)
                        writer.Checkpoint();
                }
                writer.Commit();
            }
            var resumed = Files(folder);
            Assert.Equal(whole.Keys.Order(), resumed.Keys.Order());
            Assert.All(whole, file => Assert.Equal(file.Value, resumed[file.Key]));
        }
        var back = new HashSet<string>(DocumentReader.ForPaths([_folder["whole"]]).Read(new()).Select(d => d.Id));
        Assert.Equal(documents.Count, back.Count);
    }

    [Fact]
    public void Renaming_that_was_interrupted_is_completed()
    {
        var settings = new OutputSettings { Format = OutputFormat.Jsonl, Template = "${group}-${rank}" };
        var documents = ParquetTests.Documents(20);
        for (var i = 0; i < documents.Count; i++)
            documents[i].Metadata["group"] = i % 3;
        string checkpoint;
        using (var writer = DocumentWriter.Create(settings, _folder["a"], "0"))
        {
            documents.ForEach(document => writer.Write(document));
            checkpoint = writer.Checkpoint();
        }
        File.Move(_folder["a/1-0.jsonl.partial"], _folder["a/1-0.jsonl"]);
        using (var writer = DocumentWriter.Create(settings, _folder["a"], "0", checkpoint))
            writer.Commit();
        Assert.Equal(["0-0.jsonl", "1-0.jsonl", "2-0.jsonl"], Files(_folder["a"]).Keys.Order());
        File.WriteAllText(_folder["a/1-0.jsonl"], "");
        Assert.Throws<InvalidDataException>(() =>
        {
            using var writer = DocumentWriter.Create(settings, _folder["a"], "0", checkpoint);
            writer.Commit();
        });
    }

    [Fact]
    public void Files_of_limited_size_are_numbered()
    {
        var documents = ParquetTests.Documents(200);
        Write(new() { Format = OutputFormat.Jsonl, MaxFileBytes = 10_000 }, _folder["out"], documents);
        var files = Files(_folder["out"]);
        Assert.True(files.Count > 3);
        Assert.Equal(Enumerable.Range(0, files.Count).Select(i => $"{i:000}_00007.jsonl"), files.Keys.Order());
        Assert.All(files, file => Assert.InRange(file.Value.Length, 1, 10_000 + 600));
        ParquetTests.AssertSame(documents, [.. DocumentReader.ForPaths([_folder["out"]]).Read(new())]);
    }

    [Theory]
    [InlineData("../../etc/passwd", "_._.._etc_passwd")]
    [InlineData("..", "_")]
    [InlineData("", "none")]
    [InlineData("con", "_con")]
    [InlineData("a/b\\c:d*e", "a_b_c_d_e")]
    [InlineData("Ünïcode-1.5", "Ünïcode-1.5")]
    [InlineData("end...", "end")]
    public void Values_cannot_leave_the_folder(string value, string name) => Assert.Equal(name, FileTemplate.MadeSafe(value));

    [Fact]
    public void Long_values_stay_apart_and_documents_name_their_files()
    {
        var names = Enumerable.Range(0, 3).Select(i => FileTemplate.MadeSafe(new string('x', 500) + i)).ToList();
        Assert.Equal(3, names.Distinct().Count());
        Assert.All(names, name => Assert.InRange(name.Length, 1, 60));
        Write(new() { Format = OutputFormat.Jsonl, Template = "${filter_reason}/${rank}-${id}" }, _folder["out"],
            [new Document("a/b", "t") { Metadata = { ["filter_reason"] = "../up" } }, new Document("c", "t")]);
        Assert.Equal(["_._up/00007-a_b.jsonl", "none/00007-c.jsonl"], Files(_folder["out"]).Keys.Order());
    }

    [Theory]
    [InlineData("fixed")]
    [InlineData("/${rank}")]
    [InlineData("../${rank}")]
    [InlineData("a//${rank}")]
    [InlineData("${rank}/${")]
    [InlineData("${}${rank}")]
    [InlineData("C:\\${rank}")]
    public void Templates_that_cannot_work_are_reported(string template)
    {
        var settings = new OutputSettings { Template = template };
        Assert.Equal("Template", Assert.Single(settings.Validate()).Property);
        Assert.Throws<ArgumentException>(() => DocumentWriter.Create(settings, _folder["out"], "0"));
    }

    [Fact]
    public void Left_without_commit_nothing_stays_but_what_a_checkpoint_covers()
    {
        var settings = new OutputSettings { Format = OutputFormat.Jsonl, Template = "${group}-${rank}", MaxFileBytes = 1000 };
        var documents = ParquetTests.Documents(100);
        for (var i = 0; i < documents.Count; i++)
            documents[i].Metadata["group"] = i % 40;
        using (var writer = DocumentWriter.Create(settings, _folder["out"], "0"))
            documents.ForEach(document => writer.Write(document));
        Assert.Empty(Files(_folder["out"]));
        using (var writer = DocumentWriter.Create(settings, _folder["out"], "0"))
        {
            writer.Write(documents[0]);
            writer.Checkpoint();
            writer.Write(documents[1]);
        }
        Assert.Equal(["000_0-0.jsonl.partial"], Files(_folder["out"]).Keys);
    }
}
