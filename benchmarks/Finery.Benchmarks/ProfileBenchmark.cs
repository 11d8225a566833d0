using System.Globalization;
using Finery.Tensors;
using Finery.Tensors.Profiling;

namespace Finery.Benchmarks;

/// <summary>Where the time of a training step goes: <c>profile nano|smol [--threads N] [--steps N]</c>.</summary>
internal static class ProfileBenchmark
{
    public static void Run(Options options)
    {
        foreach (string name in TrainingStep.Models.Keys.Where(name => name.Contains(options.Only, StringComparison.Ordinal)))
        {
            foreach (int threads in options.Threads)
            {
                using var kernels = new CpuKernels(threads);
                var profiler = new OpProfiler();
                List<double> rates = [];
                foreach (var step in TrainingStep.Run(name, kernels))
                {
                    rates.Add(step.TokensPerSecond);
                    kernels.Profiler = profiler;
                    if (rates.Count > 3) break;
                }
                var config = TrainingStep.Models[name].Config;
                double rate = Measurement.Median(rates);
                Console.WriteLine(string.Create(
                    CultureInfo.InvariantCulture,
                    $"{name}, {threads} threads: {rate:F0} tokens/s, {rate * TrainingStep.FlopsPerToken(config) * 1e-9:F1} GFLOP/s"));
                Console.WriteLine(profiler.Table());
            }
        }
    }
}
