using System.Runtime.Intrinsics;
using Finery.Tensors;
using Xunit;

namespace Finery.Tests.Tensors.Cpu;

public class VectorMathTests
{
    private static float[] Exp(float x) =>
        [VectorMath.Exp(Vector128.Create(x))[1], VectorMath.Exp(Vector256.Create(x))[6], VectorMath.Exp(Vector512.Create(x))[11]];

    [Fact]
    public void Exp_is_within_two_ulp_of_Math_Exp_at_every_width()
    {
        for (int i = 0; i <= 200_000; i++)
        {
            float x = -87.3f + i * (88.7f + 87.3f) / 200_000;
            double expected = Math.Exp(x);
            double ulp = MathF.BitIncrement((float)expected) - (float)expected;
            foreach (float actual in Exp(x))
                Assert.True(Math.Abs(actual - expected) <= 2 * ulp, $"exp({x}) = {actual}, expected {expected}");
        }
    }

    [Theory]
    [InlineData(0f, 1f)]
    [InlineData(-87.4f, 0f)]
    [InlineData(-1e30f, 0f)]
    [InlineData(float.NegativeInfinity, 0f)]
    [InlineData(88.8f, float.PositiveInfinity)]
    [InlineData(float.MaxValue, float.PositiveInfinity)]
    [InlineData(float.PositiveInfinity, float.PositiveInfinity)]
    [InlineData(float.NaN, float.NaN)]
    public void Exp_of_special_values(float x, float expected)
    {
        foreach (float actual in Exp(x)) Assert.Equal(expected, actual);
    }
}
