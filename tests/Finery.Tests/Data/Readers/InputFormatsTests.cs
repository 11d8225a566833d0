using Finery.Data.Readers;
using Finery.Tests.Data.Readers.Warc;
using Xunit;

namespace Finery.Tests.Data.Readers;

public sealed class InputFormatsTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("finery-formats-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private string Put(string name, byte[] bytes)
    {
        var path = Path.Combine(_folder, name);
        File.WriteAllBytes(path, bytes);
        return path;
    }

    [Theory]
    [InlineData("a.warc.gz", "warc")]
    [InlineData("CC-MAIN.WET.GZ", "warc")]
    [InlineData("a.tsv", "csv")]
    [InlineData("x.jsonl.zst", "jsonl")]
    [InlineData("page.htm.gz", "html")]
    [InlineData("README.md", "text")]
    [InlineData("s3://bucket/a/b.warc", "warc")]
    [InlineData("https://example.org/a.csv?key=b.txt", "csv")]
    [InlineData("a.png", null)]
    [InlineData("a.gz", null)]
    public void Formats_are_told_by_extension(string path, string? format) => Assert.Equal(format, InputFormats.FormatOf(path));

    [Fact]
    public void A_mixed_folder_is_read_whole()
    {
        Put("a.warc.gz", WarcBuilder.Gzip(WarcBuilder.Response("w", "<p>warc")));
        Put("b.csv", "text\ncsv\n"u8.ToArray());
        Put("c.html.gz", WarcBuilder.Gzip("<p>html"u8.ToArray()));
        Put("d.jsonl", "{\"text\":\"jsonl\"}\n"u8.ToArray());
        Put("e.txt", "text"u8.ToArray());
        Put("f.png", [1, 2]);
        var report = new ReadReport();
        var texts = DocumentReader.ForPaths([_folder]).Read(report).Select(d => d.Text);
        Assert.Equal(["jsonl", "<p>warc", "csv", "<p>html", "text"], texts);
        Assert.Equal(5, report.Files);
        Assert.IsType<CsvReader>(InputFormats.ForFiles("csv", [Path.Combine(_folder, "*.csv")]));
        Assert.Contains("warc", Assert.Throws<ArgumentException>(() => InputFormats.Create("doc", [])).Message);
    }

    [Fact]
    public void Saved_pages_are_decoded_and_know_their_address()
    {
        var page = "<html><head><meta charset=windows-1251><link rel='stylesheet' href='https://a.b/c.css'>"
            + "<LINK REL=canonical HREF=\"https://example.org/a?b=1&amp;c=2\"></head>"
            + "<body>Привет, мир. Как дела сегодня?</body></html>";
        var bytes = System.Text.CodePagesEncodingProvider.Instance.GetEncoding(1251)!.GetBytes(page);
        Put("a.html", bytes);
        Put("b.htm", [1, 0, 2]);
        Put("c.xhtml", "  "u8.ToArray());
        Put("d.html", WarcBuilder.Gzip(bytes)[..^20]);
        Put("e.html", WarcBuilder.Gzip(new byte[5 << 20]));
        var report = new ReadReport();
        var reader = new HtmlFolderReader { Paths = [Path.Combine(_folder, "*")], MaxFileBytes = 1 << 19 };
        var document = Assert.Single(reader.Read(report));
        Assert.Equal(page, document.Text);
        Assert.Equal(["text/html", "windows-1251", "https://example.org/a?b=1&c=2"],
            new[] { "media_type", "charset", "url" }.Select(k => (string)document.Metadata[k]!));
        Assert.EndsWith("/a.html", document.Id, StringComparison.Ordinal);
        Assert.Equal(["binary_file", "damaged_file", "empty_text", "too_large"], report.Skipped.Keys);
    }

    [Fact]
    public void A_file_is_a_part_and_is_read_once()
    {
        var reader = new TextFolderReader { Paths = [Put("a.txt", "one"u8.ToArray()), Put("b.txt", "two"u8.ToArray())] };
        var parts = reader.Parts(1);
        Assert.Equal(2, parts.Count);
        using var cursor = reader.Open(parts[1], new());
        Assert.Equal("two", cursor.Read()!.Text);
        Assert.Null(cursor.Read());
        using var again = reader.Open(parts[1], new(), cursor.Position);
        Assert.Null(again.Read());
    }

    [Fact]
    public void Files_of_several_formats_are_one_reader_that_can_be_split()
    {
        File.WriteAllText(Path.Combine(_folder, "a.jsonl"), string.Concat(Enumerable.Range(0, 50).Select(i => $"{{\"body\":\"line {i}\",\"key\":\"j{i}\"}}\n")));
        File.WriteAllText(Path.Combine(_folder, "b.csv"), "key,body\nc1,from a table\n");
        File.WriteAllText(Path.Combine(_folder, "c.txt"), "from a file");
        string[] paths = [.. new[] { "a.jsonl", "b.csv", "c.txt" }.Select(name => Path.Combine(_folder, name))];
        var reader = InputFormats.Open(paths, textKey: "body", idKey: "key");
        var whole = reader.Read(new()).Select(document => (document.Id, document.Text)).ToList();
        Assert.Equal(52, whole.Count);
        Assert.Contains(("c1", "from a table"), whole);
        var parts = reader.Parts(200);
        Assert.True(parts.Count > 5);
        var split = new List<(string, string)>();
        foreach (var part in parts)
        {
            using var cursor = reader.Open(part, new());
            while (cursor.Read() is { } document) split.Add((document.Id, document.Text));
        }
        Assert.Equal(whole, split);
        Assert.Throws<ArgumentException>(() => InputFormats.Open([]));
        Assert.Throws<FileNotFoundException>(() => InputFormats.Open([Path.Combine(_folder, "missing.jsonl")]));
    }
}
