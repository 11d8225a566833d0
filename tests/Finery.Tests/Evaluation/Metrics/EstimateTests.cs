using Finery.Evaluation.Metrics;
using Xunit;

namespace Finery.Tests.Evaluation.Metrics;

public class EstimateTests
{
    [Fact]
    public void Thirty_of_a_hundred_has_the_published_standard_error()
    {
        var values = Enumerable.Range(0, 100).Select(i => i < 30 ? 1.0 : 0.0).ToArray();
        var mean = Estimate.Mean(values);
        Assert.Equal(0.3, mean.Value, 1e-12);
        Assert.Equal(0.0460566, mean.StandardError, 5e-8);
    }

    [Fact]
    public void One_observation_has_no_standard_error() => Assert.True(double.IsNaN(Estimate.Mean([3.0]).StandardError));

    [Fact]
    public void No_observation_is_refused() => Assert.Throws<ArgumentException>(() => Estimate.Mean([]));

    [Fact]
    public void Ratio_with_equal_denominators_is_the_mean()
    {
        double[] values = [1, 4, 2, 8, 5];
        var ratio = Estimate.Ratio(values, [2, 2, 2, 2, 2]);
        var mean = Estimate.Mean(values.Select(value => value / 2).ToArray());
        Assert.Equal(mean.Value, ratio.Value, 1e-12);
        Assert.Equal(mean.StandardError, ratio.StandardError, 1e-12);
    }

    [Fact]
    public void Ratio_error_matches_the_spread_over_resampled_documents()
    {
        var random = new Random(7);
        double[] bytes = Enumerable.Range(0, 200).Select(_ => 50 + 400 * random.NextDouble()).ToArray();
        double[] nats = bytes.Select(size => size * (0.7 + 0.3 * random.NextDouble())).ToArray();
        var ratios = new double[2000];
        for (int trial = 0; trial < ratios.Length; trial++)
        {
            double above = 0, below = 0;
            for (int i = 0; i < bytes.Length; i++)
            {
                int pick = random.Next(bytes.Length);
                (above, below) = (above + nats[pick], below + bytes[pick]);
            }
            ratios[trial] = above / below;
        }
        double mean = ratios.Average();
        double spread = Math.Sqrt(ratios.Sum(ratio => (ratio - mean) * (ratio - mean)) / ratios.Length);
        Assert.Equal(1, Estimate.Ratio(nats, bytes).StandardError / spread, 0.08);
    }

    [Fact]
    public void Pairing_removes_what_both_models_share()
    {
        double[] hard = [0, 10, 20, 30];
        double[] easier = [1, 11, 21, 31];
        Assert.Equal(new Estimate(-1, 0, 4), Estimate.PairedDifference(hard, easier));
        Assert.Throws<ArgumentException>(() => Estimate.PairedDifference(hard, [1]));
    }
}
