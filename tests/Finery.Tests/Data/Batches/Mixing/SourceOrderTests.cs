using Finery.Data.Batches.Mixing;
using Xunit;

namespace Finery.Tests.Data.Batches.Mixing;

public class SourceOrderTests
{
    private static double[] Normalised(params double[] weights) => [.. weights.Select(weight => weight / weights.Sum())];

    /// <summary>Sources of the samples [from, to), each looked up by itself or window by window.</summary>
    private static int[] Sources(SourceOrder order, int sourceCount, int from, int to, bool singly = false)
    {
        var sources = new int[SourceOrder.Window];
        var counts = new long[sourceCount];
        var found = new List<int>();
        while (from < to)
        {
            (int index, int length) = order.Find(from, sources, counts);
            int taken = singly ? 1 : Math.Min(length - index, to - from);
            found.AddRange(sources.AsSpan(index, taken));
            from += taken;
        }
        return [.. found];
    }

    /// <summary>Acceptance case 16, with the weights of SmolLM3's stages (the third sums to 1.00565).</summary>
    [Theory]
    [InlineData(.848, .125, .027, 0)]
    [InlineData(.766, .143, .091, 0)]
    [InlineData(.627, .233, .126, .020)]
    [InlineData(.508, .227, .148, .117)]
    [InlineData(1, 0, 1e-6, 3)]
    public void A_million_samples_are_within_four_sigma_of_the_weights(double a, double b, double c, double d)
    {
        const int Samples = 1_000_000;
        double[] shares = Normalised(a, b, c, d);
        var order = new SourceOrder(shares, long.MaxValue, seed: 1);
        var counts = new long[4];
        foreach (int source in Sources(order, 4, 0, Samples)) counts[source]++;
        for (int k = 0; k < 4; k++)
        {
            double expected = Samples * shares[k];
            Assert.InRange(Math.Abs(counts[k] - expected), 0, 4 * Math.Sqrt(expected * (1 - shares[k])));
            Assert.InRange(Math.Abs(counts[k] - expected), 0, (SourceOrder.Window * shares[k]) + 3); // balanced, it is far inside
        }
        Assert.Equal(Sources(order, 4, 999_000, Samples), Sources(order, 4, 999_000, Samples, singly: true));
    }

    [Fact]
    public void Counts_are_those_of_the_samples_before_and_exact_at_the_end()
    {
        var random = new Random(3);
        for (int trial = 0; trial < 60; trial++)
        {
            double[] shares = Normalised([.. Enumerable.Range(0, 1 + random.Next(9)).Select(_ => Math.Pow(random.NextDouble(), 6))]);
            int samples = 1 + random.Next(3000);
            var order = new SourceOrder(shares, samples, (ulong)trial);
            int[] sources = Sources(order, shares.Length, 0, samples + 700);
            var expected = new long[shares.Length];
            var counts = new long[shares.Length];
            for (int i = 0; i < sources.Length; i++)
            {
                if (i % 53 == 0 || i == samples)
                {
                    order.CountBefore(i, counts);
                    Assert.Equal(expected, counts);
                }
                if (i == samples)
                {
                    for (int k = 0; k < shares.Length; k++)
                        Assert.InRange(counts[k] - (samples * shares[k]), -shares.Length / 2.0, shares.Length / 2.0);
                }
                expected[sources[i]]++;
            }
        }
    }

    [Fact]
    public void The_order_is_the_seed_s_and_has_no_period()
    {
        double[] shares = Normalised(.5, .3, .2);
        int[] Order(ulong seed) => Sources(new(shares, long.MaxValue, seed), 3, 0, 2560);
        int[] first = Order(1);
        Assert.Equal(first, Order(1));
        Assert.NotEqual(first, Order(2));
        for (int period = 1; period <= 1280; period++) Assert.NotEqual(first[period..], first[..^period]);
    }

    [Fact]
    public void A_rare_source_comes_when_due_far_into_a_run()
    {
        var order = new SourceOrder(Normalised(1, 1e-9, 1), long.MaxValue, seed: 1);
        var counts = new long[3];
        const long Far = 4_000_000_000_000_000_000;
        order.CountBefore(Far, counts);
        Assert.Equal(Far, counts.Sum());
        Assert.InRange(counts[1], (long)(Far / 2e9) - 4, (long)(Far / 2e9) + 4);
        Assert.InRange(counts[0] - counts[2], -4e9, 4e9);
    }
}
