using Finery.Tensors;
using Xunit;

namespace Finery.Tests.Tensors.Ops;

public class SwiGluTests : OpTest
{
    [Theory, MemberData(nameof(AllKernels))]
    public void Golden_value_and_gradients(string name)
    {
        var kernels = Create(name);
        var gateUp = Matrix([1, 2]);
        var (y, dGateUp) = (Poisoned(1, 1), Poisoned(1, 2));
        kernels.SwiGluForward(gateUp, y);
        kernels.SwiGluBackward(Matrix([1]), gateUp, dGateUp);
        AssertClose([1.462117157f], y.Floats, 1e-6);
        AssertClose([1.855341024f, .731058579f], dGateUp.Floats, 1e-6);
    }

    [Theory, MemberData(nameof(AllKernels))]
    public void Extreme_gates_give_zero_or_identity_and_never_a_NaN(string name)
    {
        var kernels = Create(name);
        float[] gates = [-1e30f, -1000, -100, 0, 100, 1000, 1e30f];
        var gateUp = Matrix([.. gates, 1, 1, 1, 1, 1, 1, 1]);
        var (y, dGateUp) = (Poisoned(1, 7), Poisoned(1, 14));
        kernels.SwiGluForward(gateUp, y);
        kernels.SwiGluBackward(Matrix([1, 1, 1, 1, 1, 1, 1]), gateUp, dGateUp);
        AssertClose([0, 0, 0, 0, 100, 1000], y.Floats[..6], 1e-7);
        Assert.Equal(1e30f, y.Floats[6]);
        AssertClose([0, 0, 0, .5f, 1, 1, 1], dGateUp.Floats[..7], 1e-6);
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(3, 7)]
    [InlineData(5, 24)]
    [InlineData(130, 33)]
    public void Cpu_matches_reference_on_any_threads(int N, int F)
    {
        var gateUp = Normal(1, 3f, N, 2 * F);
        var dy = Normal(2, N, F);
        var (y, dGateUp) = (Poisoned(N, F), Poisoned(N, 2 * F));
        var reference = Create("reference");
        reference.SwiGluForward(gateUp, y);
        reference.SwiGluBackward(dy, gateUp, dGateUp);
        Tensor? firstY = null, firstGradient = null;
        foreach (string name in (string[])["cpu1", "cpu2", "cpu3"])
        {
            var kernels = Create(name);
            var (cpuY, cpuGradient) = (Poisoned(N, F), Poisoned(N, 2 * F));
            kernels.SwiGluForward(gateUp, cpuY);
            kernels.SwiGluBackward(dy, gateUp, cpuGradient);
            AssertClose(y, cpuY, 1e-6);
            AssertClose(dGateUp, cpuGradient, 1e-6);
            AssertSameBits(firstY ??= cpuY, cpuY);
            AssertSameBits(firstGradient ??= cpuGradient, cpuGradient);
        }
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(3, 13)]
    [InlineData(2, 35)]
    public void Gradients_are_exact(int N, int F) => AssertGradients(kernels =>
    {
        var (gateUp, y, dy, dGateUp) = (Normal(3, N, 2 * F), Poisoned(N, F), Normal(4, N, F), Poisoned(N, 2 * F));
        kernels.SwiGluBackward(dy, gateUp, dGateUp);
        return new(() => kernels.SwiGluForward(gateUp, y), y, dy, (gateUp, dGateUp));
    });

    [Fact]
    public void Allocates_nothing()
    {
        var kernels = Create("cpu2");
        var (gateUp, y, dGateUp) = (Normal(5, 40, 64), Zeros(40, 32), Zeros(40, 64));
        AssertAllocatesNothing(() =>
        {
            kernels.SwiGluForward(gateUp, y);
            kernels.SwiGluBackward(y, gateUp, dGateUp);
        });
    }

    [Fact]
    public void Wrong_shapes_are_named()
    {
        var kernels = Create("cpu1");
        var error = Assert.Throws<ArgumentException>(() => kernels.SwiGluForward(Zeros(2, 6), Zeros(2, 4)));
        Assert.Contains("SwiGluForward", error.Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => kernels.SwiGluBackward(Zeros(2, 4), Zeros(2, 8), Zeros(3, 8)));
    }
}
