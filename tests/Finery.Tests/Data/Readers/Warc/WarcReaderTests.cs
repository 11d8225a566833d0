using System.IO.Compression;
using System.Text;
using Finery.Data;
using Finery.Data.Readers;
using Finery.Data.Readers.Warc;
using Xunit;
using static Finery.Tests.Data.Readers.Warc.WarcBuilder;

namespace Finery.Tests.Data.Readers.Warc;

public sealed class WarcReaderTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("finery-warc-").FullName;
    private readonly ReadReport _report = new();

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private string Put(byte[] bytes, string name = "a.warc")
    {
        var path = Path.Combine(_folder, name);
        File.WriteAllBytes(path, bytes);
        return path;
    }

    private List<Document> Read(byte[] bytes, Func<WarcReader, WarcReader>? with = null)
    {
        var reader = new WarcReader { Paths = [Put(bytes)] };
        return [.. (with?.Invoke(reader) ?? reader).Read(_report)];
    }

    private string Skipped => string.Join(' ', _report.Skipped.Select(i => $"{i.Key} {i.Value.Count}"));

    private string Repaired => string.Join(' ', _report.Repaired.Select(i => $"{i.Key} {i.Value.Count}"));

    private static IEnumerable<string> Ids(IEnumerable<Document> documents) => documents.Select(d => d.Id[9..]);

    [Fact]
    public void A_response_becomes_a_document_with_its_metadata()
    {
        var bytes = Join(Info(), Record("response", "x",
            Join(Bytes("HTTP/1.1 200\r\ncontent-TYPE: Text/HTML;\r\n charset=\"ISO-8859-1\"\r\n\r\n<p>caf"), [0xE9]),
            "application/http", "WARC-Identified-Content-Language: fra,eng\r\nX-Unknown: y\r\n"));
        var document = Assert.Single(Read(bytes));
        Assert.Equal(("urn:uuid:x", "<p>café"), (document.Id, document.Text));
        Assert.Equal(Path.Combine(_folder, "a.warc").Replace('\\', '/'), (string?)document.Metadata["file_path"]);
        document.Metadata.Remove("file_path");
        Assert.Equal("""{"url":"http://example.org/x","date":"2024-05-17T08:22:00Z","media_type":"text/html","""
            + """ "charset":"windows-1252","content_languages":"fra,eng"}""".TrimStart(), document.Metadata.ToJsonString());
        Assert.Equal("", Skipped + Repaired);
    }

    [Fact]
    public void Wet_files_give_plain_text()
    {
        var wet = Join(Info(), Record("conversion", "a", Bytes("Grüße\nzwei"), "text/plain", version: "WARC/1.1"),
            Record("conversion", "b", Bytes(" \n"), "text/plain"));
        var document = Assert.Single(Read(Gzip(wet)));
        Assert.Equal(("Grüße\nzwei", "text/plain"), (document.Text, (string?)document.Metadata["media_type"]));
        Assert.Equal("empty_text 1", Skipped);
    }

    [Theory]
    [InlineData("Content-Type: image/png", "", "not_text")]
    [InlineData("Content-Type: application/pdf", "", "pdf")]
    [InlineData("Content-Type: text/plain", "", "not_text")]
    [InlineData("Content-Type: text/html", "WARC-Identified-Payload-Type: application/pdf\r\n", "pdf")]
    [InlineData("Content-Type: image/png", "WARC-Identified-Payload-Type: application/xhtml+xml\r\n", "")]
    [InlineData("X: y", "", "")]
    public void The_media_type_is_what_the_archive_found_then_what_the_server_said_then_what_it_looks_like(
        string header, string extra, string reason)
    {
        var documents = Read(Response("a", Bytes("  <!DOCTYPE html><p>x"), header + "\r\n", extra));
        Assert.Equal(reason.Length == 0 ? 1 : 0, documents.Count);
        Assert.Equal(reason.Length == 0 ? "" : reason + " 1", Skipped);
    }

    [Fact]
    public void Status_resources_and_other_types()
    {
        var bytes = Join(
            Response("missing", Bytes(Page("404")), status: "404 Not Found"),
            Record("resource", "r", Bytes(Page("resource")), "text/html"), Record("resource", "t", Bytes("text"), "text/plain"),
            Record("resource", "i", [0x89, 0x50], "image/png"), Record("frobnicate", "f", Bytes("WARC/1.0"), "text/html"),
            Record("response", "dns", Bytes("20240101\nexample.org. 1 IN A 1.2.3.4"), "text/dns"),
            Record("response", "old", Bytes(Page("no status line")), "application/http"));
        Assert.Equal(["r", "t"], Ids(Read(bytes)));
        Assert.Equal("bad_http 1 http_status 1 not_text 2", Skipped);
        Assert.Equal(["missing", "r", "t"], Ids(Read(bytes, r => r with { KeepFailedResponses = true })));
    }

    public static TheoryData<string, byte[], string> Encodings()
    {
        var page = Bytes(Page(string.Concat(Enumerable.Repeat("Encoded text. ", 50))));
        byte[] Through(Func<Stream, Stream> open)
        {
            using var target = new MemoryStream();
            using (var stream = open(target))
                stream.Write(page);
            return target.ToArray();
        }
        var gzip = Gzip(page);
        var end = Bytes("\r\n0\r\n\r\n");
        var chunked = Join(Bytes("5\r\n"), gzip[..5], Bytes($"\r\n{gzip.Length - 5:X};x=y\r\n"), gzip[5..], end);
        return new()
        {
            { "Content-Encoding: gzip", gzip, "" },
            { "Content-Encoding: x-gzip", Join(Bytes("\r\n"), gzip), "" },
            { "Content-Encoding: gzip", page, "" },
            { "Content-Encoding: deflate", Through(s => new ZLibStream(s, CompressionLevel.Optimal)), "" },
            { "Content-Encoding: deflate", Through(s => new DeflateStream(s, CompressionLevel.Optimal)), "" },
            { "Content-Encoding: br", Through(s => new BrotliStream(s, CompressionLevel.Optimal)), "" },
            { "Content-Encoding: br", page, "" },
            { "Content-Encoding: gzip, br", Through(s => new BrotliStream(s, CompressionLevel.Optimal)), "bad_content_encoding" },
            { "Content-Encoding: gzip\r\ncontent-encoding: gzip", Gzip(gzip), "" },
            { "Content-Encoding: gzip\r\nTransfer-Encoding: chunked", chunked, "" },
            { "Transfer-Encoding: chunked", Join(Bytes($"\r\n{page.Length:x}\r\n"), page, end), "" },
            { "Content-Encoding: zstd", gzip, "bad_content_encoding" },
            { "Content-Encoding: gzip,gzip,gzip,gzip,gzip", gzip, "bad_content_encoding" },
        };
    }

    [Theory]
    [MemberData(nameof(Encodings))]
    public void Bodies_are_decoded_however_they_are_encoded(string header, byte[] body, string reason)
    {
        var documents = Read(Response("a", body, $"Content-Type: text/html\r\n{header}\r\n"));
        // "gzip, br" has brotli outermost; its content is the page itself, which is taken as it is.
        if (header.EndsWith("gzip, br", StringComparison.Ordinal))
            reason = "";
        Assert.Equal(reason.Length == 0 ? "" : reason + " 1", Skipped);
        if (reason.Length == 0)
            Assert.Equal(Page(string.Concat(Enumerable.Repeat("Encoded text. ", 50))), Assert.Single(documents).Text.Trim());
        Assert.Equal("", Repaired);
    }

    [Fact]
    public void Bodies_cut_short_are_kept_and_counted()
    {
        var text = string.Concat(Enumerable.Range(0, 20_000).Select(i => $"{i} "));
        var gzip = Gzip(Bytes(Page(text)));
        var html = "Content-Type: text/html\r\n";
        var documents = Read(Join(
            Response("gz", gzip[..(gzip.Length / 2)], html + "Content-Encoding: gzip\r\n"),
            Response("chunks", Bytes("ff\r\n<p>short"), html + "Transfer-Encoding: chunked\r\n"),
            Response("none", Bytes("<p>no chunks"), html + "Transfer-Encoding: chunked\r\n"),
            Response("late", Bytes("3\r\n<p>\r\n2\r\nok\r\nzz rest"), html + "Transfer-Encoding: chunked\r\n"),
            Response("said", Bytes("<p>said so"), extra: "WARC-Truncated: length\r\n")));
        Assert.Equal(["gz", "chunks", "none", "late", "said"], Ids(documents));
        Assert.StartsWith("<html><body><p>0 1 2", documents[0].Text, StringComparison.Ordinal);
        Assert.Equal(["<p>short", "<p>no chunks", "<p>okzz rest", "<p>said so"], documents.Skip(1).Select(d => d.Text));
        Assert.Equal("bad_chunking 2 truncated_record 3", Repaired);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_page_about_the_format_is_one_page(bool gzip)
    {
        var quoted = Encoding.UTF8.GetString(Join(Response("inner", Page("inner")), Response("inner2", Page("inner"))));
        var about = Response("about", Page($"\r\n\r\n{quoted}"));
        var bytes = Join(Response("before", Page("x")), about, Response("after", Page("y")));
        Assert.Equal(["before", "about", "after"], Ids(Read(gzip ? Gzip(bytes) : bytes)));
        Assert.Equal("", Skipped + Repaired);
        Assert.Equal(4, new WarcReader { Paths = [Put(bytes), Put(bytes, "b.warc")] }.Parts(bytes.Length / 2).Count);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Wrong_lengths_cost_no_other_record(bool gzip)
    {
        foreach (var change in new[] { -3, 40, 100_000 })
        {
            var block = Bytes("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n" + Page("wrong"));
            var bytes = Join(Response("a", Page("a")),
                Record("response", "wrong", block, "application/http", length: block.Length + change),
                Response("b", Page("b")), Response("c", Page("c")));
            var report = new ReadReport();
            var documents = new WarcReader { Paths = [Put(gzip ? Gzip(bytes) : bytes)] }.Read(report).ToList();
            Assert.Equal(["a", "wrong", "b", "c"], Ids(documents));
            Assert.Equal(Page("wrong")[..^(change < 0 ? 3 : 0)], documents[1].Text);
            Assert.Equal("record_length", Assert.Single(report.Repaired).Key);
        }
    }

    [Fact]
    public void Wrong_lengths_in_members_of_their_own_end_with_the_member()
    {
        var block = Bytes("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n" + Page("wrong"));
        var wrong = Record("response", "wrong", block, "application/http", length: block.Length + 1000);
        var documents = Read(Join(Gzip(Response("a", Page("a"))), Gzip(wrong), Gzip(Response("b", Page("b")))));
        Assert.Equal(["a", "wrong", "b"], Ids(documents));
        Assert.Equal("truncated_record 1", Repaired);
    }

    [Fact]
    public void Damaged_members_cost_themselves_alone()
    {
        var random = new Random(1);
        string Numbers() => string.Concat(Enumerable.Range(0, 2000).Select(_ => $"{random.Next(99999)} "));
        var members = Enumerable.Range(0, 12).Select(i => Gzip(Response($"r{i:00}", Page(Numbers())))).ToArray();
        members[2][members[2].Length / 2] ^= 0x40; // bit flip
        members[4] = members[4][..(members[4].Length / 3)]; // cut
        members[6][^6] ^= 1; // check sum
        members[8] = [.. new byte[1000]]; // zeroed, which archivers also pad with
        members[9][0] = 0; // header
        members[11] = members[11][..^4];
        var documents = Read(Join(members));
        Assert.Equal(["r00", "r01", "r03", "r05", "r07", "r10"], Ids(documents));
        Assert.Equal("damaged_member 5", Skipped);
    }

    [Fact]
    public void Large_records_and_bombs_are_passed_over_without_being_held()
    {
        var zeros = new byte[20 << 20];
        var bytes = Join(Gzip(Response("a", Page("a"))), Gzip(Response("big", zeros)), Gzip(Response("b", Page("b"))),
            Gzip(Response("bomb", Gzip(zeros), "Content-Type: text/html\r\nContent-Encoding: gzip\r\n")),
            Gzip(Response("c", Page("c"))));
        GC.Collect();
        var before = GC.GetAllocatedBytesForCurrentThread();
        Assert.Equal(["a", "b", "c"], Ids(Read(bytes)));
        Assert.Equal("compression_bomb 2 record_too_large 1", Skipped);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 16 << 20);
        var plain = Join(Response("a", "<p>a"), Response("big", zeros), Response("b", "<p>b"));
        Assert.Equal(["a", "b"], Ids(Read(plain)));
    }

    [Fact]
    public void What_is_no_archive_is_said_to_be_none()
    {
        Assert.Empty(Read(Bytes("<html>WARC/1.0</html>")));
        Assert.Empty(Read([]));
        Assert.Empty(Read([0x28, 0xB5, 0x2F, 0xFD, 1, 2, 3]));
        Assert.Equal("not_warc 3", Skipped);
        var none = new WarcReader { Paths = [Path.Combine(_folder, "none.warc")] };
        Assert.Throws<FileNotFoundException>(() => none.Read(new()).ToList());
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    public void Parts_and_positions_give_the_same_documents_however_files_are_compressed(int layout)
    {
        var random = new Random(5);
        var records = Enumerable.Range(0, 60).Select(i => i % 7 == 3
            ? Record("request", $"q{i}", Bytes("GET / HTTP/1.1\r\n\r\n"), "application/http")
            : Response($"r{i}", Page(new string((char)('a' + i % 26), random.Next(1, 3000))))).ToArray();
        var path = Put(layout switch
        {
            0 => Join(records),
            1 => Join([.. records.Select(r => Gzip(r))]),
            _ => Join([.. records.Chunk(7).Select(Gzip)]),
        });
        var reader = new WarcReader { Paths = [path] };
        var whole = reader.Read(new()).Select(d => d.Id).ToList();
        Assert.Equal(51, whole.Count);
        foreach (var partBytes in new[] { 1, 300, 2000, 20_000, long.MaxValue })
        {
            var parts = reader.Parts(partBytes);
            Assert.Equal(0, parts[0].Start);
            Assert.Equal(parts.Skip(1).Select(p => p.Start).Append(long.MaxValue), parts.Select(p => p.End));
            var ids = new List<string>();
            foreach (var part in parts)
            {
                var cursor = reader.Open(part, _report);
                while (cursor.Read() is { } document)
                {
                    ids.Add(document.Id);
                    if (random.Next(3) > 0)
                        continue;
                    var position = cursor.Position;
                    cursor.Dispose();
                    cursor = reader.Open(part, _report, position);
                }
                cursor.Dispose();
            }
            Assert.Equal(whole, ids);
        }
        Assert.Equal("", Skipped + Repaired);
    }

    [Fact]
    public void Parts_are_not_cut_within_a_page_that_is_an_archive_itself()
    {
        var inner = Join([.. Enumerable.Range(0, 200).Select(i => Gzip(Response($"inner{i}", Page($"{i}"))))]);
        using var stored = new MemoryStream();
        using (var gzip = new GZipStream(stored, CompressionLevel.NoCompression, leaveOpen: true))
            gzip.Write(Response("archive", inner, "Content-Type: application/gzip\r\n"));
        var path = Put(Join(Gzip(Response("a", Page("a"))), stored.ToArray(), Gzip(Response("b", Page("b")))));
        var reader = new WarcReader { Paths = [path] };
        Assert.True(stored.ToArray().AsSpan().IndexOf(inner.AsSpan(0, 100)) > 0);
        foreach (var partBytes in new[] { 100, 1000, 5000 })
        {
            var parts = reader.Parts(partBytes);
            Assert.InRange(parts.Count, 2, 3);
            Assert.Equal(["a", "b"], Ids(parts.SelectMany(p =>
            {
                using var cursor = reader.Open(p, _report);
                return cursor.Read() is { } document ? new[] { document } : [];
            })));
        }
    }

    [Fact]
    public void Records_can_be_looked_at_raw()
    {
        var path = Put(Join(Gzip(Info()), Gzip(Record("metadata", "m", Bytes("a: b"), "application/warc-fields"))));
        using var records = WarcRecords.Open(path, null);
        var first = records.Next()!;
        Assert.Equal(("warcinfo", 0L, "WARC/1.0"), (first.Type, first.Offset, first.Version));
        var second = records.Next()!;
        Assert.True(second.Offset > 0);
        Assert.True(records.TryReadBlock(100, out var block));
        Assert.Equal("a: b"u8, block.Span);
        Assert.Null(records.Next());
    }
}
