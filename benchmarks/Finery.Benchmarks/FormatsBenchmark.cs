using System.Diagnostics;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Finery.Data;
using Finery.Data.Compression;
using Finery.Data.Parquet;
using Finery.Data.Readers;
using Finery.Data.Writers;

namespace Finery.Benchmarks;

/// <summary>
/// Reading and writing documents, in MB of their UTF-8 text a second of processor time (so that waiting for the disk, and
/// others on the machine, matter little): <c>formats [--data FILE.jsonl.gz] [--megabytes 64] [--rounds 5] [--only TEXT]</c>.
/// The documents of FILE are repeated under other ids; each has the metadata of a web page. Compression alone is measured in MB
/// uncompressed, beside the zstd program where it is installed. One JSON line a case: medians.
/// </summary>
internal sealed class FormatsBenchmark : IDisposable
{
    private readonly int _rounds;
    private readonly string _only;
    private readonly string _folder = Directory.CreateTempSubdirectory("finery-formats-").FullName;
    private readonly List<Document> _documents = [];
    private readonly long _textBytes;

    private FormatsBenchmark(string[] args)
    {
        _rounds = Options.Number(args, "--rounds", 5);
        _only = Options.Value(args, "--only") ?? "";
        long bytes = Options.Number(args, "--megabytes", 64L) * 1_000_000;
        var path = Options.Value(args, "--data") ?? Path.Combine(Repository.Data, "text", "peps.jsonl.gz");
        var originals = new JsonLinesReader { Paths = [path] }.Read(new()).ToList();
        for (var round = 0; _textBytes < bytes; round++)
            foreach (var document in originals.TakeWhile(_ => _textBytes < bytes))
            {
                _documents.Add(new($"{document.Id}-{round}", document.Text)
                {
                    Metadata = new JsonObject
                    {
                        ["url"] = $"https://example.org/{round}/{document.Id}", ["dump"] = "CC-MAIN-2025-05",
                        ["date"] = "2025-01-12T05:21:44Z", ["language"] = "en", ["language_score"] = 0.9735,
                        ["token_count"] = document.Text.Length / 4,
                    },
                });
                _textBytes += Encoding.UTF8.GetByteCount(document.Text);
            }
    }

