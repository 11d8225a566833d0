using Finery.Tensors;

namespace Finery.Benchmarks;

/// <summary>The three products of a linear layer, in GFLOP/s: in F32 against OpenBLAS, in BF16 against oneDNN.</summary>
internal static class GemmBenchmark
{
    /// <summary>Tokens, inputs, outputs: large squares, the layers of a 2B model, and all layers of the smol and nano models.</summary>
    public static readonly (int Tokens, int Inputs, int Outputs)[] Shapes =
    [
        (1536, 1536, 1536), (2040, 2048, 2048), (1020, 576, 4096),
        (1024, 576, 960), (1024, 576, 576), (1024, 576, 3072), (1024, 1536, 576), (512, 576, 49152),
        (4096, 256, 512), (4096, 256, 256), (4096, 256, 1536), (4096, 768, 256), (512, 256, 8192),
    ];

    /// <summary>Decoding: one token, and a few together.</summary>
    public static readonly (int Tokens, int Inputs, int Outputs)[] Decoding = [(1, 576, 3072), (1, 576, 49152), (8, 576, 3072)];

    public static void Run(Options options, IEnumerable<(int Tokens, int Inputs, int Outputs)> shapes)
    {
        var peer = OpenBlas.Load();
        if (peer is null) Console.Error.WriteLine("OpenBLAS is not installed (Debian: libopenblas0-pthread): no peer.");
        foreach (int threads in options.Threads)
        {
            peer?.SetThreads(threads);
            foreach (var (tokens, inputs, outputs) in shapes) Measure(tokens, inputs, outputs, threads, peer, options.Only);
        }
    }

    public static void RunBFloat16(Options options)
    {
        using var peer = OneDnn.Load(out string? reason);
        if (peer is null) Console.Error.WriteLine($"{reason}: no peer.");
        if (NativeProducts.Bf16UnsupportedReason is { } missing) Console.Error.WriteLine($"{missing}: operands are widened.");
        foreach (int threads in options.Threads)
        {
            if (peer is not null) OneDnn.SetThreads(threads);
            foreach (var (tokens, inputs, outputs) in Shapes) MeasureBFloat16(tokens, inputs, outputs, threads, peer, options.Only);
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
            string name = $"gemm {product} {tokens}x{inputs}x{outputs}";
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

    private static void MeasureBFloat16(int tokens, int inputs, int outputs, int threads, OneDnn? peer, string only)
    {
        string name = $"gemm-bf16 forward {tokens}x{inputs}x{outputs}";
        if (!name.Contains(only, StringComparison.Ordinal)) return;
        using var kernels = new CpuKernels(threads);
        using var arena = new Arena("gemm-bf16");
        var (x, weight) = (Filled(arena, tokens, inputs, DType.BF16), Filled(arena, outputs, inputs, DType.BF16));
        var y = Filled(arena, tokens, outputs, DType.BF16);
        Action? theirs = peer is null ? null : () => peer.Multiply(tokens, outputs, inputs, Operand(x), Operand(weight).Transposed, Operand(y), add: false);
        try
        {
            theirs?.Invoke();
        }
        catch (PlatformNotSupportedException exception)
        {
            Console.Error.WriteLine($"{exception.Message}: no peer.");
            theirs = null;
        }
        Measurement.Report(name, 2e-9 * tokens * inputs * outputs, "GFLOP/s", threads, () => kernels.LinearForward(x, weight, y), theirs);
    }

    private static unsafe StridedMatrix Operand(Tensor tensor) => new(tensor.Pointer, tensor.Type, tensor.Columns, 1);

    private static Tensor Filled(Arena arena, int rows, int columns, DType type = DType.F32)
    {
        var tensor = arena.Allocate("matrix", type, rows, columns);
        var random = new Random(rows + columns);
        for (long i = 0; i < tensor.Length; i++) tensor[i] = random.NextSingle() * 2e-3f - 1e-3f;
        return tensor;
    }
}
