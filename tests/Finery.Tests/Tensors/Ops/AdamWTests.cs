using Finery.Tensors;
using Xunit;

namespace Finery.Tests.Tensors.Ops;

public class AdamWTests : OpTest
{
    private static AdamWSettings Settings(long step, float scale = 1) => new(.1f, .9f, .95f, 1e-8f, .1f, step, scale);

    [Theory, MemberData(nameof(AllKernels))]
    public void Golden_values_of_three_steps(string name)
    {
        var kernels = Create(name);
        var (weight, first, second) = (Zeros(1, 19), Zeros(1, 19), Zeros(1, 19));
        weight.Floats.Fill(1);
        float[] gradients = [.5f, -.25f, .1f], expected = [.890000002f, .854263057856f, .813591920203f];
        for (int step = 1; step <= 3; step++)
        {
            var gradient = Zeros(1, 19);
            gradient.Floats.Fill(gradients[step - 1]);
            kernels.AdamW(weight, gradient, first, second, Settings(step));
            foreach (float value in weight.Floats) Assert.Equal(expected[step - 1], value, 1e-6);
            foreach (float value in gradient.Floats) Assert.Equal(0, value);
        }
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(3, 5)]
    [InlineData(1, 16384)]
    [InlineData(17, 3001)]
    public void Cpu_matches_reference_with_the_same_bits_on_any_threads(int rows, int columns)
    {
        Tensor[] Start() =>
            [Normal(1, rows, columns), Normal(2, rows, columns), Normal(3, .1f, rows, columns), Squared(Normal(4, .1f, rows, columns))];
        void Run(string name, Tensor[] tensors) =>
            Create(name).AdamW(tensors[0], tensors[1], tensors[2], tensors[3], Settings(7, .25f));
        var expected = Start();
        Run("reference", expected);
        Tensor[]? one = null;
        foreach (string name in (string[])["cpu1", "cpu2", "cpu3"])
        {
            var actual = Start();
            Run(name, actual);
            one ??= actual;
            for (int i = 0; i < 4; i++)
            {
                AssertClose(expected[i], actual[i], 2e-6);
                AssertSameBits(one[i], actual[i]);
            }
        }
    }

    [Theory, MemberData(nameof(AllKernels))]
    public void Gradient_scale_is_applied_first(string name)
    {
        var kernels = Create(name);
        var (weightA, weightB) = (Normal(1, 3, 7), Normal(1, 3, 7));
        var (gradientA, gradientB) = (Normal(2, 3, 7), Normal(2, 3, 7));
        foreach (ref float value in gradientB.Floats) value *= .5f;
        var (firstA, secondA, firstB, secondB) = (Zeros(3, 7), Zeros(3, 7), Zeros(3, 7), Zeros(3, 7));
        kernels.AdamW(weightA, gradientA, firstA, secondA, Settings(1, .5f));
        kernels.AdamW(weightB, gradientB, firstB, secondB, Settings(1));
        AssertSameBits(weightA, weightB);
        AssertSameBits(firstA, firstB);
        AssertSameBits(secondA, secondB);
    }

    [Fact]
    public void Allocates_nothing()
    {
        var kernels = Create("cpu2");
        var (weight, gradient, first, second) = (Normal(1, 50, 999), Zeros(50, 999), Zeros(50, 999), Zeros(50, 999));
        var settings = Settings(1);
        AssertAllocatesNothing(() => kernels.AdamW(weight, gradient, first, second, settings));
    }

    [Fact]
    public void Wrong_shapes_and_steps_are_named()
    {
        var kernels = Create("cpu1");
        var error = Assert.Throws<ArgumentException>(
            () => kernels.AdamW(Zeros(2, 3), Zeros(2, 3), Zeros(3, 2), Zeros(2, 3), Settings(1)));
        Assert.Contains("AdamW: firstMoment", error.Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentOutOfRangeException>(
            () => kernels.AdamW(Zeros(2, 3), Zeros(2, 3), Zeros(2, 3), Zeros(2, 3), Settings(0)));
    }

    private static Tensor Squared(Tensor tensor)
    {
        foreach (ref float value in tensor.Floats) value *= value;
        return tensor;
    }
}
