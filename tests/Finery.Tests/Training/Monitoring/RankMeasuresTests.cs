using Finery.Tensors;
using Finery.Training.Monitoring;
using Xunit;

namespace Finery.Tests.Training.Monitoring;

public class RankMeasuresTests
{
    [Fact]
    public void Golden_case_23()
    {
        var ranks = RankMeasures.Of([3, 1]);
        Assert.Equal(1.754765351, ranks.Effective, 1e-9);
        Assert.Equal(1.111111, ranks.Stable, 1e-6);
        Assert.Equal(1.219512, ranks.Participation, 1e-6);
    }

    [Fact]
    public void Equal_values_have_full_rank_and_zeros_none()
    {
        var ranks = RankMeasures.Of([2, 2, 2, 0]);
        Assert.Equal((3.0, 3.0, 3.0), (Math.Round(ranks.Effective, 12), ranks.Stable, ranks.Participation));
        Assert.Equal(default, RankMeasures.Of([0, 0]));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(5)]
    [InlineData(24)]
    [InlineData(64)]
    public void Eigenvalues_of_a_rotated_diagonal_are_the_diagonal(int n)
    {
        double[] expected = [.. Enumerable.Range(0, n).Select(i => i % 4 == 3 ? 0.5 : i * i * 0.1 - 3)];
        var matrix = new double[n * n];
        for (int i = 0; i < n; i++) matrix[i * n + i] = expected[i];
        for (int round = 0; round < 3; round++)
        {
            for (int p = 0; p < n; p++)
            {
                for (int q = p + 1; q < n; q++) Rotate(matrix, n, p, q, CounterRandom.Uniform(1, (ulong)(round * 9999 + p * n + q)) * 6);
            }
        }
        var values = new SymmetricEigenvalues(n).Of(matrix, n).ToArray();
        foreach (var (actual, value) in values.Order().Zip(expected.Order())) Assert.Equal(value, actual, 1e-10 * n * n);
    }

    [Fact]
    public void Eigenvalues_of_what_is_not_finite_are_not_numbers() =>
        Assert.All(new SymmetricEigenvalues(2).Of([1, 0, double.NaN, 1], 2).ToArray(), value => Assert.Equal(double.NaN, value));

    [Theory]
    [InlineData(8, 24)]
    [InlineData(24, 8)]
    [InlineData(12, 12)]
    public void A_sample_of_three_directions_has_rank_three_by_either_gram_matrix(int rows, int columns)
    {
        var sample = new float[rows * columns];
        for (int i = 0; i < rows; i++)
        {
            for (int k = 0; k < 3; k++)
            {
                double weight = CounterRandom.Normal(1, (ulong)(i * 3 + k));
                for (int c = 0; c < columns; c++) sample[i * columns + c] += (float)(weight * CounterRandom.Normal(2, (ulong)(k * 100 + c)));
            }
        }
        for (int i = 0; i < sample.Length; i++) sample[i] += 5;
        var spectrum = new SampleSpectrum(rows, columns);
        var ranks = spectrum.Ranks(sample);
        Assert.InRange(ranks.Effective, 1.5, 3.001);
        Assert.InRange(ranks.Stable, 1, ranks.Participation + 1e-9);
        Assert.InRange(ranks.Participation, 1, ranks.Effective + 1e-9);
    }

    [Fact]
    public void Mean_cosine_is_that_of_all_pairs()
    {
        float[] sample = [1, 0, 0, 2, -3, 0, 1, 1];
        var spectrum = new SampleSpectrum(4, 2);
        double expected = (0 - 1 + Math.Sqrt(0.5) + 0 + Math.Sqrt(0.5) - Math.Sqrt(0.5)) / 6;
        Assert.Equal(expected, spectrum.MeanCosine(sample), 1e-12);
        Assert.Equal(1, new SampleSpectrum(3, 2).MeanCosine([1, 2, 2, 4, 3, 6]), 1e-12);
    }

    private static void Rotate(double[] a, int n, int p, int q, double angle)
    {
        var (s, c) = Math.SinCos(angle);
        for (int k = 0; k < n; k++)
            (a[p * n + k], a[q * n + k]) = (c * a[p * n + k] - s * a[q * n + k], s * a[p * n + k] + c * a[q * n + k]);
        for (int k = 0; k < n; k++)
            (a[k * n + p], a[k * n + q]) = (c * a[k * n + p] - s * a[k * n + q], s * a[k * n + p] + c * a[k * n + q]);
    }
}
