using Finery.Training.Schedules;
using Xunit;

namespace Finery.Tests.Training.Schedules;

public class LearningRateScheduleTests
{
    [Theory]
    [InlineData(0, 1e-8)]
    [InlineData(7_999, 8e-5)]
    [InlineData(604_000, 4.04e-5)]
    [InlineData(1_200_000, 8e-7)]
    public void Cosine_is_that_of_Llama_405B(long step, double expected)
    {
        var schedule = new Cosine { Peak = 8e-5, WarmupSteps = 8000, Floor = 0.01 };
        Assert.Equal(1, schedule.At(step, 1_200_000) / expected, 1e-9);
    }

    [Theory] // The published steps count from 1.
    [InlineData(1_000, 1e-4)]
    [InlineData(4_198_001, 2e-4)]
    [InlineData(4_328_501, 1.5e-4)]
    [InlineData(4_459_001, 1e-4)]
    public void Warmup_stable_decay_is_that_of_SmolLM3(long step, double expected)
    {
        var schedule = new WarmupStableDecay { Peak = 2e-4, WarmupSteps = 2000, DecaySteps = 522_000 };
        Assert.Equal(1, schedule.At(step - 1, 4_720_000) / expected, 1e-9);
    }

    [Theory] // The same numbers as the rule of nanotron gives them: a step later, the first at zero.
    [InlineData(0, 0)]
    [InlineData(1_000, 1e-4)]
    [InlineData(4_198_001, 2e-4)]
    [InlineData(4_328_501, 1.5e-4)]
    [InlineData(4_459_001, 1e-4)]
    public void Warmup_from_zero_is_the_rule_of_nanotron(long step, double expected)
    {
        var schedule = new WarmupStableDecay { Peak = 2e-4, WarmupSteps = 2000, DecaySteps = 522_000, WarmupFromZero = true };
        Assert.Equal(expected, schedule.At(step, 4_720_000), 1e-13);
    }

    [Fact]
    public void Lengths_may_be_shares_of_the_run()
    {
        var shares = new WarmupStableDecay { WarmupShare = .01, DecayShare = .2, Shape = DecayShape.Cosine, Floor = .1 };
        var steps = new WarmupStableDecay { WarmupSteps = 10, DecaySteps = 200, Shape = DecayShape.Cosine, Floor = .1 };
        for (int step = 0; step <= 1000; step++) Assert.Equal(steps.At(step, 1000), shares.At(step, 1000));
        Assert.Equal(1e-3 * (.1 + .9 * .5), shares.At(900, 1000), 1e-15);
        Assert.Equal(1e-4, shares.At(1000, 1000), 1e-15);
        Assert.Empty(shares.Validate(1000));
        Assert.Contains("not both", Assert.Single((shares with { WarmupSteps = 3 }).Validate(1000)), StringComparison.Ordinal);
        Assert.Equal(2, (shares with { WarmupShare = -1, DecayShare = 2 }).Validate().Count());
        Assert.Single((shares with { WarmupShare = .9 }).Validate(1000));
    }

    [Fact]
    public void A_fresh_warm_up_rises_to_the_full_rate()
    {
        var warm = new Rewarmup(FirstStep: 100, Steps: 4);
        Assert.Equal([1, .25, .5, .75, 1, 1], Enumerable.Range(99, 6).Select(step => warm.At(step)));
        Assert.Equal(1, new Rewarmup(5, 0).At(5));
    }

    [Fact]
    public void Adam_learns_faster_from_larger_batches_by_the_root()
    {
        Assert.Equal(Math.Sqrt(2), BatchScaling.AdamRate(4e6, 8e6), 1e-15);
        Assert.Throws<ArgumentOutOfRangeException>(() => BatchScaling.AdamRate(0, 1));
    }

    [Fact]
    public void Inverse_square_root_decay_falls_faster_to_the_same_floor()
    {
        var schedule = new WarmupStableDecay { Peak = 1, DecaySteps = 100, Floor = 0.1, Shape = DecayShape.InverseSquareRoot };
        Assert.Equal(0.1 + 0.9 * 0.5, schedule.At(225, 300), 1e-12);
        Assert.Equal(0.1, schedule.At(300, 300), 1e-12);
        Assert.Equal(1, schedule.At(200, 300));
    }

    [Fact]
    public void Constant_warms_up_and_stays()
    {
        var schedule = new Constant { Peak = 2, WarmupSteps = 4 };
        Assert.Equal([0.5, 1, 1.5, 2, 2, 2], Enumerable.Range(0, 6).Select(step => schedule.At(step, 6)));
    }

    [Fact]
    public void Impossible_settings_are_reported_together()
    {
        var errors = new WarmupStableDecay { Peak = double.NaN, WarmupSteps = 8, DecaySteps = 8 }.Validate(10).ToArray();
        Assert.Equal(2, errors.Length);
        Assert.Contains("do not fit into 10 steps", errors[1], StringComparison.Ordinal);
        Assert.Empty(new WarmupStableDecay { WarmupSteps = 2, DecaySteps = 8 }.Validate(10));
        Assert.Single(new Cosine { WarmupSteps = 11 }.Validate(10));
    }
}