    public static void Run(string[] args)
    {
        using var benchmark = new FormatsBenchmark(args);
        foreach (var name in new[] { "a.jsonl", "a.jsonl.zst", "a.parquet", "zstd.parquet" }) benchmark.Measure(name);
        benchmark.MeasureZstd();
        benchmark.MeasureSnappy();
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private DocumentWriter Writer(string name) => name.EndsWith(".parquet", StringComparison.Ordinal)
        ? new ParquetWriter(Path.Combine(_folder, name), 
            name.StartsWith("zstd", StringComparison.Ordinal) ? ParquetCodec.Zstd : ParquetCodec.Snappy)
        : new JsonLinesWriter(Path.Combine(_folder, name));

    private void Measure(string name)
    {
        if (!name.Contains(_only, StringComparison.Ordinal)) return;
        List<double> writes = [], reads = [];
        for (var round = 0; round < _rounds; round++)
        {
            writes.Add(_textBytes / 1e6 / Seconds(() =>
            {
                using var writer = Writer(name);
                foreach (var document in _documents) writer.Write(document);
                writer.Commit();
            }));
            var count = 0L;
            var reader = DocumentReader.ForPaths([Path.Combine(_folder, name)]);
            reads.Add(_textBytes / 1e6 / Seconds(() => count = reader.Read(new()).LongCount()));
            if (count != _documents.Count) throw new InvalidDataException($"{name}: {count} of {_documents.Count} came back.");
        }
        Print(name, new()
        {
            ["write_MB/s"] = Median(writes), ["read_MB/s"] = Median(reads), ["text_MB"] = Math.Round(_textBytes / 1e6, 1),
            ["file_MB"] = Math.Round(new FileInfo(Path.Combine(_folder, name)).Length / 1e6, 1),
        });
    }

    private byte[] Rows()
    {
        using var writer = Writer("rows.jsonl");
        foreach (var document in _documents) writer.Write(document);
        writer.Commit();
        return File.ReadAllBytes(Path.Combine(_folder, "rows.jsonl"));
    }

    private void MeasureZstd()
    {
        if (!"zstd".Contains(_only, StringComparison.Ordinal)) return;
        var rows = Rows();
        List<double> encodes = [], decodes = [], theirEncodes = [], theirDecodes = [];
        var compressed = new MemoryStream();
        var buffer = new byte[1 << 17];
        string path = Path.Combine(_folder, "rows.jsonl"), theirs = path + ".zst";
        for (var round = 0; round < _rounds; round++)
        {
            compressed.SetLength(0);
            encodes.Add(rows.Length / 1e6 / Seconds(() =>
            {
                using var zstd = new ZstdWriteStream(compressed, leaveOpen: true);
                zstd.Write(rows);
            }));
            compressed.Position = 0;
            decodes.Add(rows.Length / 1e6 / Seconds(() =>
            {
                using var zstd = new ZstdReadStream(compressed, leaveOpen: true);
                while (zstd.Read(buffer) > 0) { }
            }));
            if (Program($"-1 -f -q --single-thread {path} -o {theirs}") is not { } encode
                || Program($"-d -f -q {theirs} -o /dev/null") is not { } decode) continue;
            theirEncodes.Add(rows.Length / 1e6 / encode);
            theirDecodes.Add(rows.Length / 1e6 / decode);
        }
        var figures = new Dictionary<string, object?>
        {
            ["encode_MB/s"] = Median(encodes), ["decode_MB/s"] = Median(decodes),
            ["ratio"] = Math.Round((double)rows.Length / compressed.Length, 3),
        };
        if (theirEncodes.Count > 0)
        {
            figures["program_encode_MB/s"] = Median(theirEncodes);
            figures["program_decode_MB/s"] = Median(theirDecodes);
            figures["program_ratio"] = Math.Round((double)rows.Length / new FileInfo(theirs).Length, 3);
            figures["decode_of_program_MB/s"] = Median([.. Enumerable.Range(0, _rounds)
                .Select(_ => rows.Length / 1e6 / Seconds(() =>
            {
                using var zstd = new ZstdReadStream(File.OpenRead(theirs));
                while (zstd.Read(buffer) > 0) { }
            }))]);
        }
        Print("zstd", figures);
    }

    private void MeasureSnappy()
    {
        if (!"snappy".Contains(_only, StringComparison.Ordinal)) return;
        var pages = Rows().Chunk(1 << 20).ToArray();
        var compressed = pages.Select(page => new byte[Snappy.MaxCompressedLength(page.Length)]).ToArray();
        var lengths = new int[pages.Length];
        var target = new byte[1 << 20];
        double bytes = pages.Sum(page => (long)page.Length);
        List<double> encodes = [], decodes = [];
        for (var round = 0; round < _rounds; round++)
        {
            encodes.Add(bytes / 1e6 / Seconds(() =>
            {
                for (var i = 0; i < pages.Length; i++) lengths[i] = Snappy.Compress(pages[i], compressed[i]);
            }));
            decodes.Add(bytes / 1e6 / Seconds(() =>
            {
                for (var i = 0; i < pages.Length; i++)
                {
                    Snappy.Decompress(compressed[i].AsSpan(0, lengths[i]), target.AsSpan(0, pages[i].Length));
                }
            }));
        }
        Print("snappy", new()
        {
            ["encode_MB/s"] = Median(encodes), ["decode_MB/s"] = Median(decodes),
            ["ratio"] = Math.Round(bytes / lengths.Sum(), 3),
        });
    }

    /// <summary>Seconds by the clock of the zstd program, its start included; null where there is none.</summary>
    private static double? Program(string arguments)
    {
        try
        {
            var start = Stopwatch.GetTimestamp();
            using var process = Process.Start("zstd", arguments);
            process.WaitForExit();
            return Stopwatch.GetElapsedTime(start).TotalSeconds;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return null;
        }
    }

    private static double Seconds(Action action)
    {
        var start = Environment.CpuUsage.TotalTime;
        action();
        return (Environment.CpuUsage.TotalTime - start).TotalSeconds;
    }

    private static double Median(List<double> values) => Math.Round(Measurement.Median(values), 1);

    private static void Print(string name, Dictionary<string, object?> figures)
    {
        var line = new Dictionary<string, object?> { ["case"] = name };
        foreach (var (key, figure) in figures) line[key] = figure;
        Console.WriteLine(JsonSerializer.Serialize(line));
    }
}
