using System.Text.Json;
using Finery.Models;
using Finery.Tensors;
using Finery.Training.Monitoring;

namespace Finery.Benchmarks;

/// <summary>
/// What watching a run costs: two runs that differ in nothing else take turns step by step. Medians of the steps without a measurement,
/// and of those with one, beside the median of the run that is not watched: <c>monitoring [--threads 2] [--rounds 15]</c>. One JSON line
/// a model.
/// </summary>
internal static class MonitoringBenchmark
{
    /// <summary>Quickstart's model, that of most claims, and the larger one of the training comparison.</summary>
    private static readonly (string Name, ModelConfig Config, int Rows)[] s_models =
    [
        ("0.35 M, 1,024 tokens", Shape(2, 64), 4),
        ("1.3 M, 2,048 tokens", Shape(4, 128), 8),
        ("6 M, 1,024 tokens", TrainingStep.Models["nano"].Config, 4),
    ];

    public static void Run(string[] args)
    {
        var monitoring = new MonitoringSettings();
        using var kernels = new CpuKernels(Options.Number(args, "--threads", Environment.ProcessorCount));
        int rounds = Options.Number(args, "--rounds", 15);
        foreach (var (name, config, rows) in s_models)
        {
            using var plain = TrainingStep.Run(config, rows, kernels).GetEnumerator();
            using var watched = TrainingStep.Run(config, rows, kernels, monitoring: monitoring).GetEnumerator();
            List<double> plains = [], ordinary = [], measured = [];
            for (int step = 1; step <= (rounds + 1) * monitoring.EverySteps; step++)
            {
                double before = Measurement.Seconds(() => plain.MoveNext()), with = Measurement.Seconds(() => watched.MoveNext());
                // The first round is the just-in-time compiler's.
                if (step <= monitoring.EverySteps) continue;
                plains.Add(before);
                // The first step was run when the run began, and every so many steps after it are measured.
                (step % monitoring.EverySteps == 0 ? measured : ordinary).Add(with);
            }
            double usual = Measurement.Median(plains), share = 1.0 / monitoring.EverySteps;
            Console.WriteLine(JsonSerializer.Serialize(new
            {
                model = name, every = monitoring.EverySteps, threads = kernels.Threads, rounds,
                step_milliseconds = Math.Round(1000 * usual, 2), measured_milliseconds = Math.Round(1000 * Measurement.Median(measured), 2),
                cost_percent = Math.Round(100 * ((1 - share) * Measurement.Median(ordinary) / usual + share * Measurement.Median(measured) / usual - 1), 2),
            }));
        }
    }

    private static ModelConfig Shape(int layers, int width) => new()
    {
        EmbeddingSize = width, LayerCount = layers, HeadCount = width / 32, KvHeadCount = width / 64, HeadSize = 32,
        FeedForwardSize = width * 11 / 4, VocabSize = 4096, SequenceLength = 256,
    };
}
