using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Finery.Data;
using Finery.Data.Batches;
using Finery.Data.Curation;
using Finery.Data.Deduplication;
using Finery.Data.Deduplication.MinHash;
using Finery.Data.Filters;
using Finery.Data.Readers;

namespace Finery.Benchmarks;

/// <summary>
/// <c>deduplication signatures [--data FOLDER]</c>: MinHash signatures of <c>text/peps.jsonl.gz</c> on one core.
/// <c>deduplication scale [--documents 5000000] [--memory 512] [--threads N] [--folder F]</c>: near-duplicates removed from
/// documents made as they are read, of which every tenth is an earlier one with a word changed; first from a twentieth of them,
/// then all. Set <c>DOTNET_GCHeapHardLimit</c> to hold the process to a limit.
/// </summary>
internal static class DeduplicationBenchmark
{
    private const int Rounds = 7;

    public static void Run(string[] args)
    {
        switch (args.Length > 0 ? args[0] : "signatures")
        {
            case "signatures":
                Signatures(Options.Value(args, "--data") ?? Repository.Data);
                break;
            case "scale":
                long documents = Options.Number(args, "--documents", 5_000_000L);
                long memory = Options.Number(args, "--memory", 512L) << 20;
                int threads = Options.Number(args, "--threads", Environment.ProcessorCount);
                foreach (long count in new[] { documents / 20, documents })
                    Scale(count, memory, threads, Options.Value(args, "--folder") ?? Path.GetTempPath());
                break;
            default:
                throw new FormatException($"'{args[0]}' is neither signatures nor scale.");
        }
    }

    private static void Signatures(string data)
    {
        string path = Path.Combine(data, "text", "peps.jsonl.gz");
        if (!File.Exists(path)) throw new FormatException($"There is no '{path}': give the folder with --data.");
        string[] texts = [.. new JsonLinesReader { Paths = [path] }.Read(new()).Select(document => document.Text)];
        double megabytes = texts.Sum(text => (double)Encoding.UTF8.GetByteCount(text)) / 1e6;
        foreach (ShingleHash hash in Enum.GetValues<ShingleHash>())
        {
            var hasher = new MinHasher(5, 112, 1, hash, 64, tokenize: true);
            var signature = new ulong[hasher.Count];
            List<double> rates = [], processorRates = [];
            for (int round = 0; round <= Rounds; round++)
            {
                long start = Stopwatch.GetTimestamp();
                TimeSpan busy = Environment.CpuUsage.TotalTime;
                foreach (string text in texts) hasher.Sign(hasher.Hash(text), signature);
                if (round == 0) continue;
                rates.Add(megabytes / Stopwatch.GetElapsedTime(start).TotalSeconds);
                processorRates.Add(megabytes / (Environment.CpuUsage.TotalTime - busy).TotalSeconds);
            }
            Measurement.Print($"minhash signatures, {hash}", rates, [], "MB/s", 1);
            // What a machine that others use leaves of a core does not count here.
            Measurement.Print($"minhash signatures, {hash}, by processor time", processorRates, [], "MB/s", 1);
        }
    }

