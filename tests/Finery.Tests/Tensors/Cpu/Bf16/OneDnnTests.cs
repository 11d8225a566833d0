using Finery.Tensors;
using Xunit;

namespace Finery.Tests.Tensors.Cpu.Bf16;

public unsafe class OneDnnTests : OpTest
{
    [Fact]
    public Task A_head_of_several_chunks_trains_with_what_the_library_leaves_to_us()
    {
        using (var library = OneDnn.Load(out string? reason)) Assert.SkipWhen(library is null, reason ?? "");
        return Alone.Run(typeof(OneDnnTests), () =>
        {
            const int Tokens = 600, Width = 16, Vocabulary = 40;
            var (x, weight, tokenWeights) = (As(DType.BF16, Normal(1, Tokens, Width)), As(DType.BF16, Normal(2, Vocabulary, Width)), Zeros(Tokens));
            tokenWeights.Floats.Fill(1f / Tokens);
            var targets = Integers([.. Enumerable.Range(0, Tokens).Select(i => i % Vocabulary)]);
            (Tensor Losses, Tensor Dx, Tensor DWeight) Train()
            {
                var (losses, dx, dWeight) = (Poisoned(Tokens), Poisoned(Tokens, Width), Zeros(Vocabulary, Width));
                Create("cpu2").LinearCrossEntropyForwardBackward(x, weight, targets, tokenWeights, losses, dx, dWeight);
                return (losses, dx, dWeight);
            }
            var expected = Train();
            Environment.SetEnvironmentVariable(OneDnn.Variable, "1");
            var actual = Train();
            AssertClose(expected.Losses, actual.Losses, 1e-2);
            AssertClose(expected.Dx, actual.Dx, 1e-2);
            AssertClose(expected.DWeight, actual.DWeight, 1e-2);
        });
    }

    [Theory]
    [InlineData(DType.F32, 1, 1, 1)]
    [InlineData(DType.F32, 7, 33, 65)]
    [InlineData(DType.F32, 40, 64, 96)]
    [InlineData(DType.BF16, 40, 64, 96)]
    public void Products_match_ours_in_every_layout(DType type, int m, int n, int k)
    {
        using var library = OneDnn.Load(out string? reason);
        Assert.SkipWhen(library is null, reason ?? "");
        foreach (bool transposeA in (bool[])[false, true])
        {
            foreach (bool transposeB in (bool[])[false, true])
            {
                foreach (bool add in (bool[])[false, true])
                {
                    var a = As(type, transposeA ? Normal(1, k, m) : Normal(1, m, k));
                    var b = As(type, transposeB ? Normal(2, n, k) : Normal(2, k, n));
                    var c = Normal(3, m, n);
                    var expected = Copy(c);
                    for (int i = 0; i < m; i++)
                    {
                        for (int j = 0; j < n; j++)
                        {
                            double sum = add ? c[i * n + j] : 0;
                            for (int s = 0; s < k; s++) sum += a[transposeA ? s * m + i : i * k + s] * b[transposeB ? j * k + s : s * n + j];
                            expected[i * n + j] = sum;
                        }
                    }
                    try
                    {
                        // Twice: the second call finds the primitive made.
                        var again = Copy(c);
                        library!.Multiply(m, n, k, Operand(a, transposeA), Operand(b, transposeB), Operand(c), add);
                        library.Multiply(m, n, k, Operand(a, transposeA), Operand(b, transposeB), Operand(again), add);
                        AssertClose(expected, c, 2e-6);
                        AssertClose(expected, again, 2e-6);
                    }
                    catch (PlatformNotSupportedException exception)
                    {
                        Assert.Contains("BF16", exception.Message, StringComparison.Ordinal);
                        Assert.Equal(DType.BF16, type);
                        Assert.Skip(exception.Message);
                    }
                }
            }
        }
    }

    [Fact]
    public void It_is_used_on_request_alone()
    {
        Assert.SkipWhen(Environment.GetEnvironmentVariable(OneDnn.Variable) is not null, $"{OneDnn.Variable} is set");
        Assert.False(OneDnn.IsRequested);
    }

    private static StridedMatrix Operand(Tensor tensor, bool transposed = false)
    {
        var operand = new StridedMatrix(tensor.Pointer, tensor.Type, tensor.Columns, 1);
        return transposed ? operand.Transposed : operand;
    }

    private Tensor As(DType type, Tensor tensor)
    {
        var typed = Arena.Allocate(tensor.Name, type, tensor.Shape);
        for (int i = 0; i < tensor.Length; i++) typed[i] = tensor[i];
        return typed;
    }
}
