using Finery.Tensors;
using Xunit;

namespace Finery.Tests.Tensors.Ops;

public class EmbeddingTests : OpTest
{
    [Theory, MemberData(nameof(AllKernels))]
    public void Gathers_rows_and_scatters_gradients_onto_what_is_there(string name)
    {
        var kernels = Create(name);
        var ids = Integers(2, 0, 2);
        var output = Poisoned(3, 2);
        kernels.EmbeddingForward(ids, Matrix([1, 2], [3, 4], [5, 6]), output);
        Assert.Equal([5, 6, 1, 2, 5, 6], output.Floats.ToArray());
        var dTable = Matrix([1, 1], [1, 1], [1, 1]);
        kernels.EmbeddingBackward(ids, Matrix([10, 20], [30, 40], [50, 60]), dTable);
        Assert.Equal([31, 41, 1, 1, 61, 81], dTable.Floats.ToArray());
    }

    [Theory]
    [InlineData(1, 1, 1)]
    [InlineData(700, 9, 70)]
    [InlineData(130, 40, 33)]
    public void Cpu_matches_reference_on_any_threads(int N, int V, int D)
    {
        var random = new Random(3);
        var ids = Integers([.. Enumerable.Range(0, N).Select(_ => random.Next(V))]);
        var (table, dOutput) = (Normal(1, V, D), Normal(2, N, D));
        var (output, dTable) = (Poisoned(N, D), Copy(table));
        var reference = Create("reference");
        reference.EmbeddingForward(ids, table, output);
        reference.EmbeddingBackward(ids, dOutput, dTable);
        Tensor? first = null;
        foreach (string name in (string[])["cpu1", "cpu2", "cpu3"])
        {
            var (cpuOutput, cpuGradient) = (Poisoned(N, D), Copy(table));
            var kernels = Create(name);
            kernels.EmbeddingForward(ids, table, cpuOutput);
            kernels.EmbeddingBackward(ids, dOutput, cpuGradient);
            AssertSameBits(output, cpuOutput);
            AssertClose(dTable, cpuGradient, 2e-6);
            AssertSameBits(first ??= cpuGradient, cpuGradient);
        }
    }

    [Theory]
    [InlineData(9, 1, 4, 1, 1, 0)]
    [InlineData(1, 3)]
    [InlineData(67, 0, 0, 4)]
    public void Gradients_are_exact(int D, params int[] tokens) => AssertGradients(kernels =>
    {
        var (ids, table, output) = (Integers(tokens), Normal(4, 5, D), Poisoned(tokens.Length, D));
        var (dOutput, dTable) = (Normal(5, tokens.Length, D), Zeros(5, D));
        kernels.EmbeddingBackward(ids, dOutput, dTable);
        return new(() => kernels.EmbeddingForward(ids, table, output), output, dOutput, (table, dTable));
    });

    [Fact]
    public void Allocates_nothing()
    {
        var kernels = Create("cpu2");
        var (ids, table, output, dTable) = (Integers(new int[40]), Normal(5, 6, 40), Zeros(40, 40), Zeros(6, 40));
        AssertAllocatesNothing(() =>
        {
            kernels.EmbeddingForward(ids, table, output);
            kernels.EmbeddingBackward(ids, output, dTable);
        });
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(3)]
    [InlineData(int.MinValue)]
    public void An_id_outside_the_table_is_named(int id)
    {
        var kernels = Create("cpu1");
        var error = Assert.Throws<ArgumentOutOfRangeException>(
            () => kernels.EmbeddingForward(Integers(0, id), Zeros(3, 4), Zeros(2, 4)));
        Assert.Contains($"id {id} at 1", error.Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentOutOfRangeException>(() => kernels.EmbeddingBackward(Integers(0, id), Zeros(2, 4), Zeros(3, 4)));
    }
}
