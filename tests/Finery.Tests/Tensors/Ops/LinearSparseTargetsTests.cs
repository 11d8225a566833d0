using Finery.Tensors;
using Xunit;

namespace Finery.Tests.Tensors.Ops;

public class LinearSparseTargetsTests : OpTest
{
    private Tensor Identity(int size)
    {
        var identity = Zeros(size, size);
        for (int i = 0; i < size; i++) identity[i * size + i] = 1;
        return identity;
    }

    private Tensor Ids(int columns, params ReadOnlySpan<int> values)
    {
        var ids = Arena.Integers("ids", values.Length / columns, columns);
        values.CopyTo(ids.Integers);
        return ids;
    }

    private sealed record Outputs(Tensor Losses, Tensor Divergences, Tensor Logs, Tensor Dx, Tensor DWeight)
    {
        public Tensor? LogSums { get; init; }
    }

    private Outputs Run(
        Kernels kernels, Tensor x, Tensor weight, Tensor targets, Tensor hard, Tensor ids, Tensor p, Tensor soft, SparseTargetOptions options,
        bool gradients = true)
    {
        int N = x.Rows, K = ids.Columns;
        var outputs = new Outputs(Poisoned(N), Poisoned(N), Poisoned(N, K), Poisoned(N, x.Columns), Zeros(weight.Rows, weight.Columns))
        {
            LogSums = Poisoned(N),
        };
        kernels.LinearSparseTargets(
            x, weight, targets, hard, ids, p, soft, options, outputs.Losses, outputs.Divergences, outputs.Logs,
            gradients ? outputs.Dx : null, gradients ? outputs.DWeight : null, outputs.LogSums);
        return outputs;
    }

    private static float[] Softmax(float[] logits, double tau)
    {
        double[] e = [.. logits.Select(logit => Math.Exp(logit / tau))];
        return [.. e.Select(value => (float)(value / e.Sum()))];
    }

    // Pretraining reference 11, case 21: with all tokens listed the divergence is the full one.
    [Theory, MemberData(nameof(AllKernels))]
    public void All_tokens_listed_give_the_golden_divergence(string name)
    {
        foreach (var (tau, remainder, loss, gradient) in ((float, bool, double, double[])[])
        [
            (1, false, .416965901, [-.391172337, .029340148, .361832189]),
            (1, true, .416965901, [-.391172337, .029340148, .361832189]),
            (2, false, .489190654, [-.403952097, -.005383087, .409335184]),
        ])
        {
            var result = Run(
                Create(name), Matrix([1, 1, 1.5f]), Identity(3), Integers(-1), Matrix([1]), Ids(3, 2, 0, 1),
                Matrix((float[])[.. new[] { 2, 0, 1 }.Select(i => Softmax([2, 1, 0], tau)[i])]), Matrix([1]), new(tau, remainder));
            Assert.Equal(loss, result.Divergences[0], 5e-7);
            Assert.Equal(0, result.Losses[0]);
            for (int i = 0; i < 3; i++) Assert.Equal(gradient[i], result.Dx[i], 5e-7);
        }
    }

    [Theory, MemberData(nameof(AllKernels))]
    public void A_bucket_holds_what_is_left_over(string name)
    {
        // p = [.6, .1 + .3], q = [.25, .25 + .5].
        float[] z = [0, 0, MathF.Log(2)];
        var result = Run(
            Create(name), Matrix(z), Identity(3), Integers(-1), Matrix([1]), Ids(2, 0, -1), Matrix([.6f, 9]), Matrix([1]), new(1, Remainder: true));
        Assert.Equal(.6 * Math.Log(.6 / .25) + .4 * Math.Log(.4 / .75), result.Divergences[0], 1e-6);
        double factor = 1 - .4 / .75;
        AssertClose([.25f - .6f, (float)(.25 * factor), (float)(.5 * factor)], result.Dx.Floats, 1e-6);
        AssertClose([MathF.Log(.25f), 0], result.Logs.Floats, 1e-6);
    }

