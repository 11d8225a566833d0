using Finery.Data.Batches.Mixing;
using Xunit;

namespace Finery.Tests.Data.Batches.Mixing;

public class DataScheduleTests
{
    private static readonly string[] Sources = ["web", "code"];

    private static DataStage Stage(StageData data, long? steps = null, long? tokens = null) =>
        new() { Name = "one", Data = data, Steps = steps, Tokens = tokens };

    private static Dictionary<string, double> Mix(double web, double code) => new() { ["web"] = web, ["code"] = code };

    /// <summary>Llama 3 405B: 4M tokens at 4,096, then 8M at 8,192 after 252M tokens, then 16M after 2.87T (reference section 3).</summary>
    [Fact]
    public void The_ramp_of_Llama_405B_switches_at_its_exact_tokens()
    {
        const long M = 1 << 20;
        var schedule = DataSchedule.Create(["all"], [Stage(new()
        {
            Rows = 1024, SequenceLength = 4096,
            Ramp = [new() { AfterTokens = 252 * M, SequenceLength = 8192 }, new() { AfterTokens = 2_870_000_000_000, Rows = 2048 }],
        }, tokens: 15_600_000_000_000)], 1, 2);
        Assert.Equal([(1024, 4096), (1024, 8192), (2048, 8192)], schedule.Phases.Select(phase => (phase.Rows, phase.Length)));
        Assert.Equal([4 * M, 8 * M, 16 * M], schedule.Phases.Select(phase => phase.TokensPerStep));
        Assert.Equal(63, schedule.Phases[0].Steps);
        Assert.Equal(252 * M, schedule.Phases[1].FirstToken);
        Assert.InRange(schedule.Phases[2].FirstToken, 2_870_000_000_000, 2_870_000_000_000 + (8 * M) - 1);
        Assert.InRange(schedule.Tokens, 15_600_000_000_000, 15_600_000_000_000 + (16 * M) - 1);
        long step = 0, token = 0;
        foreach (DataPhase phase in schedule.Phases)
        {
            Assert.Equal((step, token), (phase.FirstStep, phase.FirstToken));
            step += phase.Steps;
            token += phase.Steps * phase.Rows * phase.Length;
        }
        Assert.Equal((step, token), (schedule.Steps, schedule.Tokens));
    }

    [Fact]
    public void A_switch_comes_at_the_end_of_the_step_that_reaches_it()
    {
        var schedule = DataSchedule.Create(Sources, [Stage(new()
        {
            Mix = Mix(3, 1), Ramp = [new() { AfterTokens = 100, Rows = 3 }, new() { AfterTokens = 130, Rows = 4 }, new() { AfterTokens = 131, Rows = 5 }],
        }, steps: 10)], rows: 2, length: 16);
        Assert.Equal([(0, 4, 2, 0), (4, 1, 3, 128), (5, 5, 5, 176)],
            schedule.Phases.Select(phase => ((int)phase.FirstStep, (int)phase.Steps, phase.Rows, (int)phase.FirstToken)));
        Assert.Equal([.75, .25], schedule.Phases[2].Weights);
        Assert.Equal([0, 0, 0, 0, 1, 2, 2, 2, 2, 2, 2, 2], Enumerable.Range(0, 12).Select(step => schedule.PhaseAt(step)));
        Assert.Equal([0L, 32, 64, 96, 128, 176, 256], Enumerable.Range(0, 7).Select(step => schedule.TokensBefore(step)));
        Assert.Equal(schedule.TokensBefore(10), schedule.Tokens);
        for (long tokens = 0; tokens <= 900; tokens++)
        {
            long step = schedule.StepReaching(tokens);
            Assert.True(schedule.TokensBefore(step) >= tokens && (step == 0 || schedule.TokensBefore(step - 1) < tokens), $"{tokens} tokens");
        }
    }

    [Fact]
    public void Stages_go_on_with_what_they_do_not_name()
    {
        var schedule = DataSchedule.Create(Sources,
        [
            Stage(new() { Mix = Mix(0, 2), Rows = 4, Ramp = [new() { AfterTokens = 64, SequenceLength = 32 }] }, steps: 9),
            Stage(new() { Mix = Mix(1e308, 1e308) }, tokens: 1000),
            Stage(new() { SequenceLength = 8 }, steps: 1),
        ], rows: 1, length: 16);
        Assert.Equal([(0, 4, 16), (0, 4, 32), (1, 4, 32), (2, 4, 8)], schedule.Phases.Select(phase => (phase.Stage, phase.Rows, phase.Length)));
        Assert.Equal([1L, 8, 8, 1], schedule.Phases.Select(phase => phase.Steps));
        Assert.Equal([0.0, 1], schedule.Phases[0].Weights);
        Assert.Equal([.5, .5], schedule.Phases[2].Weights);
        Assert.Same(schedule.Phases[2].Weights, schedule.Phases[3].Weights);
    }

    [Fact]
    public void Every_fault_is_reported_at_once()
    {
        string all = Assert.Throws<ArgumentException>(() => DataSchedule.Create(["web", "code", "web"],
        [
            Stage(new() { Mix = new Dictionary<string, double> { ["wbe"] = -1, ["code"] = double.NaN } }, steps: 1, tokens: 1),
            Stage(new() { Mix = Mix(0, 0), Rows = 0, SequenceLength = 1, Ramp = [new() { AfterTokens = 5 }, new() { AfterTokens = 5, Rows = 1 }] }),
            Stage(new() { Mix = Mix(double.PositiveInfinity, 1) }, steps: 0),
        ], 0, 4)).Message;
        foreach (string part in new[]
        {
            "'web'", "too small", "no source 'wbe'", "'wbe' is -1", "'code' is NaN", "either steps or tokens", "every weight is 0", "rows is 0",
            "sequence_length is 1", "neither rows nor sequence_length", "must be more than 5", "'web' is ∞", "at least one step",
        })
        {
            Assert.Contains(part.Replace("∞", double.PositiveInfinity.ToString()), all);
        }
        Assert.Contains("must name its mix", Fault(new(), 1));
        Assert.Contains("ends before", Fault(new() { Mix = Mix(1, 1), Ramp = [new() { AfterTokens = 40, Rows = 2 }] }, 2));
        Assert.Contains("too large", Fault(new() { Mix = Mix(1, 1), Rows = int.MaxValue, SequenceLength = int.MaxValue }, 1));
        Assert.Contains("be counted", Fault(new() { Mix = Mix(1, 1) }, long.MaxValue));
        DataStage half = Stage(new() { Mix = Mix(1, 1) }, steps: long.MaxValue / 30);
        Assert.Contains("be counted", Assert.Throws<ArgumentException>(() => DataSchedule.Create(Sources, [half, half], 1, 20)).Message);

        static string Fault(StageData data, long steps) =>
            Assert.Throws<ArgumentException>(() => DataSchedule.Create(Sources, [Stage(data, steps)], 1, 20)).Message;
    }
}
