using Finery.Tensors;

namespace Finery.Benchmarks;

/// <summary>Ops one by one on the shapes of the nano model: bandwidth against a copy of memory by as many threads, and attention
/// against PyTorch.</summary>
internal static class OpComparison
{
    // Tokens, width, feed-forward width.
    private const int N = 4096, D = 256, F = 768;

    public static void Bandwidth(int threads, string only)
    {
        using var kernels = new CpuKernels(threads);
        using var arena = new Arena("ops");
        Tensor Filled(params ReadOnlySpan<int> shape)
        {
            var tensor = arena.Floats("tensor", shape);
            var random = new Random(1);
            foreach (ref float value in tensor.Floats) value = random.NextSingle() - 0.5f;
            return tensor;
        }
        var (stream, branch, residual, y) = (Filled(N, D), Filled(N, D), Filled(N, D), Filled(N, D));
        var (gain, scale, dGain) = (Filled(1, D), Filled(N), Filled(1, D));
        var (gateUp, dGateUp, gated) = (Filled(N, 2 * F), Filled(N, 2 * F), Filled(N, F));
        var shape = new AttentionShape(8, 4, 32);
        var (qkv, positions) = (Filled(N, shape.QkvColumns), arena.Integers("positions", N));
        var (cos, sin) = (Filled(256, 16), Filled(256, 16));
        var (ids, table) = (arena.Integers("ids", N), Filled(8192, D));
        var (weight, gradient, first, second) = (Filled(2048, 2048), Filled(2048, 2048), Filled(2048, 2048), Filled(2048, 2048));
        second.Floats.Fill(1);
        for (int i = 0; i < N; i++) (positions.Integers[i], ids.Integers[i]) = (i % 256, i * 7919 % 8192);

        void Case(string op, double bytes, Action run)
        {
            if (!$"op-{op}".Contains(only, StringComparison.Ordinal)) return;
            // As much memory as the op moves, so that both find it in the same cache, or in none.
            var copy = new MemoryCopy((long)bytes / 2, threads);
            Measurement.Report($"op-{op}", bytes * 1e-9, "GB/s", threads, run, copy.Run);
        }

        Case("rmsnorm-forward", 4.0 * 4 * N * D, () => kernels.RmsNormForward(stream, branch, gain, 1e-5f, residual, scale, y));
        Case("rmsnorm-backward", 4.0 * 4 * N * D, () => kernels.RmsNormBackward(y, stream, scale, gain, residual, dGain, accumulate: true));
        Case("swiglu-forward", 4.0 * 3 * N * F, () => kernels.SwiGluForward(gateUp, gated));
        Case("swiglu-backward", 4.0 * 5 * N * F, () => kernels.SwiGluBackward(gated, gateUp, dGateUp));
        Case("rope", 4.0 * 2 * N * 12 * 32, () => kernels.Rope(qkv, positions, cos, sin, shape, inverse: false));
        Case("embedding-forward", 4.0 * 2 * N * D, () => kernels.EmbeddingForward(ids, table, y));
        Case("embedding-backward", 4.0 * 3 * N * D, () => kernels.EmbeddingBackward(ids, y, table));
        Case("adamw", 4.0 * 8 * weight.Length, () => kernels.AdamW(weight, gradient, first, second, new(1e-6f, .9f, .95f, 1e-8f, .1f, 10, 1)));
        Case("sum-of-squares", 4.0 * weight.Length, () => kernels.SumOfSquares(weight));
    }

    public static void Attention(string name, int threads, PyTorch? peer)
    {
        var (config, rows) = TrainingStep.Models[name];
        int tokens = rows * config.SequenceLength;
        using var kernels = new CpuKernels(threads);
        using var arena = new Arena("attention");
        var shape = config.Attention;
        Tensor qkv = arena.Floats("qkv", tokens, shape.QkvColumns), dQkv = arena.Floats("dQkv", tokens, shape.QkvColumns);
        Tensor output = arena.Floats("output", tokens, shape.OutputColumns), dOutput = arena.Floats("dOutput", tokens, shape.OutputColumns);
        Tensor logSumExp = arena.Floats("logSumExp", tokens, shape.HeadCount), maxLogit = arena.Floats("maxLogit", shape.HeadCount);
        var starts = arena.Integers("starts", tokens);
        for (int i = 0; i < tokens; i++) starts.Integers[i] = i - i % config.SequenceLength;
        var random = new Random(1);
        foreach (ref float value in qkv.Floats) value = random.NextSingle() - 0.5f;
        foreach (ref float value in dOutput.Floats) value = random.NextSingle() - 0.5f;
        string script = Path.Combine(AppContext.BaseDirectory, "pytorch_attention.py");
        List<double> rates = [], peerRates = [];
        for (int round = 0; round < 3; round++)
        {
            if (peer?.TokensPerSecond(script, name, $"{threads}", "10") is { } rate) peerRates.Add(rate);
            rates.Add(tokens / Measurement.MedianSeconds(12, () =>
            {
                kernels.AttentionForward(qkv, starts, shape, output, logSumExp, maxLogit);
                kernels.AttentionBackward(dOutput, qkv, output, logSumExp, starts, shape, dQkv);
            }));
        }
        Measurement.Print($"attention-{name}", rates, peerRates, "tokens/s", threads);
    }

    /// <summary>Copies memory, each thread its part.</summary>
    private sealed unsafe class MemoryCopy(long bytes, int threads)
    {
        private readonly byte[] _source = new byte[bytes], _destination = new byte[bytes];

        public void Run() => Parallel.For(0, threads, new ParallelOptions { MaxDegreeOfParallelism = threads }, part =>
        {
            long start = bytes * part / threads, end = bytes * (part + 1) / threads;
            fixed (byte* source = _source, destination = _destination)
                Buffer.MemoryCopy(source + start, destination + start, bytes - start, end - start);
        });
    }
}
