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