    [Theory, MemberData(nameof(AllKernels))]
    public void A_student_that_agrees_has_no_divergence_and_no_gradient(string name)
    {
        float[] z = [1, -2, .5f, 3];
        float[] p = Softmax(z, 1);
        foreach (bool remainder in (bool[])[false, true])
        {
            var ids = remainder ? Ids(2, 3, 0) : Ids(4, 3, 0, 1, 2);
            var targets = Matrix((float[])[.. ids.Integers.ToArray().Select(id => p[id])]);
            var result = Run(Create(name), Matrix(z), Identity(4), Integers(-1), Matrix([1]), ids, targets, Matrix([1]), new(1, remainder));
            Assert.Equal(0, result.Divergences[0], 1e-6);
            AssertClose(new float[4], result.Dx.Floats, 1e-6);
        }
    }

    [Theory]
    [InlineData(1, false, 0, 0)]
    [InlineData(1, true, 0, 0)]
    [InlineData(2.5f, false, 0, 0)]
    [InlineData(1, false, .01f, 0)]
    [InlineData(1, true, .01f, 3)]
    [InlineData(.5f, false, .01f, 3)]
    public void Gradients_are_exact(float tau, bool remainder, float zLoss, float softcap) => AssertGradients(kernels =>
    {
        const int N = 4, D = 5, V = 23, K = 3;
        var (x, weight, hard, soft) = (Normal(1, N, D), Normal(2, V, D), Normal(3, 1, N), Normal(4, 1, N));
        var (ids, p) = (Ids(K, 3, 7, 22, 0, 1, -1, 5, 6, 7, -1, -1, 9), Normal(5, .03f, N, K));
        for (int i = 0; i < p.Length; i++) p[i] += .2;
        var (targets, losses, divergences, logs) = (Integers(3, -1, 0, 22), Poisoned(N), Poisoned(N), Poisoned(N, K));
        var (both, ones, dx, dWeight) = (Poisoned(N), Zeros(1, N), Poisoned(N, D), Zeros(V, D));
        for (int i = 0; i < N; i++) ones[i] = 1;
        var options = new SparseTargetOptions(tau, remainder) { Head = new(zLoss, softcap) };
        kernels.LinearSparseTargets(x, weight, targets, hard, ids, p, soft, options, losses, divergences, logs, dx, dWeight);
        return new(
            () =>
            {
                kernels.LinearSparseTargets(x, weight, targets, hard, ids, p, soft, options, losses, divergences, logs, null, null);
                for (int i = 0; i < N; i++) both[i] = hard[i] * losses[i] + soft[i] * divergences[i];
            },
            both, ones, (x, dx), (weight, dWeight));
    });

    [Theory]
    [InlineData(1, 1, 1, 1)]
    [InlineData(37, 24, 131, 5)]
    [InlineData(601, 5, 67, 3)] // Two chunks.
    [InlineData(20, 3, 9001, 40)]
    public void Cpu_matches_reference_with_the_same_bits_on_any_threads(int N, int D, int V, int K)
    {
        var random = new Random(3);
        var (x, weight, hard, soft, p) = (Normal(1, N, D), Normal(2, V, D), Normal(3, .1f, 1, N), Normal(4, .1f, 1, N), Zeros(N, K));
        var targets = Integers([.. Enumerable.Range(0, N).Select(i => i % 3 == 2 ? -1 : random.Next(V))]);
        var ids = Arena.Integers("ids", N, K);
        for (int i = 0; i < N; i++)
        {
            if (i % 5 == 2) soft[i] = 0;
            int[] listed = [.. Enumerable.Range(0, V)];
            random.Shuffle(listed);
            for (int k = 0; k < K; k++)
            {
                ids.Integers[i * K + k] = k < V && (k + i) % 4 != 3 ? listed[k] : -1;
                p[i * K + k] = random.NextDouble() / K;
            }
        }
        foreach (var options in (SparseTargetOptions[])[new(1), new(1, true), new(2), new(1, true) { Head = new(.001f, 5) }, new(3) { Head = new(0, 5) }])
        {
            var expected = Run(Create("reference"), x, weight, targets, hard, ids, p, soft, options);
            var one = Run(Create("cpu1"), x, weight, targets, hard, ids, p, soft, options);
            foreach (var (e, a) in Pairs(expected, one)) AssertClose(e, a, 5e-6, $"{options} {e.Name}");
            foreach (string name in (string[])["cpu2", "cpu3"])
            {
                foreach (var (e, a) in Pairs(one, Run(Create(name), x, weight, targets, hard, ids, p, soft, options))) AssertSameBits(e, a);
            }
            var alone = Run(Create("cpu1"), x, weight, targets, hard, ids, p, soft, options, gradients: false);
            AssertClose(one.Losses, alone.Losses, 1e-6);
            AssertClose(one.Divergences, alone.Divergences, 1e-6);
        }
    }

