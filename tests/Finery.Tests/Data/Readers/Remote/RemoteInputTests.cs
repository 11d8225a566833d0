using System.Net;
using System.Text;
using Finery.Data.Readers;
using Finery.Data.Readers.Remote;
using Finery.Data.Readers.Warc;
using Finery.Data.Writers;
using Finery.Tests.Data.Readers.Warc;
using Xunit;

namespace Finery.Tests.Data.Readers.Remote;

[Collection("Remote options")] // they are set for the whole process
public sealed class RemoteInputTests : IDisposable
{
    private static readonly RemoteOptions s_loopback =
        new() { AllowHttp = true, Exempt = (address, port) => IPAddress.IsLoopback(address) && port > 1024, Retries = 3 };

    public RemoteInputTests() => InputFile.Options = s_loopback;

    public void Dispose() => InputFile.Options = new();

    private static string ReasonOf(string address) => Assert.ThrowsAny<IOException>(() => InputFile.Open(address)).Message;

    private static byte[] Archive(int pages) => [.. Enumerable.Range(0, pages).SelectMany(i =>
        WarcBuilder.Gzip(WarcBuilder.Response($"r{i}", WarcBuilder.Page($"page {i}"))))];

    [Theory]
    [InlineData("8.8.8.8", true)]
    [InlineData("2606:4700::1111", true)]
    [InlineData("0.0.0.0", false)]
    [InlineData("10.1.2.3", false)]
    [InlineData("100.64.0.1", false)]
    [InlineData("100.100.100.200", false)]
    [InlineData("127.8.8.8", false)]
    [InlineData("169.254.169.254", false)]
    [InlineData("172.16.0.1", false)]
    [InlineData("172.32.0.1", true)]
    [InlineData("192.168.1.1", false)]
    [InlineData("198.18.0.1", false)]
    [InlineData("224.0.0.1", false)]
    [InlineData("255.255.255.255", false)]
    [InlineData("::", false)]
    [InlineData("::1", false)]
    [InlineData("::ffff:8.8.8.8", false)]
    [InlineData("::ffff:127.0.0.1", false)]
    [InlineData("64:ff9b::7f00:1", false)]
    [InlineData("2002:7f00:1::", false)]
    [InlineData("2001:0:7f00:1::", false)]
    [InlineData("2001:db8::1", false)]
    [InlineData("fc00::1", false)]
    [InlineData("fd00:ec2::254", false)]
    [InlineData("fe80::1", false)]
    [InlineData("ff02::1", false)]
    public void Only_public_addresses_are_public(string address, bool isPublic) =>
        Assert.Equal(isPublic, PublicAddresses.Contains(IPAddress.Parse(address)));

