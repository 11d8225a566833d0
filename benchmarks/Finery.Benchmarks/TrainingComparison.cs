using Finery.Tensors;
using Finery.Training;
using Finery.Training.Scaling;

namespace Finery.Benchmarks;

/// <summary>Whole training steps against PyTorch's, turn by turn: <c>train-nano</c>, <c>train-smol</c>, their two threads against one, and
/// model FLOP/s against the machine's own matrix product.</summary>
internal static class TrainingComparison
{
    private const int StepsPerRound = 4, ThreadRounds = 6;

    /// <summary>Tokens/s of training and the share of the GEMM peak it reaches.</summary>
    /// <param name="name">nano or smol.</param>
    /// <param name="type">Of weights and activations.</param>
    /// <param name="threads">Of both.</param>
    /// <param name="peer">Null where PyTorch is missing.</param>
    /// <param name="script">The peer's training script.</param>
    public static void Run(string name, DType type, int threads, PyTorch? peer, string? script)
    {
        using var kernels = new CpuKernels(threads);
        using var steps = TrainingStep.Run(name, kernels, type).GetEnumerator();
        steps.MoveNext();
        List<double> rates = [], peerRates = [], peaks = [];
        // Minutes a round at the larger size.
        int rounds = name == "smol" ? 2 : 3;
        for (int round = 0; round < rounds; round++)
        {
            double? theirs = script is null ? null : peer?.TokensPerSecond(script, name, $"{threads}", $"{StepsPerRound}");
            if (theirs is { } rate) peerRates.Add(rate);
            rates.Add(Median(steps, StepsPerRound));
            peaks.Add(ThroughputProbe.PeakFlops(kernels, seconds: 2));
        }
        string kind = type == DType.BF16 ? $"train-{name}-bf16" : $"train-{name}";
        Measurement.Print(kind, rates, peerRates, "tokens/s", threads);
        double flops = TrainingStep.FlopsPerToken(TrainingStep.Models[name].Config) * 1e-9;
        Measurement.Print($"mfu-{kind["train-".Length..]}", [.. rates.Select(rate => rate * flops)], [.. peaks.Select(peak => peak * 1e-9)], "GFLOP/s", threads);
    }

    /// <summary>The same steps on several threads and on one.</summary>
    public static void Threads(string name, int threads)
    {
        using CpuKernels many = new(threads), one = new(1);
        using var ours = TrainingStep.Run(name, many, DType.F32).GetEnumerator();
        using var alone = TrainingStep.Run(name, one, DType.F32).GetEnumerator();
        ours.MoveNext();
        alone.MoveNext();
        List<double> rates = [], single = [];
        for (int round = 0; round < ThreadRounds; round++)
        {
            rates.Add(Median(ours, 2));
            single.Add(Median(alone, 2));
        }
        Measurement.Print($"threads-{name}", rates, single, "tokens/s", threads);
    }

    private static double Median(IEnumerator<StepMetrics> steps, int count)
    {
        var rates = new double[count];
        for (int i = 0; i < count; i++)
        {
            steps.MoveNext();
            rates[i] = steps.Current.TokensPerSecond;
        }
        return Measurement.Median(rates);
    }
}
