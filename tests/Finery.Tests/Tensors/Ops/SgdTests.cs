using Finery.Tensors;
using Xunit;

namespace Finery.Tests.Tensors.Ops;

public class SgdTests : OpTest
{
    [Theory, MemberData(nameof(AllKernels))]
    public void Golden_values_of_two_steps(string name)
    {
        // By hand: p = 1, lr .1, wd .1, mu .9, gradients .5 and -.25.
        var kernels = Create(name);
        foreach (var (nesterov, expected) in (ReadOnlySpan<(bool, float[])>)[(false, [.94f, .9106f]), (true, [.895f, .89305f])])
        {
            var (weight, momentum) = (Zeros(1, 19), Zeros(1, 19));
            weight.Floats.Fill(1);
            for (int step = 0; step < 2; step++)
            {
                var gradient = Zeros(1, 19);
                gradient.Floats.Fill(step == 0 ? .5f : -.25f);
                kernels.Sgd(weight, null, gradient, momentum, new SgdSettings(.1f, .9f, .1f, 1, nesterov));
                foreach (float value in weight.Floats) Assert.Equal(expected[step], value, 1e-6);
                foreach (float value in gradient.Floats) Assert.Equal(0, value);
            }
        }
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(3, 5)]
    [InlineData(17, 3001)]
    public void Cpu_matches_reference_with_the_same_bits_on_any_threads(int rows, int columns)
    {
        foreach (var (momentum, nesterov) in (ReadOnlySpan<(float, bool)>)[(0, false), (.9f, false), (.9f, true)])
        {
            Tensor[] Run(string name)
            {
                Tensor[] tensors = [Normal(1, rows, columns), Normal(2, rows, columns), Normal(3, rows, columns)];
                Create(name).Sgd(
                    tensors[0], null, tensors[1], momentum == 0 ? null : tensors[2], new SgdSettings(.1f, momentum, .1f, .25f, nesterov));
                return tensors;
            }
            var (expected, one, three) = (Run("reference"), Run("cpu1"), Run("cpu3"));
            for (int i = 0; i < 3; i++)
            {
                AssertClose(expected[i], one[i], 2e-6);
                AssertSameBits(one[i], three[i]);
            }
        }
    }

    [Fact]
    public void Split_masters_are_fp32_to_the_bit()
    {
        const int Length = 20_003;
        var kernels = Create("cpu2");
        var (weight, low, exact) = (Arena.Allocate("w", DType.BF16, 1, Length), Arena.Allocate("low", DType.U16, 1, Length), Zeros(1, Length));
        for (int i = 0; i < Length; i++)
        {
            weight.BFloat16s[i] = (BFloat16)MathF.Sin(i);
            exact.Floats[i] = (float)weight.BFloat16s[i];
        }
        var (a, b) = (Zeros(1, Length), Zeros(1, Length));
        for (int step = 0; step < 3; step++)
        {
            kernels.Sgd(weight, low, Normal(step, 1, Length), a, new SgdSettings(1e-3f, .9f, .1f));
            kernels.Sgd(exact, null, Normal(step, 1, Length), b, new SgdSettings(1e-3f, .9f, .1f));
        }
        for (int i = 0; i < Length; i++)
            Assert.Equal(BitConverter.SingleToUInt32Bits(exact.Floats[i]), ((uint)weight.BFloat16s[i].Bits << 16) | low.UInt16s[i]);
    }

    [Fact]
    public void Allocates_nothing_and_a_momentum_without_tensor_is_an_error()
    {
        var (kernels, weight, gradient, momentum) = (Create("cpu2"), Zeros(50, 999), Zeros(50, 999), Zeros(50, 999));
        AssertAllocatesNothing(() => kernels.Sgd(weight, null, gradient, momentum, new SgdSettings(.1f, .9f, .1f)));
        Assert.Throws<ArgumentException>(() => kernels.Sgd(weight, null, gradient, null, new SgdSettings(.1f, .9f, .1f)));
    }
}
