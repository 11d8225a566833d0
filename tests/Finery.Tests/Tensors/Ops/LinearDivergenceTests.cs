using Finery.Tensors;
using Xunit;

namespace Finery.Tests.Tensors.Ops;

public class LinearDivergenceTests : OpTest
{
    private Tensor Identity(int size)
    {
        var identity = Zeros(size, size);
        for (int i = 0; i < size; i++) identity[i * size + i] = 1;
        return identity;
    }

    public static TheoryData<string, Divergence, float, double, double[]?> Golden()
    {
        var data = new TheoryData<string, Divergence, float, double, double[]?>();
        foreach (string name in (string[])["reference", "cpu1", "cpu2"])
        {
            data.Add(name, Divergence.Forward, 1, .416965901, [-.391172337, .029340148, .361832189]);
            data.Add(name, Divergence.Reverse, 1, .516954719, null);
            data.Add(name, Divergence.JensenShannon, 1, .108365450, null);
            data.Add(name, Divergence.Forward, 2, .489190654, [-.403952097, -.005383087, .409335184]);
            data.Add(name, Divergence.Reverse, 2, .528764219, null);
        }
        return data;
    }

    [Theory, MemberData(nameof(Golden))]
    public void Golden_values(string name, Divergence kind, float temperature, double loss, double[]? gradient)
    {
        // Identities as heads make the inputs the logits.
        var (losses, dx) = (Poisoned(1), Poisoned(1, 3));
        Create(name).LinearDivergence(
            Matrix([1, 1, 1.5f]), Identity(3), Matrix([2, 1, 0]), Identity(3), Matrix([1]), new(kind, temperature), losses, dx, null);
        Assert.Equal(loss, losses[0], 5e-7);
        for (int i = 0; i < 3 && gradient is not null; i++) Assert.Equal(gradient[i], dx[i], 5e-7);
    }

    [Theory, MemberData(nameof(AllKernels))]
    public void Equal_logits_have_no_divergence_and_no_gradient(string name)
    {
        foreach (var kind in Enum.GetValues<Divergence>())
        {
            var (x, weight, losses, dx, dWeight) = (Normal(1, 3, 5), Normal(2, 41, 5), Poisoned(3), Poisoned(3, 5), Zeros(41, 5));
            Create(name).LinearDivergence(x, weight, x, weight, Matrix([1, 2, 3]), new(kind, 2), losses, dx, dWeight);
            AssertClose(new float[3], losses.Floats, 1e-12);
            AssertClose(new float[15], dx.Floats, 1e-7);
            AssertClose(new float[205], dWeight.Floats, 1e-7);
        }
    }

    [Theory]
    [InlineData(Divergence.Forward, 1, 4, 5, 23)]
    [InlineData(Divergence.Reverse, 1, 4, 5, 23)]
    [InlineData(Divergence.JensenShannon, 1, 4, 5, 23)]
    [InlineData(Divergence.Forward, 2.5f, 1, 3, 2)]
    [InlineData(Divergence.Reverse, .5f, 3, 2, 37)]
    [InlineData(Divergence.JensenShannon, 3, 2, 9, 16)]
    public void Gradients_are_exact(Divergence kind, float temperature, int N, int D, int V) => AssertGradients(kernels =>
    {
        var (x, weight, teacherX, teacherWeight) = (Normal(1, N, D), Normal(2, V, D), Normal(3, N, D + 2), Normal(4, V, D + 2));
        var (losses, dLosses, dx, dWeight) = (Poisoned(N), Normal(5, 1, N), Poisoned(N, D), Zeros(V, D));
        var options = new DivergenceOptions(kind, temperature);
        kernels.LinearDivergence(x, weight, teacherX, teacherWeight, dLosses, options, losses, dx, dWeight);
        return new(
            () => kernels.LinearDivergence(x, weight, teacherX, teacherWeight, dLosses, options, losses, null, null),
            losses, dLosses, (x, dx), (weight, dWeight));
    });