    // Pretraining reference 11, case 9.
    [Theory, MemberData(nameof(AllKernels))]
    public void Chunks_of_any_size_agree(string name)
    {
        const int N = 37, D = 6, V = 41, K = 3;
        var (x, weight, hard, soft, p) = (Normal(1, N, D), Normal(2, V, D), Normal(3, N, 1), Normal(4, N, 1), Normal(5, .05f, N, K));
        var (targets, ids) = (Arena.Integers("targets", N, 1), Arena.Integers("ids", N, K));
        for (int i = 0; i < N; i++) targets.Integers[i] = i % 5 == 0 ? -1 : i;
        for (int i = 0; i < N * K; i++) (ids.Integers[i], p[i]) = (i * 7 % V, p[i] + .2);
        Outputs InChunks(int size)
        {
            var outputs = new Outputs(Poisoned(N, 1), Poisoned(N, 1), Poisoned(N, K), Poisoned(N, D), Zeros(V, D));
            var kernels = Create(name);
            for (int i = 0; i < N; i += size)
            {
                int count = Math.Min(size, N - i);
                Tensor Part(Tensor tensor) => tensor.Slice(i, count);
                kernels.LinearSparseTargets(
                    Part(x), weight, Part(targets), Part(hard), Part(ids), Part(p), Part(soft), new(1, true),
                    Part(outputs.Losses), Part(outputs.Divergences), Part(outputs.Logs), Part(outputs.Dx), outputs.DWeight);
            }
            return outputs;
        }
        var whole = InChunks(N);
        foreach (int size in (int[])[1, 7])
        {
            foreach (var (e, a) in Pairs(whole, InChunks(size))) AssertClose(e, a, 1e-6);
        }
    }

    [Fact]
    public void Scratch_memory_does_not_grow_with_the_rows()
    {
        const int V = 300, D = 4;
        long Scratch(int N)
        {
            var kernels = Create("cpu1");
            Run(kernels, Normal(1, N, D), Normal(2, V, D), Integers(new int[N]), Zeros(N), Arena.Integers("ids", N, 2), Zeros(N, 2), Zeros(N), new(1));
            return kernels.ScratchBytes;
        }
        Assert.Equal(Scratch(1100), Scratch(2300));
    }

    [Fact]
    public void Narrow_activations_and_weights_come_near_the_reference_with_the_same_bits_on_any_threads()
    {
        const int N = 70, D = 24, V = 131;
        Tensor Narrow(Tensor values)
        {
            var narrow = Arena.Allocate("narrow", DType.BF16, values.Shape);
            for (int i = 0; i < values.Length; i++) narrow[i] = values[i];
            return narrow;
        }
        var (x, weight, hard, soft, p) = (Narrow(Normal(1, N, D)), Narrow(Normal(2, V, D)), Normal(3, 1, N), Normal(4, 1, N), Zeros(N, 2));
        var (targets, ids) = (Integers([.. Enumerable.Range(0, N).Select(i => i % 4 - 1)]), Arena.Integers("ids", N, 2));
        for (int i = 0; i < 2 * N; i++) (ids.Integers[i], p[i]) = (i % V, .3);
        Outputs Run(string name)
        {
            var outputs = new Outputs(Poisoned(N), Poisoned(N), Poisoned(N, 2), Narrow(Poisoned(N, D)), Zeros(V, D));
            Create(name).LinearSparseTargets(
                x, weight, targets, hard, ids, p, soft, new(1, true), outputs.Losses, outputs.Divergences, outputs.Logs, outputs.Dx, outputs.DWeight);
            return outputs;
        }
        var (expected, one, two) = (Run("reference"), Run("cpu1"), Run("cpu2"));
        foreach (var (e, a) in Pairs(expected, one))
        {
            for (int i = 0; i < e.Length; i++) Assert.Equal(e[i], a[i], .02 + .02 * Math.Abs(e[i]));
        }
        foreach (var (e, a) in Pairs(one, two)) AssertSameBits(e, a);
    }