    [Theory]
    [InlineData("https://127.0.0.1/x", "not a public address")]
    [InlineData("https://localhost/x", "not a public address")]
    [InlineData("https://2130706433/x", "not a public address")]
    [InlineData("https://[::ffff:127.0.0.1]/x", "not a public address")]
    [InlineData("https://[::1]/x", "not a public address")]
    [InlineData("https://169.254.169.254/latest/meta-data", "not a public address")]
    [InlineData("https://8.8.8.8:8080/x", "not a public address")]
    [InlineData("https://user:secret@example.org/x", "name or password")]
    [InlineData("http://8.8.8.8/x", "scheme")]
    [InlineData("https://", "no address")]
    public void Addresses_that_lead_inside_are_refused(string address, string reason)
    {
        InputFile.Options = new();
        Assert.Contains(reason, ReasonOf(address), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("http://169.254.169.254/latest/meta-data", "169.254.169.254")]
    [InlineData("http://[::ffff:127.0.0.1]/", "::ffff:127.0.0.1")]
    [InlineData("http://10.0.0.1/", "10.0.0.1")]
    [InlineData("ftp://example.org/", "scheme")]
    [InlineData("file:///etc/passwd", "scheme")]
    [InlineData("/again", "redirects more than 5 times")]
    public void Redirects_are_vetted_like_addresses(string target, string reason)
    {
        using var server = new TinyServer(_ => new(302, [], $"Location: {target}\r\n"));
        Assert.Contains(reason, ReasonOf(server.Address("/a")), StringComparison.Ordinal);
        Assert.InRange(server.Requests, 1, 6);
    }

    [Fact]
    public void A_file_on_the_web_reads_as_if_it_were_here()
    {
        var archive = Archive(40);
        using var server = new TinyServer(r => r.Path == "/moved"
            ? new(301, [], "Location: /a.warc.gz\r\n") : TinyServer.Serve(r, archive));
        foreach (var path in new[] { "/a.warc.gz", "/moved" })
        {
            var reader = new WarcReader { Paths = [server.Address(path)] };
            var report = new ReadReport();
            Assert.Equal(40, reader.Read(report).Count());
            Assert.Empty(report.Skipped);
            var parts = reader.Parts(archive.Length / 5);
            Assert.InRange(parts.Count, 4, 6);
            var texts = parts.SelectMany(p =>
            {
                using var cursor = reader.Open(p, report);
                var found = new List<string>();
                while (cursor.Read() is { } document)
                    found.Add(document.Id);
                return found;
            });
            Assert.Equal(reader.Read(report).Select(d => d.Id), texts);
        }
        Assert.IsType<WarcReader>(DocumentReader.ForPaths([server.Address("/a.warc.gz")]));
    }

    [Fact]
    public void Tables_on_the_web_read_as_if_they_were_here()
    {
        var folder = Directory.CreateTempSubdirectory("finery-remote-").FullName;
        try
        {
            var paths = new[] { "a.parquet", "a.jsonl", "a.jsonl.gz" }.Select(name => Path.Combine(folder, name)).ToList();
            foreach (var path in paths)
            {
                using DocumentWriter writer = path.EndsWith(".parquet", StringComparison.Ordinal)
                    ? new ParquetWriter(path) : new JsonLinesWriter(path);
                for (var i = 0; i < 2000; i++)
                    writer.Write(new($"id{i}", $"text {i * 7919}") { Metadata = { ["n"] = i } });
                writer.Commit();
            }
            using var server = new TinyServer(r => TinyServer.Serve(r, File.ReadAllBytes(Path.Combine(folder, r.Path[1..]))));
            foreach (var path in paths)
            {
                static IEnumerable<string> Read(string path) =>
                    DocumentReader.ForPaths([path]).Read(new()).Select(d => d.Id + d.Text + d.Metadata.ToJsonString());
                Assert.Equal(Read(path), Read(server.Address("/" + Path.GetFileName(path))));
                Assert.Equal(2000, Read(path).Count());
            }
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Fact]
    public void Servers_without_ranges_are_read_too()
    {
        var content = Enumerable.Range(0, 300_000).Select(i => (byte)(i * 31 >> 3)).ToArray();
        using var server = new TinyServer(_ => new(200, content));
        using var stream = InputFile.Open(server.Address("/a"));
        Assert.Equal(content.Length, stream.Length);
        stream.Position = 200_000;
        var tail = new byte[100_000];
        stream.ReadExactly(tail);
        Assert.Equal(content[200_000..], tail);
        stream.Position = 10;
        Assert.Equal(content[10], stream.ReadByte());
    }

    [Fact]
    public void Failures_that_pass_are_tried_again_and_others_are_not()
    {
        var content = Archive(3);
        var failures = 0;
        using var flaky = new TinyServer(r => failures++ % 2 == 0 ? new(503, []) : TinyServer.Serve(r, content));
        Assert.Equal(3, new WarcReader { Paths = [flaky.Address("/a.warc.gz")] }.Read(new()).Count());
        var cut = 0;
        using var breaking = new TinyServer(r => TinyServer.Serve(r, content) is var whole && cut++ is 1 or 2
            ? whole with { Body = whole.Body[..100], Length = whole.Body.Length } : whole);
        Assert.Equal(3, new WarcReader { Paths = [breaking.Address("/a.warc.gz")] }.Read(new()).Count());
        var elsewhere = $"Content-Range: bytes 7-8/{content.Length}\r\n";
        using var shifted = new TinyServer(r => TinyServer.Serve(r, content) with { Headers = elsewhere });
        Assert.Contains("range asked for", Assert.ThrowsAny<IOException>(() =>
        {
            using var stream = InputFile.Open(shifted.Address("/a"));
            stream.ReadByte();
        }).Message, StringComparison.Ordinal);
        using var missing = new TinyServer(_ => new(404, []));
        var report = new ReadReport();
        Assert.Empty(new WarcReader { Paths = [missing.Address("/a.warc.gz")] }.Read(report));
        Assert.Contains("404", report.Skipped["unreadable_file"].FirstExample, StringComparison.Ordinal);
        Assert.Equal(1, missing.Requests);
    }

    [Fact]
    public void Files_that_are_too_large_or_of_unknown_length_are_refused()
    {
        InputFile.Options = s_loopback with { MaxFileBytes = 100 };
        using var server = new TinyServer(r => r.Path == "/large" ? TinyServer.Serve(r, new byte[101])
            : new(200, new byte[10], Length: -1));
        Assert.Contains("101 bytes", ReasonOf(server.Address("/large")), StringComparison.Ordinal);
        Assert.Contains("how long", ReasonOf(server.Address("/endless")), StringComparison.Ordinal);
    }

    [Fact]
    public void Objects_in_buckets_are_listed_by_pattern_and_read_in_ranges()
    {
        var objects = new SortedDictionary<string, byte[]>(StringComparer.Ordinal)
        {
            ["crawl/2024/a.warc.gz"] = Archive(2), ["crawl/2024/b.warc.gz"] = Archive(3),
            ["crawl/2024/deep/c.warc.gz"] = Archive(4), ["crawl/2024/notes.txt"] = [1], ["other/d.warc.gz"] = Archive(5),
        };
        using var server = new TinyServer(r => Bucket(r, objects));
        InputFile.Options = s_loopback with { S3Endpoint = server.Address(""), S3Anonymous = true };
        Assert.Equal(["s3://data/crawl/2024/a.warc.gz", "s3://data/crawl/2024/b.warc.gz"],
            FileGlob.Expand("s3://data/crawl/*/*.warc.gz"));
        Assert.Equal(3, FileGlob.Expand("s3://data/crawl/**/*.warc.gz").Count);
        Assert.Equal(14, new WarcReader { Paths = ["s3://data/**/*.warc.gz"] }.Read(new()).Count());
        Assert.Throws<FileNotFoundException>(() => FileGlob.Expand("s3://data/none/*"));
        Assert.Throws<FileNotFoundException>(() => InputFile.Open("s3://data/none"));
        Assert.ThrowsAny<IOException>(() => InputFile.Open("s3://da%ta@evil/none"));
        using var stream = InputFile.Open("s3://data/crawl/2024/b.warc.gz");
        stream.Position = 50;
        Assert.Equal(objects["crawl/2024/b.warc.gz"][50], stream.ReadByte());
    }

    /// <summary>As much of S3 as is asked for: ListObjectsV2 in pages of two, HEAD and GET of ranges.</summary>
    private static TinyServer.Answer Bucket(TinyServer.Request request, SortedDictionary<string, byte[]> objects)
    {
        var address = new Uri("http://x" + request.Path);
        if (address.AbsolutePath.TrimEnd('/') != "/data")
        {
            return objects.TryGetValue(Uri.UnescapeDataString(address.AbsolutePath["/data/".Length..]), out var content)
                ? TinyServer.Serve(request, content) : new(404, []);
        }
        var query = address.Query.TrimStart('?').Split('&').Select(p => p.Split('=')).ToDictionary(
            p => p[0], p => Uri.UnescapeDataString(p.ElementAtOrDefault(1) ?? ""));
        var after = query.GetValueOrDefault("continuation-token", "");
        var keys = objects.Keys.Where(k => k.StartsWith(query.GetValueOrDefault("prefix", ""), StringComparison.Ordinal)
            && string.CompareOrdinal(k, after) > 0).ToList();
        var page = keys.Take(2).ToList();
        var more = keys.Count > 2 ? $"<NextContinuationToken>{page[^1]}</NextContinuationToken>" : "";
        return new(200, Encoding.UTF8.GetBytes(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>"
            + "<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Name>data</Name>"
            + $"<KeyCount>{page.Count}</KeyCount><IsTruncated>{(keys.Count > 2 ? "true" : "false")}</IsTruncated>{more}"
            + string.Concat(page.Select(k => $"<Contents><Key>{k}</Key><Size>{objects[k].Length}</Size></Contents>"))
            + "</ListBucketResult>"), "Content-Type: application/xml\r\n");
    }
}
