using System.Diagnostics;
using System.Text;
using System.Text.Json;
using Finery.Data;
using Finery.Data.Classifiers;
using Finery.Data.Deduplication;
using Finery.Data.Readers;

namespace Finery.Benchmarks;

/// <summary> fastText classifiers beside the C++ command line, by turns: <c>fasttext [--data FOLDER] [--rounds 5] [--copies 20]
/// [--only TEXT]</c>. Data is <c>languages/tldr.jsonl.gz</c>, two thirds to train on. One JSON line a case: training (examples a
/// second over all epochs, one and two threads) with P@1 of both; prediction (lines and MB a second, one thread; the peer's time
/// to start and to load is taken off); and the language identifier that comes with Finery.
/// </summary>
internal sealed class FastTextBenchmark
{
    private const string Peer = "fasttext";
    private const int Epochs = 25;

    private readonly int _rounds;
    private readonly int _copies;
    private readonly string _only;
    private readonly string _data;
    private readonly string _folder;
    private readonly string[] _training;
    private readonly string[] _heldOut;

    private FastTextBenchmark(string[] args, string folder)
    {
        _rounds = Options.Number(args, "--rounds", 5);
        _copies = Options.Number(args, "--copies", 20);
        _only = Options.Value(args, "--only") ?? "";
        _data = Path.Combine(Options.Value(args, "--data") ?? Repository.Data, "languages", "tldr.jsonl.gz");
        _folder = folder;
        var documents = new JsonLinesReader { Paths = [_data] }.Read(new()).ToLookup(IsHeldOut, Line);
        (_training, _heldOut) = ([.. documents[false]], [.. documents[true]]);
        File.WriteAllLines(Place("train"), _training);
        File.WriteAllLines(Place("heldout"), _heldOut);
    }

