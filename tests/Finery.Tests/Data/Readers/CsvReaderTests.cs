using System.Text;
using Finery.Data;
using Finery.Data.Readers;
using Finery.Tests.Data.Readers.Warc;
using Xunit;

namespace Finery.Tests.Data.Readers;

public sealed class CsvReaderTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("finery-csv-").FullName;
    private readonly ReadReport _report = new();

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private string Put(byte[] bytes, string name)
    {
        var path = Path.Combine(_folder, name);
        File.WriteAllBytes(path, bytes);
        return path;
    }

    private List<Document> Read(string text, string name = "a.csv", Func<CsvReader, CsvReader>? with = null)
    {
        var reader = new CsvReader { Paths = [Put(Encoding.UTF8.GetBytes(text), name)] };
        return [.. (with?.Invoke(reader) ?? reader).Read(_report)];
    }

    private string Counts => string.Join(' ', _report.Skipped.Concat(_report.Repaired).Select(i => $"{i.Key} {i.Value.Count}"));

    [Fact]
    public void Fields_in_quotes_hold_anything()
    {
        var documents = Read("\uFEFFid,text,note\r\n1,\"a, \"\"b\"\"\r\nc\",x\r\n\r\n2,plain \"quoted\" word,\n3,\"\",y\n4,last");
        Assert.Equal(["1", "2", "4"], documents.Select(d => d.Id));
        Assert.Equal(["a, \"b\"\r\nc", "plain \"quoted\" word", "last"], documents.Select(d => d.Text));
        Assert.Equal("""{"note":"x"}""", documents[0].Metadata.ToJsonString());
        Assert.Equal("empty_text 1 ragged_row 1", Counts);
        Assert.EndsWith("a.csv:6", _report.Skipped["empty_text"].FirstExample, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("text;b\nx, y;2\n", "a.csv")]
    [InlineData("text\tb\nx, y\t2\n", "a.csv")]
    [InlineData("text\tb,c\nx, y\t2\n", "a.tsv")]
    [InlineData("text|b\nx, y|2\n", "a.csv")]
    public void Delimiters_are_found_out(string text, string name) => Assert.Equal("x, y", Assert.Single(Read(text, name)).Text);

    [Fact]
    public void Settings_name_columns_and_the_delimiter()
    {
        var bare = Read("1#a,b\n2#c\n", with: r => r with { Delimiter = "#", Columns = ["id", "text"] });
        Assert.Equal(["a,b", "c"], bare.Select(d => d.Text));
        Assert.Equal("x", Assert.Single(Read("body,text\nx,y\n", with: r => r with { TextKey = "body" })).Text);
        Assert.Empty(Read("a,b\n1,2\n"));
        Assert.Equal("no_text_column 1", Counts);
        var wrong = new CsvReader { Delimiter = ";;", Columns = ["a"] };
        Assert.Equal(["Delimiter", "Columns"], wrong.Validate().Select(v => v.Property));
    }

    [Fact]
    public void Bad_rows_are_counted()
    {
        var documents = Read($"id,text\n1,a,more\n2\n3,{new string('x', 2000)}\n4,b\n5,\"never closed\n6,c\n",
            with: r => r with { MaxRowLength = 1000 });
        Assert.Equal(["a", "b", "never closed\n6,c\n"], documents.Select(d => d.Text));
        Assert.Equal("no_text 1 row_too_long 1 ragged_row 2 unclosed_quote 1", Counts);
    }

    [Fact]
    public void Compression_encodings_and_damage()
    {
        var rows = "id,text\n" + string.Concat(Enumerable.Range(0, 5000).Select(i => $"{i},\"row {i}\nnumber {i * 7919}\"\n"));
        var gzip = WarcBuilder.Gzip(Encoding.UTF8.GetBytes(rows));
        Assert.Equal(5000, new CsvReader { Paths = [Put(gzip, "b.csv.gz")] }.Read(_report).Count());
        Assert.InRange(new CsvReader { Paths = [Put(gzip[..(gzip.Length / 2)], "c.csv.gz")] }.Read(_report).Count(), 1000, 4999);
        var latin = Put([.. "text\nCaf"u8, 0xE9, .. " cr"u8, 0xE8, .. "me\n"u8], "d.csv");
        Assert.Equal("Café crème", new CsvReader { Paths = [latin] }.Read(_report).Single().Text);
        var wide = Put([0xFF, 0xFE, .. Encoding.Unicode.GetBytes("id\ttext\n1\tgrün\n")], "e.tsv");
        Assert.Equal("grün", new CsvReader { Paths = [wide] }.Read(_report).Single().Text);
        Assert.Equal("damaged_file 1", string.Join(' ', _report.Skipped.Select(i => $"{i.Key} {i.Value.Count}")));
    }

    [Fact]
    public void Reading_goes_on_where_it_stopped()
    {
        var rows = Enumerable.Range(0, 50).Select(i => $"{i},{(i % 4 == 0 ? "" : "x")}\n");
        var path = Put(Encoding.UTF8.GetBytes("id,text\n" + string.Concat(rows)), "a.csv");
        var reader = new CsvReader { Paths = [path] };
        var part = Assert.Single(reader.Parts(10));
        var ids = new List<string>();
        for (long position = 0; ;)
        {
            using var cursor = reader.Open(part, _report, position);
            if (cursor.Read() is not { } document)
                break;
            ids.Add(document.Id);
            position = cursor.Position;
        }
        Assert.Equal(reader.Read(new()).Select(d => d.Id), ids);
    }
}
