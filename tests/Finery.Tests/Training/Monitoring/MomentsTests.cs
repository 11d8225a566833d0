using Finery.Tensors;
using Finery.Training.Monitoring;
using Xunit;

namespace Finery.Tests.Training.Monitoring;

public class MomentsTests
{
    [Theory]
    [InlineData(1, 0, 1)]
    [InlineData(7, 0, 1)]
    [InlineData(10_000, 0, 0.02)]
    [InlineData(12_289, 1000, 0.5)]
    public void They_are_those_of_two_plain_passes(int count, double mean, double deviation)
    {
        var values = new float[count];
        for (int i = 0; i < count; i++) values[i] = (float)(mean + deviation * CounterRandom.Normal(3, (ulong)i));
        if (count > 5) values[5] = 0;
        var moments = new Moments();
        moments.Add(values.AsSpan(0, count / 3));
        var rest = new Moments();
        rest.Add(values.AsSpan(count / 3));
        moments.Add(rest);
        double expected = values.Average(x => (double)x), m2 = values.Average(x => Math.Pow(x - expected, 2));
        double m4 = values.Average(x => Math.Pow(x - expected, 4));
        Assert.Equal(expected, moments.Mean, 1e-9 * Math.Abs(expected) + 1e-12);
        Assert.Equal(Math.Sqrt(m2), moments.Deviation, 1e-9 * Math.Sqrt(m2) + 1e-12);
        if (count > 1) Assert.Equal(m4 / (m2 * m2), moments.Kurtosis, 1e-7 * m4 / (m2 * m2));
        Assert.Equal((values.Min(), values.Max()), ((float)moments.Min, (float)moments.Max));
        Assert.Equal(count > 5 ? 1.0 / count : 0, moments.ZeroFraction);
        Assert.Equal(Math.Sqrt(values.Sum(x => (double)x * x)), moments.Norm, 1e-9 * moments.Norm);
    }

    [Fact]
    public void Values_that_are_not_finite_are_counted_and_left_out_of_the_rest()
    {
        var moments = new Moments();
        moments.Add([float.NaN, 1, float.PositiveInfinity, 3]);
        Assert.Equal((2, 2, 2.0), (moments.Count, moments.NonFinite, moments.Mean));
        Assert.Equal(double.NaN, moments.Norm);
        moments.Clear();
        Assert.Equal(double.NaN, moments.Mean);
    }
}
