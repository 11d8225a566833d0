using Finery.Tensors;
using Xunit;

namespace Finery.Tests.Tensors.Ops;

public class QkNormTests : OpTest
{
    private const float Epsilon = 1e-5f;

    [Theory, MemberData(nameof(AllKernels))]
    public void Golden_norm_and_gradient_of_every_head_leave_values_alone(string name)
    {
        var (kernels, shape) = (Create(name), new AttentionShape(2, 1, 4));
        float[] x = [1, 2, 3, 4], y = [.365148128f, .730296256f, 1.095444385f, 1.460592513f];
        float[] dx = [.352976540f, -.024343176f, -.036514764f, -.048686352f], dy = [1, 0, 0, 0];
        var (qkv, before, scale) = (Matrix([.. x, .. x, .. x, .. x]), Poisoned(1, 12), Poisoned(1, 3));
        var (ones, doubled) = (Matrix([1, 1, 1, 1]), Matrix([2, 2, 2, 2]));
        kernels.QkNormForward(qkv, ones, doubled, Epsilon, shape, before, scale);
        AssertClose([.. y, .. y, .. y.Select(value => 2 * value), .. x], qkv.Floats, 1e-7);
        AssertClose([.. x, .. x, .. x], before.Floats, 0);
        var (dQkv, dQuery, dKey) = (Matrix([.. dy, .. dy, .. dy, .. dy]), Matrix([1, 0, 0, 0]), Zeros(1, 4));
        kernels.QkNormBackward(dQkv, before, scale, ones, doubled, shape, dQuery, dKey);
        AssertClose([.. dx, .. dx, .. dx.Select(value => 2 * value), .. dy], dQkv.Floats, 1e-7);
        AssertClose([1 + 2 * y[0], 0, 0, 0], dQuery.Floats, 1e-7);
        AssertClose([y[0], 0, 0, 0], dKey.Floats, 1e-7);
    }

    [Theory]
    [InlineData(1, 1, 2, 1)]
    [InlineData(3, 1, 24, 40)]
    [InlineData(4, 2, 18, 129)]
    [InlineData(2, 2, 64, 100)]
    public void Cpu_matches_reference_on_any_threads(int H, int KV, int HS, int N)
    {
        var shape = new AttentionShape(H, KV, HS);
        var (qkv, query, key) = (Normal(1, N, shape.QkvColumns), Normal(2, HS), Normal(3, HS));
        var (dQkv, beforeQuery, beforeKey) = (Normal(4, N, shape.QkvColumns), Normal(5, HS), Normal(6, HS));
        Tensor[] Run(string name)
        {
            var kernels = Create(name);
            var (x, kept, scale) = (Copy(qkv), Poisoned(N, shape.ValueOffset), Poisoned(N, H + KV));
            var (inference, dx, dQuery, dKey) = (Copy(qkv), Copy(dQkv), Copy(beforeQuery), Copy(beforeKey));
            kernels.QkNormForward(x, query, key, Epsilon, shape, kept, scale);
            kernels.QkNormForward(inference, query, key, Epsilon, shape, null, null);
            AssertSameBits(x, inference);
            kernels.QkNormBackward(dx, kept, scale, query, key, shape, dQuery, dKey);
            return [x, kept, scale, dx, dQuery, dKey];
        }
        var (expected, first) = (Run("reference"), Run("cpu1"));
        for (int i = 0; i < expected.Length; i++) AssertClose(expected[i], first[i], 3e-6, $"result {i}");
        foreach (string name in (string[])["cpu2", "cpu3"])
        {
            var actual = Run(name);
            for (int i = 0; i < first.Length; i++) AssertSameBits(first[i], actual[i], $"result {i}");
        }
    }

    [Theory]
    [InlineData(2, 1, 8, 3)]
    [InlineData(1, 1, 2, 1)]
    [InlineData(3, 3, 14, 2)]
    public void Gradients_match_finite_differences(int H, int KV, int HS, int N) => AssertGradients(kernels =>
    {
        var shape = new AttentionShape(H, KV, HS);
        var (input, query, key) = (Normal(1, N, shape.QkvColumns), Normal(2, HS), Normal(3, HS));
        var (output, dOutput) = (Poisoned(N, shape.QkvColumns), Normal(4, N, shape.QkvColumns));
        var (before, scale) = (Poisoned(N, shape.ValueOffset), Poisoned(N, H + KV));
        void Forward()
        {
            input.Bytes.CopyTo(output.Bytes);
            kernels.QkNormForward(output, query, key, Epsilon, shape, before, scale);
        }
        Forward();
        var (gradient, dQuery, dKey) = (Copy(dOutput), Zeros(HS), Zeros(HS));
        kernels.QkNormBackward(gradient, before, scale, query, key, shape, dQuery, dKey);
        return new(Forward, output, dOutput, (input, gradient), (query, dQuery), (key, dKey));
    });

    [Fact]
    public void Allocates_nothing()
    {
        var (kernels, shape) = (Create("cpu2"), new AttentionShape(2, 1, 8));
        var (qkv, dQkv, gain, dGain) = (Normal(1, 70, 32), Normal(2, 70, 32), Normal(3, 8), Zeros(8));
        var (before, scale) = (Zeros(70, 24), Zeros(70, 3));
        AssertAllocatesNothing(() =>
        {
            kernels.QkNormForward(qkv, gain, gain, Epsilon, shape, before, scale);
            kernels.QkNormBackward(dQkv, before, scale, gain, gain, shape, dGain, dGain);
        });
    }
}