    [Theory]
    [InlineData(1, 1, 1, 1)]
    [InlineData(37, 24, 9, 131)]
    [InlineData(601, 5, 7, 67)] // Two chunks.
    [InlineData(60, 3, 2, 45007)] // Chunks cut short by the vocabulary.
    public void Cpu_matches_reference_with_the_same_bits_on_any_threads(int N, int D, int teacherD, int V)
    {
        var (x, weight, teacherX, teacherWeight) = (Normal(1, N, D), Normal(2, V, D), Normal(3, N, teacherD), Normal(4, V, teacherD));
        var tokenWeights = Normal(5, 1, N);
        for (int i = 2; i < N; i += 5) tokenWeights[i] = 0;
        foreach (var kind in Enum.GetValues<Divergence>())
        {
            if (V > 1000 && kind == Divergence.Reverse) continue;
            Tensor[] Run(string name)
            {
                var (losses, alone, dx, dWeight) = (Poisoned(N), Poisoned(N), Poisoned(N, D), Normal(6, .1f, V, D));
                var kernels = Create(name);
                kernels.LinearDivergence(x, weight, teacherX, teacherWeight, tokenWeights, new(kind, 1.5f), losses, dx, dWeight);
                kernels.LinearDivergence(x, weight, teacherX, teacherWeight, tokenWeights, new(kind, 1.5f), alone, null, null);
                AssertSameBits(losses, alone);
                return [losses, dx, dWeight];
            }
            var expected = Run("reference");
            var one = Run("cpu1");
            for (int i = 0; i < 3; i++) AssertClose(expected[i], one[i], 3e-6, $"{kind} {i}");
            foreach (var other in (Tensor[][])[Run("cpu2"), Run("cpu3")])
            {
                for (int i = 0; i < 3; i++) AssertSameBits(one[i], other[i]);
            }
            for (int i = 2; i < N; i += 5) Assert.Equal(0, one[0][i]);
        }
    }

    [Theory, MemberData(nameof(AllKernels))]
    public void A_student_learns_its_teacher_on_the_tape(string name)
    {
        var (kernels, ids, tokenWeights) = (Create(name), Integers(0, 1, 2), Matrix([1, 1, 1]));
        var (table, head, norm) = (Normal(1, 3, 6), Normal(2, 11, 6), Normal(3, 1, 6));
        var (teacher, teacherHead) = (Normal(4, 3, 4), Normal(5, 11, 4));
        head.Gradient = Zeros(11, 6);
        var tape = new Tape(kernels, Arena, gradients: true);
        var (_, x) = tape.RmsNorm(tape.Embedding(ids, table), null, norm, 1e-5f);
        var losses = tape.LinearDivergence(x, head, teacher, teacherHead, tokenWeights, new(Divergence.Forward));
        float Step()
        {
            tape.Forward();
            tape.Backward();
            for (int i = 0; i < head.Length; i++)
            {
                head[i] -= .2 * head.Gradient[i];
                head.Gradient[i] = 0;
            }
            return losses.Floats.ToArray().Sum();
        }
        float first = Step(), last = 0;
        for (int step = 0; step < 60; step++) last = Step();
        Assert.True(last < .2f * first, $"{first} came to {last}");
    }

    [Fact]
    public void Allocates_nothing()
    {
        var kernels = Create("cpu2");
        var (x, weight, teacherX, teacherWeight) = (Normal(1, 20, 8), Normal(2, 90, 8), Normal(3, 20, 6), Normal(4, 90, 6));
        var (tokenWeights, losses, dx, dWeight) = (Normal(5, 1, 20), Zeros(20), Zeros(20, 8), Zeros(90, 8));
        AssertAllocatesNothing(() => kernels.LinearDivergence(
            x, weight, teacherX, teacherWeight, tokenWeights, new(Divergence.Reverse), losses, dx, dWeight));
    }

    [Fact]
    public void Wrong_shapes_and_temperatures_are_named()
    {
        var kernels = Create("cpu1");
        void Run(Tensor teacherWeight, float temperature, Tensor? dx = null, Tensor? dWeight = null) => kernels.LinearDivergence(
            Zeros(3, 2), Zeros(5, 2), Zeros(3, 4), teacherWeight, Zeros(3), new(Divergence.Forward, temperature), Zeros(3), dx, dWeight);
        Assert.Contains("teacherWeight", Assert.Throws<ArgumentException>(() => Run(Zeros(6, 4), 1)).Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => Run(Zeros(5, 4), 1, null, Zeros(5, 2)));
        Assert.Throws<ArgumentOutOfRangeException>(() => Run(Zeros(5, 4), 0));
        Assert.Throws<ArgumentOutOfRangeException>(() => Run(Zeros(5, 4), float.NaN));
    }
}
