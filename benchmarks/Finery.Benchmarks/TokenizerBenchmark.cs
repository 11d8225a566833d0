using System.Text.Json;
using Finery.Data.Tokenizers;

namespace Finery.Benchmarks;

/// <summary>
/// Encoding and decoding, in MiB of UTF-8 a second, by turns with the peers: <c>tokenizers [--tokenizer FILE] [--npm FOLDER]
/// [--threads 1,2] [--only TEXT] [--data FOLDER] [--code FOLDER] [--megabytes 16] [--rounds 5]</c>. Without FILE a vocabulary of 32,768 is
/// trained on the corpora. Each case runs warm (a cache may know the text's words, no document is repeated within a pass) and fresh (a new
/// tokenizer every pass, nothing cached). One JSON line a case: medians, and the number of tokens, which all must agree on.
/// </summary>
internal sealed class TokenizerBenchmark : IDisposable
{
    private readonly int _rounds;
    private readonly string _only, _file;
    private readonly string? _npm, _trained;
    private readonly int[] _threads;
    private readonly Corpus[] _corpora;

    private TokenizerBenchmark(string[] args)
    {
        _rounds = Options.Number(args, "--rounds", 5);
        _only = Options.Value(args, "--only") ?? "";
        _npm = Options.Value(args, "--npm");
        _threads = Options.Parse(["--threads", Options.Value(args, "--threads") ?? $"1,{Environment.ProcessorCount}"]).Threads;
        _corpora = [.. Corpus.All(Options.Value(args, "--data"), Options.Value(args, "--code"), (long)Options.Number(args, "--megabytes", 16) << 20)];
        if (Options.Value(args, "--tokenizer") is { } given) _file = given;
        else
        {
            _trained = Directory.CreateTempSubdirectory().FullName;
            TokenizerFile.Save(new BpeTrainer { VocabSize = 32_768 }.Train(_corpora.SelectMany(corpus => corpus.Documents)), _trained);
            _file = Path.Combine(_trained, TokenizerFile.FileName);
        }
    }

    public static void Run(string[] args)
    {
        using var benchmark = new TokenizerBenchmark(args);
        benchmark.Load();
        benchmark.OneLetter();
        benchmark.Chat();
        foreach (int threads in benchmark._threads)
        {
            foreach (Corpus corpus in benchmark._corpora) benchmark.Measure(corpus, threads);
        }
    }

    public void Dispose()
    {
        if (_trained is not null) Directory.Delete(_trained, recursive: true);
    }

    private void Load()
    {
        if (!"load".Contains(_only, StringComparison.Ordinal)) return;
        var seconds = Passes(() => Measurement.Seconds(() => TokenizerFile.Load(_file)));
        var peers = Peers(["a"], 1).Select(peer =>
        {
            using (peer) return (peer.Name, (object?)Math.Round(peer.LoadSeconds, 3));
        });
        Print("load", new() { ["seconds"] = Median(seconds), ["vocabulary"] = TokenizerFile.Load(_file).VocabSize }, peers);
    }

    private void OneLetter()
    {
        if (!"letter".Contains(_only, StringComparison.Ordinal)) return;
        string text = new('a', 1_000_000);
        var tokenizer = TokenizerFile.Load(_file);
        var seconds = Passes(() => Measurement.Seconds(() => tokenizer.Encode(text)));
        // tiktoken's time is quadratic in the length of a chunk.
        var peers = Peers([text], 1, "hf").Select(peer =>
        {
            using (peer) return (peer.Name, (object?)Math.Round(peer.Run("encode").Seconds, 3));
        });
        Print("letter 1 MB", new() { ["seconds"] = Median(seconds), ["tokens"] = tokenizer.Encode(text).Length }, peers);
    }

    /// <summary>A conversation of four turns in Finery's ChatML: to text, and to ids with the mask of what is trained.</summary>
    private void Chat()
    {
        if (!"chat".Contains(_only, StringComparison.Ordinal)) return;
        const int Repeats = 2000;
        var tokenizer = new BpeTrainer { VocabSize = 4096 }.Train(_corpora[0].Documents.Take(200));
        var template = new ChatTemplate(tokenizer);
        ChatMessage[] talk =
        [
            new("user", "What does List.Add do?"), new("assistant", "Adds an object to the end of the list."),
            new("user", "And Insert?"), new("assistant", "Inserts an element into the list at the given index."),
        ];
        double Microseconds(Action action) => Median(Passes(() => 1e6 / Repeats * Measurement.Seconds(() =>
        {
            for (int i = 0; i < Repeats; i++) action();
        })));
        Print("chat", new()
        {
            ["render_us"] = Microseconds(() => template.Render(talk)), ["encode_us"] = Microseconds(() => template.Encode(talk)),
        }, []);
    }

