using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Finery.Models;
using Finery.Tensors;
using Finery.Training;
using Finery.Training.Monitoring;

namespace Finery.Benchmarks;

/// <summary>
/// What watching a run costs: two runs that differ in nothing else take turns, as many steps each as lie between two measurements, and
/// the ratio of their times is taken turn by turn: <c>monitoring [--threads 2] [--rounds 15]</c>. One JSON line a model.
/// </summary>
internal static class MonitoringBenchmark
{
    /// <summary>Quickstart's model, that of most claims, and the larger one of the training comparison.</summary>
    private static readonly (string Name, ModelConfig Config, int Rows)[] s_models =
    [
        ("0.35 M, 1,024 tokens", Shape(2, 64), 4),
        ("1.3 M, 2,048 tokens", Shape(4, 128), 8),
        ("6 M, 4,096 tokens", TrainingStep.Models["nano"].Config, TrainingStep.Models["nano"].Rows),
    ];

    public static void Run(string[] args)
    {
        int Option(string name, int fallback) => Array.IndexOf(args, name) is >= 0 and var index && index + 1 < args.Length
            ? int.Parse(args[index + 1], CultureInfo.InvariantCulture) : fallback;
        var monitoring = new MonitoringSettings();
        using var kernels = new CpuKernels(Option("--threads", Environment.ProcessorCount));
        foreach (var (name, config, rows) in s_models)
        {
            using var plain = TrainingStep.Run(config, rows, kernels).GetEnumerator();
            using var watched = TrainingStep.Run(config, rows, kernels, monitoring: monitoring).GetEnumerator();
            List<double> ratios = [], plains = [];
            Seconds(plain, monitoring.EverySteps);
            Seconds(watched, monitoring.EverySteps);
            for (int round = 0; round < Option("--rounds", 15); round++)
            {
                // Whoever goes first has the cooler processor.
                bool first = round % 2 == 0;
                double before = first ? Seconds(plain, monitoring.EverySteps) : 0, with = Seconds(watched, monitoring.EverySteps);
                plains.Add(first ? before : Seconds(plain, monitoring.EverySteps));
                ratios.Add(with / plains[^1]);
            }
            Console.WriteLine(JsonSerializer.Serialize(new
            {
                model = name, every = monitoring.EverySteps, threads = kernels.Threads, rounds = ratios.Count,
                milliseconds_per_step = Math.Round(1000 * Median(plains) / monitoring.EverySteps, 2),
                cost_percent = Math.Round(100 * (Median(ratios) - 1), 2),
            }));
        }
    }

    private static ModelConfig Shape(int layers, int width) => new()
    {
        EmbeddingSize = width, LayerCount = layers, HeadCount = width / 32, KvHeadCount = width / 64, HeadSize = 32,
        FeedForwardSize = width * 11 / 4, VocabSize = 4096, SequenceLength = 256,
    };

    private static double Seconds(IEnumerator<StepMetrics> run, int steps)
    {
        long start = Stopwatch.GetTimestamp();
        for (int i = 0; i < steps; i++) run.MoveNext();
        return Stopwatch.GetElapsedTime(start).TotalSeconds;
    }

    private static double Median(IEnumerable<double> values) => values.Order().ElementAt(values.Count() / 2);
}