    private static IEnumerable<(Tensor, Tensor)> Pairs(Outputs a, Outputs b) =>
    [
        (a.Losses, b.Losses), (a.Divergences, b.Divergences), (a.Logs, b.Logs), (a.Dx, b.Dx), (a.DWeight, b.DWeight),
        .. a.LogSums is null || b.LogSums is null ? Array.Empty<(Tensor, Tensor)>() : [(a.LogSums, b.LogSums)],
    ];

    [Theory, MemberData(nameof(AllKernels))]
    public void Without_soft_weights_it_is_the_cross_entropy_to_the_bit(string name)
    {
        const int N = 37, D = 24, V = 131;
        var kernels = Create(name);
        var (x, weight, hard) = (Normal(1, N, D), Normal(2, V, D), Normal(3, .1f, 1, N));
        var targets = Integers([.. Enumerable.Range(0, N).Select(i => i % 3 == 2 ? -1 : i * 7 % V)]);
        foreach (var head in (CrossEntropyOptions[])[default, new(.001f, 5)])
        {
            var sparse = Run(kernels, x, weight, targets, hard, Arena.Integers("ids", N, 2), Zeros(N, 2), Zeros(N), new(2) { Head = head });
            var (losses, dx, dWeight) = (Poisoned(N), Poisoned(N, D), Zeros(V, D));
            kernels.LinearCrossEntropyForwardBackward(x, weight, targets, hard, losses, dx, dWeight, head);
            AssertSameBits(losses, sparse.Losses);
            AssertSameBits(dx, sparse.Dx);
            AssertSameBits(dWeight, sparse.DWeight);
            Assert.All(sparse.Divergences.Floats.ToArray(), value => Assert.Equal(0, value));
        }
    }

    [Theory, MemberData(nameof(AllKernels))]
    public void A_student_certain_of_the_listed_tokens_stays_finite(string name)
    {
        var result = Run(
            Create(name), Matrix([300, 0, 0]), Identity(3), Integers(0), Matrix([1]), Ids(1, 0), Matrix([.5f]), Matrix([1]), new(1, Remainder: true));
        Assert.True(float.IsFinite(result.Divergences.Floats[0]) || name == "reference");
        if (name != "reference") Assert.All(result.Dx.Floats.ToArray(), value => Assert.True(float.IsFinite(value)));
    }

    [Fact]
    public void Allocates_nothing()
    {
        var kernels = Create("cpu2");
        var (x, weight, ids, p) = (Normal(1, 20, 8), Normal(2, 90, 8), Arena.Integers("ids", 20, 3), Normal(3, 20, 3));
        var (ones, losses, divergences, logs, dx, dWeight) = (Normal(4, 1, 20), Zeros(20), Zeros(20), Zeros(20, 3), Zeros(20, 8), Zeros(90, 8));
        var targets = Integers(new int[20]);
        foreach (var options in (SparseTargetOptions[])[new(1), new(2)])
        {
            AssertAllocatesNothing(() => kernels.LinearSparseTargets(
                x, weight, targets, ones, ids, p, ones, options, losses, divergences, logs, dx, dWeight));
        }
    }

    [Fact]
    public void Wrong_options_are_named()
    {
        var kernels = Create("cpu1");
        void Run(SparseTargetOptions options) => this.Run(
            kernels, Zeros(1, 2), Zeros(5, 2), Integers(0), Zeros(1), Ids(1, 0), Zeros(1, 1), Zeros(1), options);
        Assert.Throws<ArgumentOutOfRangeException>(() => Run(default));
        Assert.Throws<ArgumentOutOfRangeException>(() => Run(new(float.NaN)));
        Assert.Contains("bucket", Assert.Throws<ArgumentException>(() => Run(new(2, Remainder: true))).Message, StringComparison.Ordinal);
    }
}
