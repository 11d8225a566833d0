using System.IO.Compression;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Finery.Data;
using Finery.Data.Readers;
using Finery.Data.Writers;
using Finery.Tests.Data.Compression;
using Finery.Tests.Models;
using Xunit;

namespace Finery.Tests.Data.Readers;

public sealed class JsonLinesReaderTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private string Put(string name, byte[] bytes)
    {
        File.WriteAllBytes(_folder[name], bytes);
        return _folder[name];
    }

    private static List<Document> ReadParts(FileReader reader, long partBytes, ReadReport? report = null)
    {
        var documents = new List<Document>();
        foreach (var part in reader.Parts(partBytes))
        {
            using var cursor = reader.Open(part, report ?? new());
            while (cursor.Read() is { } document)
                documents.Add(document);
        }
        return documents;
    }

    private static string Show(Document document) => $"{document.Id}|{document.Text}|{document.Metadata.ToJsonString()}";

    private static string Lines(int count)
    {
        var random = new Random(4);
        return string.Concat(Enumerable.Range(0, count).Select(i => random.Next(9) switch
        {
            0 => "\n",
            1 => $"{{\"id\":\"{i}\",\"text\":\"{new string('x', random.Next(300))}.\"}}\r\n",
            2 => "{bad\n",
            _ => $"{{\"text\":\"line {i} grün\",\"n\":{i}}}\n",
        }));
    }

    [Fact]
    public void Parts_together_are_the_whole_wherever_they_are_cut()
    {
        foreach (var end in new[] { "", "{\"text\":\"no line end\"}" })
        {
            var bytes = Encoding.UTF8.GetBytes(Lines(200) + end);
            var reader = new JsonLinesReader { Paths = [Put("a.jsonl", bytes)] };
            var report = new ReadReport();
            var whole = reader.Read(report).Select(Show).ToList();
            long[] sizes = [1, 7, 100, 101, 1000, bytes.Length - 1, bytes.Length, bytes.Length + 1, long.MaxValue];
            foreach (var size in sizes)
            {
                var parts = new ReadReport();
                Assert.Equal(whole, ReadParts(reader, size, parts).Select(Show));
                Assert.Equal(report.Skipped["bad_json"].Count, parts.Skipped["bad_json"].Count);
                Assert.Equal(1, parts.Files);
            }
        }
    }

    [Fact]
    public void Reading_goes_on_where_it_stopped()
    {
        var text = Encoding.UTF8.GetBytes(Lines(60));
        var gzip = new MemoryStream();
        using (var stream = new GZipStream(gzip, CompressionLevel.Fastest))
            stream.Write(text);
        (string, byte[])[] files =
            [("a.jsonl", text), ("a.jsonl.gz", gzip.ToArray()), ("a.jsonl.zst", ZstdTests.Compress(text))];
        foreach (var (name, bytes) in files)
        {
            var reader = new JsonLinesReader { Paths = [Put(name, bytes)] };
            foreach (var part in reader.Parts(500))
            {
                var whole = new List<string>();
                var positions = new List<long> { 0 };
                using (var cursor = reader.Open(part, new()))
                    while (cursor.Read() is { } document)
                    {
                        whole.Add(Show(document));
                        positions.Add(cursor.Position);
                    }
                for (var i = 0; i < positions.Count; i++)
                {
                    using var cursor = reader.Open(part, new(), positions[i]);
                    var rest = new List<string>();
                    while (cursor.Read() is { } document)
                        rest.Add(Show(document));
                    Assert.Equal(whole.Skip(i), rest);
                }
            }
        }
    }

    [Fact]
    public void A_zstd_file_reads_as_the_plain_one_and_damage_keeps_what_came_before()
    {
        var text = Encoding.UTF8.GetBytes(Lines(20_000));
        var plain = new JsonLinesReader { Paths = [Put("a.jsonl", text)] }.Read(new()).Select(d => d.Text).ToList();
        var zstd = ZstdTests.Compress(text);
        Assert.Equal(plain, new JsonLinesReader { Paths = [Put("a.jsonl.zst", zstd)] }.Read(new()).Select(d => d.Text));
        var report = new ReadReport();
        var cut = new JsonLinesReader { Paths = [Put("b.jsonl.zst", zstd[..^5])] }.Read(report).Select(d => d.Text).ToList();
        Assert.InRange(cut.Count, plain.Count / 2, plain.Count);
        Assert.Equal(plain.Take(cut.Count), cut);
        Assert.Equal(1, report.Skipped["damaged_file"].Count);
    }

    [Fact]
    public void A_bomb_is_cut_off()
    {
        var bomb = ZstdTests.Compress(new byte[80 << 20]);
        var report = new ReadReport();
        Assert.Empty(new JsonLinesReader { Paths = [Put("a.jsonl.zst", bomb)] }.Read(report));
        Assert.Contains("times its size", report.Skipped["damaged_file"].FirstExample);
    }

    [Fact]
    public void Rows_are_read_as_dotnet_reads_json()
    {
        var random = new Random(8);
        var parser = new JsonRowParser("text", "id");
        string[] pieces =
        [
            "a", "é", "😀", "漢字", "\\n", "\\\"", "\\\\", "\\/", "\\u00e9", "\\ud83d\\ude00", "\\u0000", "word and word ",
            " ", "\u2028",
        ];
        string[] odd = ["\\ud800", "\\udc00", "\\ud83dx", "\\x", "\"", "\n", "\\u12g4", "\\", "\u007f"];
        var good = 0;
        for (var i = 0; i < 4000; i++)
        {
            string Text() => string.Concat(Enumerable.Range(0, random.Next(40)).Select(_ =>
                random.Next(300) == 0 ? odd[random.Next(odd.Length)] : pieces[random.Next(pieces.Length)]));
            var row = $"{{\"text\": \"{Text()}x\" ,\"id\":\"{Text()}\","
                + $"\"k{Text()}\":[1.50,{{\"a\":true,\"b\":null,\"c\":\"{Text()}\"}}, -1e3], "
                + $"\"metadata\":{{\"m\":\"{Text()}\"}}}}";
            if (random.Next(5) == 0)
                row = row.Remove(random.Next(row.Length), 1);
            string? expected;
            try
            {
                using var json = JsonDocument.Parse(Encoding.UTF8.GetBytes(row), new() { AllowDuplicateProperties = false });
                var metadata = new JsonObject();
                var text = json.RootElement.GetProperty("text").GetString()!;
                var id = json.RootElement.GetProperty("id").GetString()!;
                foreach (var property in json.RootElement.GetProperty("metadata").EnumerateObject()
                    .Concat(json.RootElement.EnumerateObject().Where(p => p.Name is not ("text" or "id" or "metadata"))))
                    metadata[property.Name] = JsonNode.Parse(property.Value.GetRawText());
                expected = Show(new Document(id, text) { Metadata = metadata });
            }
            catch (Exception e) when (e is JsonException or InvalidOperationException or KeyNotFoundException)
            {
                expected = null;
            }
            var reason = parser.Parse(Encoding.UTF8.GetBytes(row), out var document);
            if (expected is null)
                // Where it is not damaged, a key is gone.
                Assert.True(reason is not null || !row.Contains("\"id\"") || !row.Contains("\"metadata\""), row);
            else if (reason is null)
                Assert.Equal(expected, Show(document!));
            else
                Assert.Equal("", row);
            good += expected is null ? 0 : 1;
        }
        Assert.InRange(good, 1500, 3900);
    }

    [Theory]
    [InlineData("""{"text":"a","b":1,"b":2}""", "bad_json")]
    [InlineData("""{"text":"a","metadata":{"b":1,"b":2}}""", "bad_json")]
    [InlineData("""{"text":"a","id":1,"id":2}""", "bad_json")]
    [InlineData("""{"text":"a"} x""", "bad_json")]
    [InlineData("""{"text":"a",}""", "bad_json")]
    [InlineData("""{"text":"a" "b":1}""", "bad_json")]
    [InlineData("""{"text":"a","n":01}""", "bad_json")]
    [InlineData("""{"text":"a","metadata":"{\"b\":1,\"b\":2}"}""", "bad_json")]
    [InlineData("""{"text":"a","b":1""", "bad_json")]
    [InlineData("{", "bad_json")]
    [InlineData("{}", "no_text")]
    [InlineData("12", "no_text")]
    [InlineData("\"text\"", "no_text")]
    [InlineData("""{"text":null,"a":[1,2]}""", "no_text")]
    [InlineData("""{"text":" \n"}""", "empty_text")]
    [InlineData(""" { "text" : "a" , "metadata" : 3 } """, null)]
    [InlineData("""{"text":"a","metadata":"plain words"}""", null)]
    public void Rows_that_cannot_be_used_say_why(string row, string? reason) =>
        Assert.Equal(reason, new JsonRowParser("text", "id").Parse(Encoding.UTF8.GetBytes(row), out _));

    [Fact]
    public void Many_columns_and_deep_values_are_bounded()
    {
        var parser = new JsonRowParser("text", "id");
        var many = "{\"text\":\"a\"" + string.Concat(Enumerable.Range(0, 50_000).Select(i => $",\"k{i}\":{i}")) + "}";
        Assert.Null(parser.Parse(Encoding.UTF8.GetBytes(many), out var document));
        Assert.Equal(50_000, document!.Metadata.Count);
        var deep = "{\"text\":\"a\",\"d\":" + new string('[', 100_000) + new string(']', 100_000) + "}";
        Assert.Equal("bad_json", parser.Parse(Encoding.UTF8.GetBytes(deep), out _));
    }

    [Fact]
    public void Damaged_lines_never_crash()
    {
        var random = new Random(6);
        var parser = new JsonRowParser("text", "id");
        var row = """{"text":"Some\nwith \u00e9","id":7,"url":"https://x","metadata":{"a":[1,2.5,true],"b":"c"}}"""u8.ToArray();
        for (var i = 0; i < 20_000; i++)
        {
            byte[] damaged = [.. row];
            for (var n = random.Next(1, 5); n > 0; n--)
                damaged[random.Next(damaged.Length)] = (byte)random.Next(128);
            parser.Parse(damaged.AsSpan(0, random.Next(4) == 0 ? random.Next(damaged.Length) : damaged.Length), out _);
        }
    }

    [Fact]
    public void Strings_are_written_as_dotnet_reads_them()
    {
        var random = new Random(9);
        for (var i = 0; i < 3000; i++)
        {
            var text = string.Concat(Enumerable.Range(0, random.Next(60)).Select(_ => random.Next(12) switch
            {
                0 => "\"",
                1 => "\\",
                2 => ((char)random.Next(0x30)).ToString(),
                3 => ((char)random.Next(0x70, 0x900)).ToString(),
                4 => ((char)random.Next(0x2000, 0xD000)).ToString(),
                5 => "😀",
                6 => random.Next(20) == 0 ? "\ud800" : "\u2028",
                _ => "plain words ",
            }));
            var target = new byte[JsonStringEncoder.MaxBytes(text.Length)];
            var json = "\"" + Encoding.UTF8.GetString(target, 0, JsonStringEncoder.Write(text, target)) + "\"";
            Assert.DoesNotContain('\u2028', json);
            Assert.Equal(string.Concat(text.EnumerateRunes()), JsonSerializer.Deserialize<string>(json));
        }
    }
}
