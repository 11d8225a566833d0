using System.IO.Compression;
using System.Text;
using Finery.Data;
using Finery.Data.Readers;
using Finery.Data.Readers.Warc;
using Xunit;
using static Finery.Tests.Data.Readers.Warc.WarcBuilder;

namespace Finery.Tests.Data.Readers.Warc;

/// <summary>Hostile input: whatever the bytes, reading ends, within bounds, and yields what is undamaged.</summary>
public sealed class WarcFuzzTests : IDisposable
{
    private static readonly string[] s_pieces =
        ["\r\n\r\n", "WARC/1.0\r\n", "Content-Length: 99999999999\r\n", "\u001F", ":", "\nWARC/1.1\r\n\r\n"];

    private readonly string _folder = Directory.CreateTempSubdirectory("finery-fuzz-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private List<Document> Read(byte[] bytes, ReadReport? report = null)
    {
        var path = Path.Combine(_folder, "a.warc");
        File.WriteAllBytes(path, bytes);
        return [.. new WarcReader { Paths = [path], MaxRecordBytes = 1 << 20 }.Read(report ?? new())];
    }

    private static byte[] Mutate(byte[] bytes, Random random)
    {
        var mutated = bytes.ToList();
        for (var n = random.Next(1, 5); n > 0; n--)
        {
            var at = random.Next(mutated.Count);
            switch (random.Next(6))
            {
                case 0:
                    mutated[at] ^= (byte)(1 << random.Next(8));
                    break;
                case 1:
                    mutated[at] = (byte)random.Next(256);
                    break;
                case 2:
                    mutated.RemoveRange(at, Math.Min(random.Next(40), mutated.Count - at - 1));
                    break;
                case 3:
                    mutated.InsertRange(at, bytes.Skip(random.Next(bytes.Length)).Take(random.Next(40)));
                    break;
                case 4:
                    mutated.InsertRange(at, Encoding.ASCII.GetBytes(s_pieces[random.Next(s_pieces.Length)]));
                    break;
                default:
                    mutated.RemoveRange(at, mutated.Count - at - 1);
                    break;
            }
        }
        return [.. mutated];
    }

    private static byte[][] Records() =>
    [
        Info(), Response("a", Page("first")),
        Response("b", Gzip(Bytes(Page("second"))), "Content-Type: text/html\r\nContent-Encoding: gzip\r\n"),
        Response("c", Bytes("4\r\n<p>x\r\n3\r\nyyy\r\n0\r\n\r\n"), "Content-Type: text/html\r\nTransfer-Encoding: chunked\r\n"),
        Record("conversion", "d", Bytes("plain text"), "text/plain"), Response("e", Page("last")),
    ];

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    public void Mutations_never_crash_and_resumption_agrees(int layout)
    {
        var records = Records();
        var bytes = layout switch
        {
            0 => Join(records),
            1 => Join([.. records.Select(r => Gzip(r))]),
            _ => Join(Gzip(records[..3]), Gzip(records[3..])),
        };
        var random = new Random(11 + layout);
        var path = Path.Combine(_folder, "b.warc");
        for (var i = 0; i < 300; i++)
        {
            File.WriteAllBytes(path, Mutate(bytes, random));
            var reader = new WarcReader { Paths = [path], MaxRecordBytes = 1 << 20 };
            var whole = reader.Read(new()).Select(d => d.Id + d.Text).ToList();
            Assert.InRange(whole.Count, 0, 30);
            var resumed = new List<string>();
            var part = reader.Parts(long.MaxValue)[0];
            for (long position = 0; ;)
            {
                using var cursor = reader.Open(part, new(), position);
                if (cursor.Read() is not { } document)
                    break;
                resumed.Add(document.Id + document.Text);
                position = cursor.Position;
            }
            Assert.Equal(whole, resumed);
            _ = reader.Parts(200);
        }
    }

    [Fact]
    public void A_damaged_member_costs_no_other_wherever_the_damage_is()
    {
        var random = new Random(2);
        var members = Enumerable.Range(0, 3).Select(i =>
            Gzip(Response($"r{i}", Page(string.Concat(Enumerable.Range(0, 30).Select(_ => $"{random.Next(999)} ")))))).ToArray();
        var text = Read(members[1]).Single().Text;
        for (var at = 0; at < members[1].Length; at++)
        {
            var damaged = members[1].ToArray();
            damaged[at] ^= (byte)(1 << random.Next(8));
            var report = new ReadReport();
            var read = Read(Join(members[0], damaged, members[2]), report);
            var ids = read.Select(d => d.Id[9..]).ToList();
            Assert.True(ids.Contains("r0") && ids.Contains("r2"), $"byte {at}: {string.Join(' ', ids)}");
            // Of the header and of what fills the last byte of the data the check sum knows nothing; the content is whole then.
            if (ids.Count == 3)
                Assert.Equal(text, read[1].Text);
            else
                Assert.True(ids.Count == 2 && report.Skipped["damaged_member"].Count == 1, $"byte {at}");
        }
    }

    [Fact]
    public void Members_decompress_as_the_library_has_it()
    {
        var random = new Random(4);
        for (var i = 0; i < 60; i++)
        {
            var pieces = Enumerable.Range(0, random.Next(1, 6)).Select(_ =>
            {
                var piece = new byte[random.Next(4) == 0 ? random.Next(3) + 1 : random.Next(30_000) + 1];
                for (var b = 0; b < piece.Length; b++)
                    piece[b] = (byte)(random.Next(3) == 0 ? random.Next(256) : b % 7);
                return piece;
            }).ToList();
            var bytes = Join([.. pieces.Select(p =>
            {
                using var target = new MemoryStream();
                using (var gzip = new GZipStream(target, (CompressionLevel)random.Next(4)))
                    gzip.Write(p);
                return target.ToArray();
            })]);
            var input = new BufferedInput(new MemoryStream(bytes));
            using var members = new GzipMembers(input, 2000);
            var buffer = new byte[random.Next(100, 20_000)];
            foreach (var piece in pieces)
            {
                while (input.Peek(1) is [0, ..])
                    input.Advance(1);
                Assert.True(members.TryOpen());
                using var read = new MemoryStream();
                while (members.Read(buffer) is > 0 and var count)
                    read.Write(buffer, 0, count);
                Assert.True(piece.AsSpan().SequenceEqual(read.ToArray()));
            }
        }
    }

    [Fact]
    public void Empty_members_are_passed()
    {
        byte[] empty = [0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 3, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        var report = new ReadReport();
        var read = Read(Join(empty, Gzip(Response("a", Page("a"))), empty, empty, Gzip(Response("b", Page("b"))), empty), report);
        Assert.Equal(2, read.Count);
        Assert.Empty(report.Skipped);
    }

    [Theory]
    [InlineData("\nWARC/1.0\n")]
    [InlineData("\nWARC/1.0\r\nWARC-Type: response\r\n")]
    [InlineData("WARC/1.0\r\nWARC-Type: response\r\nContent-Length: 900000\r\n\r\n")]
    [InlineData("\u001F\u008B\u0008")]
    [InlineData("\u001F\u008B\u0008\0\0\0\0\0\0\u0003\u0001\u0005\0")]
    public void What_looks_like_records_over_and_over_takes_no_longer_than_a_multiple_of_its_length(string piece)
    {
        var unit = Encoding.Latin1.GetBytes(piece);
        var head = piece[0] == '\u001F' ? Gzip(Info()) : Info();
        var bytes = Join([head, .. Enumerable.Repeat(unit, 400_000 / unit.Length)]);
        var report = new ReadReport();
        Assert.Empty(Read(bytes, report));
        Assert.NotEmpty(report.Skipped);
    }

    [Fact]
    public void Bodies_of_any_bytes_are_decoded_or_refused()
    {
        var random = new Random(8);
        var body = new HttpBody(1 << 20, 200);
        string[] headers = ["Content-Encoding: gzip", "Content-Encoding: br", "Content-Encoding: deflate",
            "Transfer-Encoding: chunked",
            "Transfer-Encoding: chunked\r\nContent-Encoding: br, gzip", "Content-Encoding: deflate\r\nContent-Encoding: gzip"];
        var good = new[] { Gzip(Bytes(Page("x"))), Bytes("5\r\nhello\r\n0\r\n\r\n"), Gzip(Gzip(Bytes(Page("x")))) };
        for (var i = 0; i < 2000; i++)
        {
            var bytes = i % 2 == 0 ? Mutate(good[random.Next(3)], random) : new byte[random.Next(300)];
            if (i % 2 == 1)
                random.NextBytes(bytes);
            var message = Join(Bytes($"HTTP/1.1 200 OK\r\n{headers[random.Next(6)]}\r\n\r\n"), bytes);
            if (i % 5 == 0)
                message = Mutate(message, random);
            if (HttpMessage.TryParse(message, out var parsed))
                _ = body.Decode(parsed, out _);
        }
    }

    [Fact]
    public void Tables_of_any_bytes_are_read_or_refused()
    {
        var random = new Random(9);
        var table = Bytes("id,text\n1,\"a \"\"b\"\"\nc\"\n2,x;y\r\n3,\t\n4,naïve\n");
        var path = Path.Combine(_folder, "a.csv");
        for (var i = 0; i < 500; i++)
        {
            File.WriteAllBytes(path, i % 4 == 0 ? Mutate(Gzip(table), random) : Mutate(table, random));
            Assert.InRange(new CsvReader { Paths = [path], MaxRowLength = 100 }.Read(new()).Count(), 0, 20);
        }
    }
}