    private void Measure(Corpus corpus, int threads)
    {
        string[] commands = ["encode", "fresh", "decode"];
        string[] wanted = [.. commands.Where(command => Name(command).Contains(_only, StringComparison.Ordinal))];
        if (wanted.Length == 0) return;
        var tokenizer = TokenizerFile.Load(_file);
        int[][] ids = [.. corpus.Documents.Select(text => tokenizer.Encode(text))]; // warms up, too
        // WebAssembly has one thread.
        List<PeerTokenizer> peers = [.. Peers(corpus.Documents, threads, threads == 1 ? ["hf", "tiktoken"] : ["hf"])];
        foreach (string command in wanted)
        {
            if (command == "decode" && threads > 1) continue;
            List<double> ours = [];
            var theirs = peers.ToDictionary(peer => peer, _ => new List<double>());
            long tokens = ids.Sum(document => (long)document.Length);
            for (int round = 0; round < _rounds; round++)
            {
                var now = command == "fresh" ? TokenizerFile.Load(_file) : tokenizer;
                ours.Add(corpus.MiB / Measurement.Seconds(() =>
                {
                    if (command == "decode") Decode(now, ids);
                    else Encode(now, corpus.Documents, threads);
                }));
                foreach (PeerTokenizer peer in peers)
                {
                    var (seconds, count) = peer.Run(command);
                    theirs[peer].Add(corpus.MiB / seconds);
                    if (count != tokens) Console.Error.WriteLine($"{peer.Name} makes {count} tokens of {corpus.Name}, Finery {tokens}.");
                }
            }
            Print(Name(command), new()
            {
                ["MiB/s"] = Median(ours), ["threads"] = threads, ["MiB"] = Math.Round(corpus.MiB, 1), ["tokens"] = tokens,
            }, theirs.Select(peer => (peer.Key.Name, (object?)Median(peer.Value))));
        }
        peers.ForEach(peer => peer.Dispose());

        string Name(string command) => $"{command} {corpus.Name}";
    }

    /// <summary>Every thread takes the next document when it is done with one.</summary>
    private static void Encode(Tokenizer tokenizer, string[] documents, int threads)
    {
        int next = -1;
        void Work()
        {
            var ids = new List<int>();
            for (int i; (i = Interlocked.Increment(ref next)) < documents.Length; ids.Clear()) tokenizer.Encode(documents[i], ids);
        }

        Thread[] others = [.. Enumerable.Range(1, threads - 1).Select(_ => new Thread(Work))];
        foreach (Thread thread in others) thread.Start();
        Work();
        foreach (Thread thread in others) thread.Join();
    }

    private static void Decode(Tokenizer tokenizer, int[][] ids)
    {
        foreach (int[] document in ids) tokenizer.Decode(document);
    }

    private IEnumerable<PeerTokenizer> Peers(IReadOnlyList<string> documents, int threads, params string[] names)
    {
        if (_npm is null) yield break;
        foreach (string name in names is [] ? ["hf", "tiktoken"] : names)
        {
            if (PeerTokenizer.Start(_npm, name, _file, documents, threads) is { } peer) yield return peer;
        }
    }

    private List<double> Passes(Func<double> seconds) => [.. Enumerable.Range(0, _rounds).Select(_ => seconds())];

    private static double Median(List<double> values) => Math.Round(Measurement.Median(values), 3);

    private static void Print(string name, Dictionary<string, object?> figures, IEnumerable<(string Name, object? Figure)> peers)
    {
        var line = new Dictionary<string, object?> { ["case"] = name };
        foreach (var (key, figure) in figures) line[key] = figure;
        foreach (var (peer, figure) in peers) line[peer] = figure;
        Console.WriteLine(JsonSerializer.Serialize(line));
    }
}
