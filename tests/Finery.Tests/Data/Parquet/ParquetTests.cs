using System.Text.Json.Nodes;
using Finery.Data;
using Finery.Data.Parquet;
using Finery.Data.Readers;
using Finery.Data.Readers.Remote;
using Finery.Data.Writers;
using Finery.Tests.Models;
using Xunit;

namespace Finery.Tests.Data.Parquet;

public sealed class ParquetTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    internal static List<Document> Documents(int count)
    {
        var random = new Random(5);
        return [.. Enumerable.Range(0, count).Select(i =>
        {
            var metadata = new JsonObject();
            if (i % 3 != 0)
                metadata["url"] = $"https://example.org/{i}";
            if (i % 5 != 0)
                metadata["language"] = i % 2 == 0 ? "en" : "de";
            if (i % 4 != 0)
                metadata["language_score"] = Math.Round(random.NextDouble(), 4);
            if (i % 7 != 0)
                metadata["token_count"] = random.Next(1000);
            if (i % 11 == 0)
                metadata["date"] = null;
            if (i % 13 == 0)
                metadata["dump"] = 17; // not of the column's type
            if (i % 6 == 0)
                metadata["extra"] = new JsonArray(1, "two", new JsonObject { ["three"] = 3.5 });
            var text = $"Text {i} – {new string((char)('a' + i % 26), random.Next(200))} 😀 \"quoted\"\n";
            return new Document($"doc/{i}", text) { Metadata = metadata };
        })];
    }

    private string Write(string name, IEnumerable<Document> documents, ParquetCodec codec = ParquetCodec.Snappy)
    {
        using var writer = new ParquetWriter(_folder[name], codec);
        foreach (var document in documents)
            writer.Write(document);
        writer.Commit();
        return _folder[name];
    }

    internal static void AssertSame(IReadOnlyList<Document> expected, IReadOnlyList<Document> actual)
    {
        Assert.Equal(expected.Select(d => (d.Id, d.Text)), actual.Select(d => (d.Id, d.Text)));
        for (var i = 0; i < expected.Count; i++)
        {
            // As any file gives them back: numbers have no .NET type.
            var metadata = JsonNode.Parse(expected[i].Metadata.ToJsonString());
            Assert.True(JsonNode.DeepEquals(metadata, actual[i].Metadata), $"{metadata} became {actual[i].Metadata}");
        }
    }

    [Theory]
    [InlineData(ParquetCodec.None)]
    [InlineData(ParquetCodec.Snappy)]
    [InlineData(ParquetCodec.Gzip)]
    [InlineData(ParquetCodec.Zstd)]
    public void What_is_written_reads_back(ParquetCodec codec)
    {
        foreach (var count in new[] { 0, 1, 9, 3000 })
        {
            var documents = Documents(count);
            var path = Write($"{count}.parquet", documents, codec);
            var report = new ReadReport();
            AssertSame(documents, [.. new ParquetReader { Paths = [path] }.Read(report)]);
            Assert.Empty(report.Skipped);
            Assert.Equal(1, report.Files);
        }
    }

    [Fact]
    public void Columns_of_many_distinct_values_give_up_their_dictionary()
    {
        var documents = Enumerable.Range(0, 50_000).Select(i => new Document($"{i}", "t")
        {
            Metadata = new() { ["url"] = $"https://example.org/some/long/path/{i}", ["token_count"] = i, ["language"] = "en" },
        }).ToList();
        AssertSame(documents, [.. new ParquetReader { Paths = [Write("a.parquet", documents)] }.Read(new())]);
    }

    [Fact]
    public void The_published_minimal_file_is_read()
    {
        const string Hex =
            "504152311500153015302c150615001506150600000100000000000000020000000000000003000000000000001502192c4804726f6f"
            + "7415020015042500180178001606191c191c26001c1504191500191801781500160616521652260800001652160600003900000050415231";
        File.WriteAllBytes(_folder["x.parquet"], Convert.FromHexString(Hex));
        using var file = RandomInput.Open(_folder["x.parquet"]);
        var footer = ParquetFooter.Read(file);
        Assert.Equal(3, Assert.Single(footer.RowGroups).Rows);
        var leaf = Assert.Single(footer.Schema.Leaves);
        Assert.Equal(("x", PhysicalType.Int64), (leaf.Name, leaf.Type));
        var column = new ColumnReader(file, leaf, footer.RowGroups[0].Columns[0], 1000);
        for (var i = 1; i <= 3; i++)
        {
            column.MoveNext();
            Assert.Equal(i, (int)column.Node()!);
        }
        column.MoveNext();
        Assert.True(column.IsAtEnd);
        var report = new ReadReport();
        Assert.Empty(new ParquetReader { Paths = [_folder["x.parquet"]] }.Read(report));
        Assert.Contains("'text' among: x", report.Skipped["no_text"].FirstExample);
    }

    [Fact]
    public void Reading_splits_by_row_groups_and_goes_on_between_rows()
    {
        var documents = Documents(500);
        using (var writer = new ParquetWriter(_folder["a.parquet"]))
        {
            for (var i = 0; i < documents.Count; i++)
            {
                writer.Write(i % 50 == 7 ? new Document("empty", " ") : documents[i]);
                if (i % 100 == 99)
                    writer.Checkpoint(); // ends a row group
            }
            writer.Commit();
        }
        documents.RemoveAll(document => documents.IndexOf(document) % 50 == 7);
        var reader = new ParquetReader { Paths = [_folder["a.parquet"]] };
        foreach (var (size, parts) in new[] { (1L, 5), (long.MaxValue, 1) })
        {
            Assert.Equal(parts, reader.Parts(size).Count);
            var report = new ReadReport();
            var all = new List<Document>();
            foreach (var part in reader.Parts(size))
            {
                var rows = new List<Document>();
                var positions = new List<long> { 0 };
                using (var cursor = reader.Open(part, report))
                    while (cursor.Read() is { } document)
                    {
                        rows.Add(document);
                        positions.Add(cursor.Position);
                    }
                for (var i = 0; i < positions.Count; i += 17)
                {
                    using var cursor = reader.Open(part, new(), positions[i]);
                    var rest = new List<Document>();
                    while (cursor.Read() is { } document)
                        rest.Add(document);
                    AssertSame([.. rows.Skip(i)], rest);
                }
                all.AddRange(rows);
            }
            AssertSame(documents, all);
            Assert.Equal(10, report.Skipped["empty_text"].Count);
            Assert.Equal(1, report.Files);
        }
    }

    [Fact]
    public void Columns_can_be_named_and_chosen()
    {
        var path = Write("a.parquet", Documents(20));
        var reader = new ParquetReader { Paths = [path], TextColumn = "id", IdColumn = "none", Columns = ["language"] };
        var documents = reader.Read(new()).ToList();
        Assert.Equal("doc/3", documents[3].Text);
        Assert.Equal($"{path.Replace('\\', '/')}/3", documents[3].Id);
        Assert.Equal("""{"language":"de"}""", documents[3].Metadata.ToJsonString());
    }

    [Fact]
    public void What_is_no_parquet_file_says_so()
    {
        var whole = File.ReadAllBytes(Write("a.parquet", Documents(20)));
        foreach (var (bytes, expected) in new (byte[], string)[]
        {
            ([], "too short"),
            (whole[..^1], "cut off"),
            ([.. whole[..^4], .. "PARE"u8], "encrypted"),
            ([.. whole[..^8], 0xFF, 0xFF, 0xFF, 0x7F, .. "PAR1"u8], "footer"),
        })
        {
            File.WriteAllBytes(_folder["b.parquet"], bytes);
            var report = new ReadReport();
            Assert.Empty(new ParquetReader { Paths = [_folder["b.parquet"]] }.Read(report));
            Assert.Contains(expected, report.Skipped["damaged_file"].FirstExample);
        }
    }

    [Fact]
    public void Damage_keeps_other_row_groups_and_is_counted()
    {
        var documents = Documents(300);
        using (var writer = new ParquetWriter(_folder["a.parquet"]))
        {
            for (var i = 0; i < documents.Count; i++)
            {
                writer.Write(documents[i]);
                if (i % 100 == 99)
                    writer.Checkpoint();
            }
            writer.Commit();
        }
        var bytes = File.ReadAllBytes(_folder["a.parquet"]);
        bytes[200] ^= 1; // in the text of the first row group, which has a checksum
        File.WriteAllBytes(_folder["a.parquet"], bytes);
        var report = new ReadReport();
        AssertSame([.. documents.Skip(100)], [.. new ParquetReader { Paths = [_folder["a.parquet"]] }.Read(report)]);
        Assert.Contains("checksum", report.Skipped["damaged_file"].FirstExample);
    }

    [Fact]
    public void Damaged_files_never_crash_hang_or_take_memory_without_bounds()
    {
        var random = new Random(17);
        var sources = new[] { ParquetCodec.None, ParquetCodec.Snappy, ParquetCodec.Zstd, ParquetCodec.Gzip }
            .Select(codec => File.ReadAllBytes(Write($"{codec}.parquet", Documents(60), codec))).ToArray();
        var path = _folder["damaged.parquet"];
        for (var i = 0; i < 2000; i++)
        {
            byte[] damaged = [.. sources[i % sources.Length]];
            for (var n = random.Next(1, 6); n > 0; n--)
            {
                // Half of the damage hits the footer, where most lies to be misunderstood.
                var at = random.Next(2) == 0 ? random.Next(damaged.Length - 8)
                    : damaged.Length - 9 - random.Next(Math.Min(1500, damaged.Length - 9));
                damaged[at] = (byte)(random.Next(3) switch
                {
                    0 => random.Next(256),
                    1 => damaged[at] ^ (1 << random.Next(8)),
                    _ => 0xFF,
                });
            }
            if (i % 10 == 0)
                damaged = [.. damaged[..random.Next(damaged.Length)], .. damaged[^random.Next(2000)..]];
            File.WriteAllBytes(path, damaged);
            _ = new ParquetReader { Paths = [path], MaxPageBytes = 1 << 22 }.Read(new()).Count();
        }
    }

    [Fact]
    public void Nested_columns_are_rebuilt()
    {
        // required group; tags: list of strings of three levels; points: repeated struct; both with nulls and empty lists.
        var tags = Group("tags", Repetition.Optional, Meaning.List, Group("list", Repetition.Repeated, Meaning.Plain,
            Leaf("element", Repetition.Optional)));
        var root = Tree(tags);
        var leaf = root.Leaves.Single();
        Assert.Equal((3, 1), (leaf.Definition, leaf.RepetitionLevel));
        // [a, null], [], null, [b]
        var levels = new[] { (0, 3), (1, 2), (0, 1), (0, 0), (0, 3) };
        var page = new PageBuffer();
        AddLevels(page, levels.Select(l => l.Item1), 1);
        AddLevels(page, levels.Select(l => l.Item2), 2);
        page.AddText("a");
        page.AddText("b");
        var header = new ThriftWriter();
        header.Int32(1, 0);
        header.Int32(2, page.Count);
        header.Int32(3, page.Count);
        header.Begin(5);
        header.Int32(1, levels.Length);
        header.Int32(2, 0);
        header.Int32(3, 3);
        header.Int32(4, 3);
        header.End();
        header.End();
        File.WriteAllBytes(_folder["pages"], [.. "PAR1"u8, .. header.Written, .. page.Written, .. new byte[8]]);
        using var file = RandomInput.Open(_folder["pages"]);
        var column = new ColumnReader(file, leaf, new ColumnChunk(PhysicalType.ByteArray, 0, levels.Length, 4), 1 << 20);
        column.MoveNext();
        var assembler = new RecordAssembler(tags, [column]);
        Assert.Equal(["""["a",null]""", "[]", null, """["b"]"""],
            Enumerable.Range(0, 4).Select(_ => assembler.Next()?.ToJsonString()));
        Assert.True(column.IsAtEnd);
    }

    private static void AddLevels(PageBuffer page, IEnumerable<int> levels, int width)
    {
        var at = page.Count;
        page.AddInt32(0);
        HybridWriter.Write(page, [.. levels], width);
        page.SetInt32(at, page.Count - at - 4);
    }

    private static SchemaNode Leaf(string name, Repetition repetition) =>
        new() { Name = name, Repetition = repetition, Type = PhysicalType.ByteArray, Meaning = Meaning.Text };

    private readonly Dictionary<SchemaNode, SchemaNode[]> _children = [];

    private SchemaNode Group(string name, Repetition repetition, Meaning meaning, params SchemaNode[] children)
    {
        var node = new SchemaNode { Name = name, Repetition = repetition, Meaning = meaning };
        _children[node] = children;
        return node;
    }

    private SchemaNode Tree(params SchemaNode[] fields)
    {
        var flat = new List<(SchemaNode, int)>();
        void Add(SchemaNode node)
        {
            var children = _children.GetValueOrDefault(node, []);
            flat.Add((node, children.Length));
            foreach (var child in children)
                Add(child);
        }
        Add(Group("root", Repetition.Required, Meaning.Plain, fields));
        return SchemaNode.Tree(flat);
    }
}
