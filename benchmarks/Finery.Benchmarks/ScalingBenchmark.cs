using System.Globalization;
using System.Text.Json;
using Finery.Data.Batches;
using Finery.Data.Batches.Mixing;
using Finery.Models.Llama;
using Finery.Tensors;
using Finery.Training;
using Finery.Training.Losses;
using Finery.Training.Optimizers;
using Finery.Training.Scaling;
using Finery.Training.Schedules;

namespace Finery.Benchmarks;

/// <summary>
/// Trains a grid of small models on the token shards of a finished quickstart and fits the constants of the plan's scaling law:
/// <c>scaling RUN_FOLDER [--threads N] [--runs 64x2:1,128x4:1.2]</c> (width x depth : million tokens). One JSON line a run, then the law.
/// </summary>
internal static class ScalingBenchmark
{
    // The end of a run: its last tenth, as the report counts it.
    private const double Tail = 0.1;

    public static void Run(string[] args)
    {
        string folder = args.FirstOrDefault(arg => !arg.StartsWith('-')) ?? "runs/quickstart";
        int threads = Options.Number(args, "--threads", Environment.ProcessorCount);
        string[] runs = (Options.Value(args, "--runs") ?? "64x2:1,64x2:2.5,96x3:1,128x4:0.6,128x4:1.2").Split(',');
        using var shards = TokenShards.Open(Path.Combine(folder, "tokens", "tokens"));
        using var kernels = new CpuKernels(threads);
        var points = new List<ScalingPoint>();
        foreach (string run in runs)
        {
            double[] figures = [.. run.Split('x', ':').Select(figure => double.Parse(figure, CultureInfo.InvariantCulture))];
            var point = Train(kernels, shards, (int)figures[0], (int)figures[1], (long)(figures[2] * 1e6));
            points.Add(point);
            Console.WriteLine(JsonSerializer.Serialize(
                new { run, parameters = point.Parameters, tokens = point.Tokens, unique = point.UniqueTokens, loss = point.Loss }));
        }
        var law = ScalingFit.Constants(points, ScalingLaw.Refit);
        double error = Math.Sqrt(points.Average(p => Math.Pow(law.Loss(p.Parameters, p.Tokens, p.UniqueTokens) - p.Loss, 2)));
        Console.WriteLine(JsonSerializer.Serialize(new { law.E, law.A, law.Alpha, law.B, law.Beta, rms_error = error }));
    }

    private static ScalingPoint Train(Kernels kernels, TokenShards shards, int width, int depth, long tokens)
    {
        const int Length = 256;
        var config = ComputeOptimalPlan.Shapes(shards.Manifest.VocabSize, Length)
            .First(shape => shape.EmbeddingSize == width && shape.LayerCount == depth);
        double operations = tokens * config.TrainingFlopsPerToken(Length);
        int rows = ComputeOptimalPlan.RowsFor(operations, tokens, Length);
        long steps = tokens / (rows * Length), warmup = Math.Min(200, steps / 20);
        using var model = new LlamaModel(config, seed: 1, trainable: true);
        using var optimizer = new AdamW(model.Parameters, new AdamWOptimizerSettings());
        var schedule = new WarmupStableDecay
        {
            Peak = ComputeOptimalPlan.LearningRateFor(operations), WarmupSteps = warmup, DecaySteps = steps - warmup,
        };
        using var loop = new TrainingLoop(
            kernels, model, MixedBatches.Of(shards, Length, rows, seed: 1), new NextTokenLoss(), optimizer, schedule, new() { Steps = steps });
        double sum = 0;
        long count = 0;
        loop.OnStep = (in StepMetrics metrics, ReadOnlySpan<double> _) =>
        {
            if (metrics.Step < steps * (1 - Tail)) return;
            sum += metrics.Loss;
            count++;
        };
        loop.Run();
        return new(config.ParameterCount, steps * rows * Length, shards.TokenCount, sum / count);
    }
}
