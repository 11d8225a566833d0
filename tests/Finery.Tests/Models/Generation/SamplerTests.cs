using Finery.Models.Generation;
using Xunit;

namespace Finery.Tests.Models.Generation;

public class SamplerTests
{
    private static readonly float[] Logits = [.. new[] { 0.1, 0.4, 0.2, 0.3 }.Select(p => (float)Math.Log(p))];
    private static readonly GenerationSettings Plain = new() { Temperature = 1, TopK = 0, TopP = 1 };

    [Fact]
    public void Greedy_takes_the_lowest_id_of_equal_logits()
    {
        Assert.Equal(1, new Sampler(4).Sample([1, 3, 3, 2], GenerationSettings.Greedy, [], 0));
        Assert.Equal(1, new Sampler(4).Sample([1, 3, 3, 2], GenerationSettings.Greedy with { Temperature = 9e-6f }, [], 0));
    }

    [Fact]
    public void Frequencies_are_the_probabilities()
    {
        double[] shares = Shares(Plain);
        double[] expected = [0.1, 0.4, 0.2, 0.3];
        for (int i = 0; i < 4; i++) Assert.Equal(expected[i], shares[i], 0.01);
    }

    [Fact]
    public void Temperature_sharpens()
    {
        double[] shares = Shares(Plain with { Temperature = 0.5f });
        double[] expected = [0.01 / 0.3, 0.16 / 0.3, 0.04 / 0.3, 0.09 / 0.3];
        for (int i = 0; i < 4; i++) Assert.Equal(expected[i], shares[i], 0.01);
    }

    [Theory]
    [InlineData(0.35f, 0, 1, 0, 0)]
    [InlineData(0.45f, 0, 4, 0, 3)]
    [InlineData(0.69f, 0, 4, 0, 3)]
    [InlineData(0.75f, 0, 4, 2, 3)]
    [InlineData(0.95f, 1, 4, 2, 3)]
    public void Top_p_keeps_the_smallest_prefix_that_reaches_it(float topP, params int[] kept) =>
        AssertShares(kept, Shares(Plain with { TopP = topP }));

    [Theory]
    [InlineData(1, 0, 1, 0, 0)]
    [InlineData(2, 0, 4, 0, 3)]
    [InlineData(3, 0, 4, 2, 3)]
    [InlineData(4, 1, 4, 2, 3)]
    [InlineData(99, 1, 4, 2, 3)]
    public void Top_k_keeps_the_most_likely(int topK, params int[] kept) =>
        AssertShares(kept, Shares(Plain with { TopK = topK }));

    [Fact]
    public void Top_p_is_a_share_of_what_top_k_left()
    {
        // Of 0.4 and 0.3 the first is 0.571: enough for 0.55, though not of everything.
        AssertShares([0, 1, 0, 0], Shares(Plain with { TopK = 2, TopP = 0.55f }));
        AssertShares([0, 4, 0, 3], Shares(Plain with { TopK = 2, TopP = 0.6f }));
    }

    [Fact]
    public void Ties_are_kept_by_lowest_id() =>
        AssertShares([1, 1, 0, 0], Shares(Plain with { TopK = 2 }, [0, 0, 0, 0]));

    [Fact]
    public void A_repeated_token_is_penalised_once()
    {
        var settings = GenerationSettings.Greedy with { RepetitionPenalty = 2 };
        Assert.Equal(0, new Sampler(3).Sample([3, 2, -1], settings, [], 0));
        Assert.Equal(1, new Sampler(3).Sample([3, 2, -1], settings, [0, 0], 0));
        Assert.Equal(1, new Sampler(2).Sample([-2, -3], settings, [0, 0, 0], 0));
        Assert.Equal(0, new Sampler(2).Sample([-2, -4.1f], settings, [0, 0, 0], 0));
    }

    [Fact]
    public void Impossible_tokens_are_never_drawn()
    {
        float minus = float.NegativeInfinity;
        AssertShares([0, 1, 0, 0], Shares(Plain, [minus, 0, minus, minus]));
        AssertShares([0, 1, 0, 0], Shares(Plain with { TopP = 0.999f }, [minus, 0, minus, minus]));
        AssertShares([0, 1, 0, 0], Shares(Plain with { TopK = 3 }, [minus, 0, minus, minus]));
    }

    [Fact]
    public void The_same_seed_and_step_draw_the_same()
    {
        int[] a = [.. Enumerable.Range(0, 50).Select(step => new Sampler(4).Sample(Logits, Plain with { Seed = 3 }, [], step))];
        var sampler = new Sampler(4);
        Assert.Equal(a, Enumerable.Range(0, 50).Select(step => sampler.Sample(Logits, Plain with { Seed = 3 }, [], step)));
        Assert.NotEqual(a, Enumerable.Range(0, 50).Select(step => sampler.Sample(Logits, Plain with { Seed = 4 }, [], step)));
    }

    [Fact]
    public void Kept_tokens_equal_those_of_a_full_sort()
    {
        var random = new Random(5);
        var sampler = new Sampler(300);
        for (int round = 0; round < 50; round++)
        {
            float[] logits = [.. Enumerable.Range(0, 300).Select(_ => MathF.Round(random.NextSingle() * 8, 1))];
            int topK = random.Next(0, 60);
            float topP = 0.05f + (random.NextSingle() * 0.9f);
            int[] sorted = [.. Enumerable.Range(0, 300).OrderByDescending(i => logits[i]).ThenBy(i => i)];
            int[] order = sorted[..(topK == 0 ? 300 : topK)];
            double total = order.Sum(i => Math.Exp(logits[i])), sum = 0;
            var kept = new HashSet<int>();
            foreach (int id in order)
            {
                if (sum < topP * total) kept.Add(id);
                sum += Math.Exp(logits[id]);
            }
            for (int step = 0; step < 20; step++)
                Assert.Contains(sampler.Sample(logits, new() { Temperature = 1, TopK = topK, TopP = topP }, [], step), kept);
        }
    }

    [Fact]
    public void Diverged_logits_are_an_error()
    {
        Assert.Throws<ArgumentException>(() => new Sampler(2).Sample([0, float.NaN], Plain, [], 0));
        Assert.Throws<ArgumentException>(() => new Sampler(2).Sample([0, float.PositiveInfinity], Plain, [], 0));
        Assert.Throws<ArgumentException>(() => new Sampler(3).Sample([0, 0], Plain, [], 0));
    }

    [Fact]
    public void Impossible_settings_are_all_reported()
    {
        GenerationSettings wrong = new() { MaxTokens = -1, Temperature = float.NaN, TopK = -1, TopP = 0, RepetitionPenalty = 0f };
        Assert.Equal(5, wrong.Validate().Count);
        Assert.Empty(new GenerationSettings().Validate());
        Assert.Empty(GenerationSettings.Greedy.Validate());
    }

    private static double[] Shares(GenerationSettings settings, float[]? logits = null)
    {
        var sampler = new Sampler(4);
        var counts = new double[4];
        const int Draws = 20_000;
        for (int step = 0; step < Draws; step++) counts[sampler.Sample(logits ?? Logits, settings, [], step)] += 1.0 / Draws;
        return counts;
    }

    private static void AssertShares(int[] ratio, double[] shares)
    {
        for (int i = 0; i < ratio.Length; i++)
        {
            if (ratio[i] == 0) Assert.Equal(0, shares[i]);
            else Assert.Equal((double)ratio[i] / ratio.Sum(), shares[i], 0.015);
        }
    }
}
