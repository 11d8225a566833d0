using System.IO.Compression;
using System.Text;
using Finery.Data;
using Finery.Data.Readers;
using Finery.Data.Writers;
using Xunit;

namespace Finery.Tests.Data.Readers;

public sealed class ReaderTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("finery-read-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private string Put(string name, byte[] bytes)
    {
        var path = Path.Combine(_folder, name);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllBytes(path, bytes);
        return path;
    }

    private string Put(string name, string text) => Put(name, Encoding.UTF8.GetBytes(text));

    private static byte[] Gzip(byte[] bytes)
    {
        using var target = new MemoryStream();
        using (var gzip = new GZipStream(target, CompressionLevel.Fastest))
            gzip.Write(bytes);
        return target.ToArray();
    }

    private static List<Document> Read(DocumentReader reader, ReadReport? report = null) => [.. reader.Read(report ?? new())];

    [Fact]
    public void Rows_become_documents_with_merged_metadata()
    {
        var path = Put("a.jsonl", "\uFEFF{\"id\":\"x\",\"text\":\"One\",\"metadata\":{\"a\":1,\"b\":2},\"b\":3}\r\n\n"
            + "{\"text\":\"Two\",\"metadata\":\"{\\\"c\\\":[1]}\"}\n{\"id\":7,\"text\":\"Three\"}");
        var report = new ReadReport();
        var documents = Read(new JsonLinesReader { Paths = [path] }, report);
        Assert.Equal(["x", $"{path.Replace('\\', '/')}/3", "7"], documents.Select(d => d.Id));
        Assert.Equal(["One", "Two", "Three"], documents.Select(d => d.Text));
        Assert.Equal("""{"a":1,"b":3}""", documents[0].Metadata.ToJsonString());
        Assert.Equal("""{"c":[1]}""", documents[1].Metadata.ToJsonString());
        Assert.Empty(report.Skipped);
        Assert.Equal(11, report.Bytes);
    }

    [Fact]
    public void Bad_lines_are_counted_with_their_place()
    {
        var path = Put("a.jsonl", string.Join('\n',
            "{\"text\":\"ok\"}", "{\"text\":", "[1]", "{\"text\":3}", "{\"text\":\"  \"}", "{\"text\":\"\\ud800\"}",
            "{\"text\":\"a\",\"text\":\"b\"}", "{\"text\":\"fine\",\"m\":{\"k\":\"\\udfff\"}}",
            new string('[', 500), "{\"text\":\"😀 \\ud83d\\ude00\"}"));
        var report = new ReadReport();
        var documents = Read(new JsonLinesReader { Paths = [path] }, report);
        Assert.Equal(["ok", "😀 😀"], documents.Select(d => d.Text));
        Assert.Equal(5, report.Skipped["bad_json"].Count);
        Assert.Equal($"{path}:2", report.Skipped["bad_json"].FirstExample);
        Assert.Equal(new ReportedItems(2, $"{path}:3"), report.Skipped["no_text"]);
        Assert.Equal(new ReportedItems(1, $"{path}:5"), report.Skipped["empty_text"]);
    }

    [Fact]
    public void Invalid_utf8_is_replaced_and_counted()
    {
        var path = Put("a.jsonl", [.. "{\"text\":\"a"u8, 0xFF, .. "b\"}\n"u8]);
        var report = new ReadReport();
        Assert.Equal("a\uFFFDb", Assert.Single(Read(new JsonLinesReader { Paths = [path] }, report)).Text);
        Assert.Equal(1, report.Repaired["invalid_encoding"].Count);
    }

    [Fact]
    public void Lines_of_any_length_are_cut_alike_and_too_long_ones_are_passed_over()
    {
        var texts = new[] { 1, 65_000, 65_536, 200_000, 3, 150_000, 2 }.Select(n => new string('x', n)).ToList();
        var path = Put("a.jsonl", string.Join("\n", texts.Select(t => $"{{\"text\":\"{t}\"}}")));
        Assert.Equal(texts, Read(new JsonLinesReader { Paths = [path] }).Select(d => d.Text));
        var report = new ReadReport();
        var read = Read(new JsonLinesReader { Paths = [path], MaxLineBytes = 100_000 }, report);
        Assert.Equal(texts.Where(t => t.Length < 100_000), read.Select(d => d.Text));
        Assert.Equal(new ReportedItems(2, $"{path}:4"), report.Skipped["line_too_long"]);
    }

    [Fact]
    public void Damaged_gzip_keeps_what_came_before()
    {
        var random = new Random(1);
        var lines = Enumerable.Range(0, 4000).Select(i => $"{{\"text\":\"{i} {random.NextInt64()}\"}}\n").ToList();
        var gzip = Gzip(Encoding.UTF8.GetBytes(string.Concat(lines)));
        Assert.Equal(4000, Read(new JsonLinesReader { Paths = [Put("whole.jsonl.gz", gzip)] }).Count);
        Assert.Equal(4000 * 2, Read(new JsonLinesReader { Paths = [Put("two.jsonl.gz", [.. gzip, .. gzip])] }).Count);
        foreach (var (name, bytes) in new[]
        {
            ("cut.jsonl.gz", gzip[..(gzip.Length / 2)]),
            ("zeroed.jsonl.gz", [.. gzip[..(gzip.Length / 2)], .. new byte[gzip.Length / 2]]),
            ("tail.jsonl.gz", gzip[..^9]),
        })
        {
            var report = new ReadReport();
            var documents = Read(new JsonLinesReader { Paths = [Put(name, bytes)] }, report);
            Assert.InRange(documents.Count, name.StartsWith("tail", StringComparison.Ordinal) ? 3000 : 500, 4000);
            Assert.Equal(lines.Take(documents.Count - 1), documents.SkipLast(1).Select(d => $"{{\"text\":\"{d.Text}\"}}\n"));
            Assert.True(report.Skipped.Values.Sum(s => s.Count) >= 1, name);
        }
    }

    [Fact]
    public void Text_files_are_documents()
    {
        Put("t/a.md", "\uFEFFOne\r\ntwo\rthree");
        Put("t/b.txt", [0xFF, 0xFE, .. Encoding.Unicode.GetBytes("Grüße")]);
        Put("t/c.txt", [.. "a"u8, 0x80, .. "b"u8]);
        Put("t/d.txt", [1, 0, 2]);
        Put("t/e.txt", " \n");
        Put("t/f.txt", new string('x', 1000));
        var report = new ReadReport();
        var documents = Read(new TextFolderReader { Paths = [Path.Combine(_folder, "t", "*")], MaxFileBytes = 999 }, report);
        Assert.Equal(["One\ntwo\nthree", "Grüße", "a\uFFFDb"], documents.Select(d => d.Text));
        Assert.Equal("a.md", (string?)documents[0].Metadata["name"]);
        Assert.Equal(["binary_file", "empty_text", "too_large"], report.Skipped.Keys);
        Assert.Equal(["invalid_encoding"], report.Repaired.Keys);
    }

    [Fact]
    public void Readers_are_chosen_by_extension_and_a_folder_takes_known_ones()
    {
        Put("in/a.txt", "text");
        Put("in/deep/er/b.jsonl", "{\"text\":\"row\"}");
        Put("in/c.xml", "<doc><members><member name='T:A'><summary>S.</summary></member></members></doc>");
        Put("in/image.png", [0x89, 0x50]);
        Put("in/.hidden/d.txt", "hidden");
        var report = new ReadReport();
        var texts = Read(DocumentReader.ForPaths([Path.Combine(_folder, "in")]), report).Select(d => d.Text);
        Assert.Equal(["A type\n\nS.", "row", "text"], texts);
        Assert.Equal(3, report.Files);
    }

    [Theory]
    [InlineData("*.txt", "a.txt b.txt")]
    [InlineData("?.txt", "a.txt b.txt")]
    [InlineData("**/*.txt", "a.txt b.txt x/c.txt x/y/d.txt")]
    [InlineData("x/**/*.txt", "x/c.txt x/y/d.txt")]
    [InlineData("x/**", "x/c.txt x/y/d.txt")]
    [InlineData("*/*.txt", "x/c.txt")]
    [InlineData("a.txt", "a.txt")]
    public void Globs_expand_in_ordinal_order(string glob, string expected)
    {
        foreach (var name in new[] { "x/y/d.txt", "x/c.txt", "b.txt", "a.txt" })
            Put("g/" + name, name);
        var path = Path.Combine(_folder, "g", glob.Replace('/', Path.DirectorySeparatorChar));
        var reader = new TextFolderReader { Paths = [path] };
        Assert.Equal(expected.Split(' '), Read(reader).Select(d => d.Text));
    }

    [Fact]
    public void A_glob_without_match_names_itself()
    {
        var glob = Path.Combine(_folder, "*.nothing");
        Assert.Contains("*.nothing", Assert.Throws<FileNotFoundException>(() => DocumentReader.ForPaths([glob])).Message);
        Assert.Throws<FileNotFoundException>(() => Read(new JsonLinesReader { Paths = [Path.Combine(_folder, "none.jsonl")] }));
        Assert.Throws<FileNotFoundException>(() => DocumentReader.ForPaths([_folder]));
        Assert.Throws<ArgumentException>(() => DocumentReader.ForPaths([]));
    }

    [Theory]
    [InlineData("abcabc", "*abc", true)]
    [InlineData("abc", "a*b*c*", true)]
    [InlineData("abc", "a?", false)]
    [InlineData("", "*", true)]
    [InlineData("", "?", false)]
    public void Names_match_patterns(string name, string pattern, bool matches)
    {
        Put("m/" + (name.Length == 0 ? "zzz" : name), "x");
        var glob = Path.Combine(_folder, "m", pattern);
        if (name.Length > 0 && matches)
            Assert.Single(Read(new TextFolderReader { Paths = [glob] }));
        else if (name.Length > 0)
            Assert.Throws<FileNotFoundException>(() => Read(new TextFolderReader { Paths = [glob] }));
    }

    [Theory]
    [InlineData("o.jsonl")]
    [InlineData("o.jsonl.gz")]
    public void What_is_written_reads_back_and_equal_documents_give_equal_bytes(string name)
    {
        Document[] documents =
        [
            new("1", "line\nbreak \"quoted\" <tag> é 😀 \u2028") 
            {
                Metadata = { ["k"] = 1.5, ["o"] = new System.Text.Json.Nodes.JsonArray(1, null) },
            },
            new("2", "x"),
        ];
        byte[] Write(string path)
        {
            using (var writer = new JsonLinesWriter(path))
            {
                foreach (var document in documents)
                    writer.Write(document);
                Assert.False(File.Exists(path));
                writer.Commit();
            }
            return File.ReadAllBytes(path);
        }
        var path = Path.Combine(_folder, "w", name);
        Assert.Equal(Write(path), Write(Path.Combine(_folder, "v", name)));
        var back = Read(new JsonLinesReader { Paths = [path] });
        static (string, string, string) Parts(Document d) => (d.Id, d.Text, d.Metadata.ToJsonString());
        Assert.Equal(documents.Select(Parts), back.Select(Parts));
        Assert.Single(Directory.GetFiles(Path.Combine(_folder, "w")));
    }

    [Fact]
    public void A_dropped_document_says_why_on_one_plain_line()
    {
        var path = Path.Combine(_folder, "d.jsonl");
        using (var writer = new JsonLinesWriter(path))
        {
            writer.Write(new("1", "a<b") { Metadata = { ["filter_reason"] = "old", ["n"] = null } }, "too_short");
            writer.Commit();
        }
        Assert.Equal(
            """{"id":"1","text":"a<b","metadata":{"n":null,"filter_reason":"too_short"}}""" + "\n", File.ReadAllText(path));
    }
}
