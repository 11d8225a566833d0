using Finery.Tensors;

namespace Finery.Benchmarks;

/// <summary>The three products of a linear layer against OpenBLAS, in GFLOP/s.</summary>
internal static class GemmBenchmark
{
    // Tokens, inputs, outputs: squares and the shapes of 2B and 135M models first, then those of a quickstart model, and its decoding.
    private static readonly (int Tokens, int Inputs, int Outputs)[] Shapes =
    [
        (1536, 1536, 1536), (2040, 2048, 2048), (1020, 576, 4096),
        (4096, 128, 384), (4096, 256, 768), (4096, 384, 1024), (4096, 384, 384), (4096, 1024, 384), (4096, 512, 1408),
        (512, 384, 4096), (1, 384, 4096), (1, 1024, 384), (8, 384, 4096),
    ];

    public static void Run(Options options)
    {
        var peer = OpenBlas.Load();
        if (peer is null) Console.Error.WriteLine("OpenBLAS is not installed (Debian: libopenblas0-pthread): no peer.");
        foreach (int threads in options.Threads)
        {
            peer?.SetThreads(threads);
            foreach (var shape in Shapes) Measure(shape.Tokens, shape.Inputs, shape.Outputs, threads, peer, options.Only);
        }
    }

    private static void Measure(int tokens, int inputs, int outputs, int threads, OpenBlas? peer, string only)
    {
        using var kernels = new CpuKernels(threads);
        using var arena = new Arena("gemm");
        var (x, weight, y) = (Filled(arena, tokens, inputs), Filled(arena, outputs, inputs), Filled(arena, tokens, outputs));
        var (dx, dWeight) = (Filled(arena, tokens, inputs), Filled(arena, outputs, inputs));
        double work = 2e-9 * tokens * inputs * outputs;
        void Case(string product, Action ours, Action theirs)
        {
            string name = $"{product} {tokens}x{inputs}x{outputs}";
            if (name.Contains(only, StringComparison.Ordinal))
                Measurement.Report(name, work, "GFLOP/s", threads, ours, peer is null ? null : theirs);
        }

        Case("forward", () => kernels.LinearForward(x, weight, y),
            () => peer!.Multiply(false, true, tokens, outputs, inputs, x.Floats, weight.Floats, 0, y.Floats));
        if (tokens <= 16) return;
        Case("dx", () => kernels.LinearBackward(y, x, weight, dx, null),
            () => peer!.Multiply(false, false, tokens, inputs, outputs, y.Floats, weight.Floats, 0, dx.Floats));
        Case("dWeight", () => kernels.LinearBackward(y, x, weight, null, dWeight),
            () => peer!.Multiply(true, false, outputs, inputs, tokens, y.Floats, x.Floats, 1, dWeight.Floats));
    }

    private static Tensor Filled(Arena arena, int rows, int columns)
    {
        var tensor = arena.Floats("matrix", rows, columns);
        var random = new Random(rows + columns);
        foreach (ref float value in tensor.Floats) value = random.NextSingle() * 2e-3f - 1e-3f;
        return tensor;
    }
}