    public static void Run(string[] args)
    {
        var folder = Directory.CreateTempSubdirectory();
        try
        {
            var benchmark = new FastTextBenchmark(args, folder.FullName);
            foreach (var loss in (FastTextLoss[])[FastTextLoss.Softmax, FastTextLoss.HierarchicalSoftmax])
            {
                foreach (int threads in (int[])[1, 2]) benchmark.Train(loss, threads);
                benchmark.Predict(loss);
            }
            benchmark.LanguageModel();
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private void Train(FastTextLoss loss, int threads)
    {
        if (!"train".Contains(_only, StringComparison.Ordinal)) return;
        List<double> ours = [], peer = [];
        double work = (double)_training.Length * Epochs, ourPrecision = 0, peerPrecision = 0;
        for (int round = 0; round < _rounds; round++)
        {
            FastTextModel? model = null;
            ours.Add(work / Measurement.Seconds(() => model = TrainOurs(loss, threads).Model));
            ourPrecision = Precision(model!);
            if (!HasPeer) continue;
            peer.Add(work / Measurement.Seconds(() => Command(
                "supervised", "-input", Place("train"), "-output", Place("peer"), "-loss",
                loss == FastTextLoss.Softmax ? "softmax" : "hs",
                "-minn", "2", "-maxn", "4", "-dim", "16", "-epoch", $"{Epochs}", "-lr", "0.5", "-thread", $"{threads}",
                "-verbose", "0")));
            peerPrecision = Precision(FastTextModel.Load(Place("peer.bin")));
        }
        Measurement.Print($"train {loss}, with reading and saving", ours, peer, "examples/s", threads);
        Print(new() { ["case"] = $"train {loss} P@1", ["ours"] = ourPrecision, ["peer"] = peerPrecision, ["threads"] = threads });
    }

    private void Predict(FastTextLoss loss)
    {
        if (!"predict".Contains(_only, StringComparison.Ordinal)) return;
        var (trainer, model) = TrainOurs(loss, 1);
        trainer.Quantise(model, new() { QuantiseNorms = true, Cutoff = 50_000, RetrainEpochs = 5 }).Save(Place("ours.ftz"));
        string[] lines = [.. Enumerable.Repeat(_heldOut, _copies).SelectMany(copy => copy)];
        File.WriteAllLines(Place("many"), lines);
        File.WriteAllText(Place("one"), "x\n");
        double megabytes = lines.Sum(line => Encoding.UTF8.GetByteCount(line) + 1) / 1e6;
        foreach (string file in (string[])["ours.bin", "ours.ftz"])
        {
            var loaded = FastTextModel.Load(Place(file));
            List<double> ours = [], peer = [];
            for (int round = 0; round < _rounds; round++)
            {
                ours.Add(lines.Length / Measurement.Seconds(() => PredictOurs(loaded)));
                if (HasPeer)
                    peer.Add(lines.Length / (Measurement.Seconds(() => Command("predict-prob", Place(file), Place("many")))
                        - Measurement.Seconds(() => Command("predict-prob", Place(file), Place("one")))));
            }
            Measurement.Print($"predict {loss} {Path.GetExtension(file)}", ours, peer, "lines/s", 1);
            double scale = megabytes / lines.Length;
            Measurement.Print(
                $"predict {loss} {Path.GetExtension(file)}", [.. ours.Select(x => x * scale)], [.. peer.Select(x => x * scale)],
                "MB/s", 1);
        }
    }

    private void LanguageModel()
    {
        if (!"language".Contains(_only, StringComparison.Ordinal)) return;
        var report = LanguageModelRecipe.Test(LoadedModels.Language, [_data]);
        using var stream = new MemoryStream();
        LoadedModels.Language.Save(stream);
        Print(new()
        {
            ["case"] = "language model", ["bytes"] = stream.Length, ["labels"] = report.Languages.Count,
            ["held_out"] = report.HeldOutCount,
            ["P@1"] = Math.Round(report.Precision, 4),
            ["worst"] = string.Join(' ', report.Languages.Take(5).Select(row => $"{row.Label}:{row.Correct}/{row.Count}")),
        });
    }

    private (FastTextTrainer Trainer, FastTextModel Model) TrainOurs(FastTextLoss loss, int threads)
    {
        var trainer = new FastTextTrainer(new()
        {
            Loss = loss, MinN = 2, MaxN = 4, Dimension = 16, Epochs = Epochs, LearningRate = 0.5, Threads = threads,
        });
        trainer.AddFile(Place("train"));
        var model = trainer.Train();
        model.Save(Place("ours.bin"));
        return (trainer, model);
    }

    // Reads and prints as the peer does.
    private void PredictOurs(FastTextModel model)
    {
        using var output = new StreamWriter(Stream.Null);
        Span<FastTextPrediction> best = new FastTextPrediction[1];
        foreach (string line in File.ReadLines(Place("many")))
        {
            if (model.Predict(line, best) > 0)
            {
                output.Write(best[0].Label);
                output.Write(' ');
                output.Write(best[0].Probability);
            }
            output.WriteLine();
        }
    }

    private double Precision(FastTextModel model) => Math.Round(_heldOut.Average(line =>
    {
        int space = line.IndexOf(' ', StringComparison.Ordinal);
        return model.Predict(line.AsSpan(space)) is [{ } best, ..] && line.AsSpan(0, space).SequenceEqual(best.Label) ? 1.0 : 0;
    }), 4);

    private string Place(string name) => Path.Combine(_folder, name);

    private static bool IsHeldOut(Document document) =>
        XxHash64.Hash(Encoding.UTF8.GetBytes(document.Id[(document.Id.LastIndexOf('/') + 1)..])) % 3 == 0;

    private static string Line(Document document) =>
        $"__label__{(string?)document.Metadata["language"]} {document.Text.ReplaceLineEndings(" ")}";

    private static bool HasPeer { get; } = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator)
        .Any(folder => File.Exists(Path.Combine(folder, Peer)));

    private static void Command(params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(Peer, arguments) { RedirectStandardOutput = true })!;
        process.StandardOutput.BaseStream.CopyTo(Stream.Null);
        process.WaitForExit();
        if (process.ExitCode != 0) throw new InvalidOperationException($"{Peer} {arguments[0]} failed.");
    }

    private static void Print(Dictionary<string, object?> fields) => Console.WriteLine(JsonSerializer.Serialize(fields));
}