    private static void Scale(long documents, long memory, int threads, string parent)
    {
        string folder = Path.Combine(parent, $"finery-deduplication-{Path.GetRandomFileName()}");
        Directory.CreateDirectory(folder);
        try
        {
            var corpus = new GeneratedCorpus(documents, memory);
            var stage = new MinHashStage();
            var clock = Stopwatch.StartNew();
            var seconds = new Dictionary<string, double>();
            foreach (Phase phase in stage.Phases(corpus, folder))
            {
                double before = clock.Elapsed.TotalSeconds;
                int atOnce = Math.Min(threads, phase.Tasks);
                var context = new TaskContext(memory / atOnce, threads / atOnce, CancellationToken.None);
                Parallel.For(0, phase.Tasks, new() { MaxDegreeOfParallelism = atOnce }, task => phase.Run(task, context));
                seconds[phase.Name] = Math.Round(clock.Elapsed.TotalSeconds - before, 2);
            }
            long found = 0, wrong = 0, written = Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories)
                .Sum(file => new FileInfo(file).Length);
            double start = clock.Elapsed.TotalSeconds;
            Parallel.For(0, corpus.Parts, new() { MaxDegreeOfParallelism = threads }, part =>
            {
                using PartStage applied = stage.Open(corpus, folder, part);
                var work = new WorkingDocument();
                long index = 0;
                foreach (Document document in corpus.Read(part))
                {
                    work.Start(document);
                    applied.Apply(work, index);
                    if (work.Reason is not null)
                        Interlocked.Increment(ref corpus.IsCopy(corpus.StartOf(part) + index) ? ref found : ref wrong);
                    index++;
                }
            });
            seconds["removal"] = Math.Round(clock.Elapsed.TotalSeconds - start, 2);
            Console.WriteLine(JsonSerializer.Serialize(new Dictionary<string, object?>
            {
                ["case"] = "near-duplicate removal",
                ["documents"] = documents,
                ["planted"] = corpus.Copies(),
                ["found"] = found,
                ["dropped_unplanted"] = wrong,
                ["seconds"] = Math.Round(clock.Elapsed.TotalSeconds, 1),
                ["documents_per_second"] = Math.Round(documents / clock.Elapsed.TotalSeconds),
                ["phases"] = seconds,
                ["threads"] = threads,
                ["memory_setting_mib"] = memory >> 20,
                ["peak_resident_mib"] = Measurement.PeakResident() >> 20,
                ["heap_limit_mib"] = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes >> 20,
                ["disk_mib"] = written >> 20,
            }));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    /// <summary>Documents of 40 to 119 words made from their numbers. Every tenth is a copy of the one somewhere before it,
    /// with one word in the middle changed: at least 0.75 of its shingles are those of the other.</summary>
    private sealed class GeneratedCorpus(long documents, long memory) : Finery.Data.Curation.Corpus
    {
        private const int CopyEvery = 10, DocumentsPerPart = 50_000, Vocabulary = 30_000;

        private static readonly string[] s_words = [.. Enumerable.Range(0, Vocabulary).Select(MakeWord)];

        public override int Parts => (int)((documents + DocumentsPerPart - 1) / DocumentsPerPart);

        public override long MemoryBytes => memory;

        public long StartOf(int part) => (long)part * DocumentsPerPart;

        public bool IsCopy(long number) => number % CopyEvery == CopyEvery - 1;

        public long Copies() => documents / CopyEvery;

        public override IEnumerable<Document> Read(int part)
        {
            var text = new StringBuilder();
            for (long number = StartOf(part); number < Math.Min(documents, StartOf(part + 1)); number++)
            {
                Write(text.Clear(), number);
                yield return new(number.ToString(CultureInfo.InvariantCulture), text.ToString());
            }
        }

        private void Write(StringBuilder text, long number)
        {
            long original = number;
            if (IsCopy(number))
            {
                original = SeededHash.Below(SeededHash.Mix((ulong)number, 1), number);
                original -= IsCopy(original) ? 1 : 0;
            }
            int count = 40 + (int)(SeededHash.Mix((ulong)original, 2) % 80);
            for (int i = 0; i < count; i++)
            {
                ulong seed = i == count / 2 && original != number ? (ulong)number : (ulong)original;
                // The product of two even chances makes some words common and most rare, as in a language.
                ulong draw = SeededHash.Mix(seed, (ulong)i + 3);
                text.Append(s_words[(draw >> 32) % Vocabulary * ((uint)draw % Vocabulary) / Vocabulary]).Append(' ');
            }
        }

        private static string MakeWord(int number)
        {
            var word = new StringBuilder();
            for (int rest = number + 27; rest > 0; rest /= 27) word.Append((char)('a' + rest % 26));
            return word.Append((char)('a' + number % 23)).ToString();
        }
    }
}
