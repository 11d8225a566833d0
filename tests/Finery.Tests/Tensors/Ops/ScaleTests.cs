using Xunit;

namespace Finery.Tests.Tensors.Ops;

public class ScaleTests : OpTest
{
    [Theory]
    [InlineData(1, 1)]
    [InlineData(5, 24)]
    [InlineData(65, 33)]
    public void Multiplies_and_adds_in_place_or_not(int N, int D)
    {
        var (x, h) = (Normal(1, N, D), Normal(2, N, D));
        foreach (string name in AllKernels)
        {
            var kernels = Create(name);
            var (alone, added, inPlace) = (Poisoned(N, D), Poisoned(N, D), Copy(h));
            kernels.Scale(x, .375f, alone);
            kernels.Scale(x, .375f, added, h);
            kernels.Scale(x, .375f, inPlace, inPlace);
            for (int i = 0; i < x.Length; i++)
            {
                Assert.Equal(.375f * x.Floats[i], alone.Floats[i]);
                Assert.Equal(h[i] + .375 * x[i], added[i], 1e-6);
            }
            AssertSameBits(added, inPlace);
        }
    }

    [Fact]
    public void A_factor_that_is_not_finite_is_an_error() =>
        Assert.Throws<ArgumentOutOfRangeException>(() => Create("cpu1").Scale(Zeros(1, 2), float.NaN, Zeros(1, 2)));

    [Fact]
    public void Allocates_nothing()
    {
        var (kernels, x, y) = (Create("cpu2"), Normal(1, 40, 33), Zeros(40, 33));
        AssertAllocatesNothing(() => kernels.Scale(x, 2, y, y));
    }
}
