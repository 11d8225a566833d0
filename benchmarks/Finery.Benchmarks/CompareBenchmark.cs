using Finery.Tensors;

namespace Finery.Benchmarks;

/// <summary>
/// Everything against its peer, turn by turn in one run: <c>compare [--only TEXT] [--threads 1,2] [--pytorch SCRIPT]</c>. One JSON line
/// a case; a peer that is not installed is null. SCRIPT trains the peer's models: <c>SCRIPT nano|smol THREADS STEPS</c> prints tokens/s=.
/// </summary>
internal static class CompareBenchmark
{
    public static void Run(Options options)
    {
        bool Wanted(string name) => name.Contains(options.Only, StringComparison.Ordinal) || options.Only.StartsWith(name, StringComparison.Ordinal);
        if (Wanted("gemm ") || options.Only == "gemm") GemmBenchmark.Run(options, GemmBenchmark.Shapes);
        if (Wanted("gemm-bf16")) GemmBenchmark.RunBFloat16(options);
        foreach (int threads in options.Threads) OpComparison.Bandwidth(threads, options.Only);

        string[] names = ["attention-nano", "attention-smol", "train-nano", "train-smol", "train-nano-bf16"];
        if (names.Any(Wanted))
        {
            var peer = PyTorch.Find();
            if (peer is null) Console.Error.WriteLine("PyTorch is not installed (Debian: python3-torch): no peer.");
            else if (options.PyTorchStep is null) Console.Error.WriteLine("Without --pytorch SCRIPT training has no peer.");
            foreach (int threads in options.Threads)
            {
                foreach (string name in TrainingStep.Models.Keys)
                {
                    if (Wanted($"attention-{name}")) OpComparison.Attention(name, threads, peer);
                    if (Wanted($"train-{name}") && options.Only != $"train-{name}-bf16")
                        TrainingComparison.Run(name, DType.F32, threads, peer, options.PyTorchStep);
                }
                if (Wanted("train-nano-bf16")) TrainingComparison.Run("nano", DType.BF16, threads, peer, options.PyTorchStep);
            }
        }
        foreach (int threads in options.Threads.Where(threads => threads > 1 && Wanted("threads-nano")))
            TrainingComparison.Threads("nano", threads);
    }
}
