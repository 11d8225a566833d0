using Finery.Models;
using Finery.Training.Scaling;
using Xunit;

namespace Finery.Tests.Training.Scaling;

public class ScalingTests
{
    private static PlanRequest Request(double flopsPerSecond = 1e11, double seconds = 400, long uniqueTokens = 5_000_000) => new()
    {
        Speeds = [new(ComputeOptimalPlan.Shapes(4096, 256).First(), flopsPerSecond)],
        Seconds = seconds, UniqueTokens = uniqueTokens, VocabSize = 4096, SequenceLength = 256,
    };

    [Fact]
    public void Optimum_is_that_of_the_published_fits()
    {
        var (parameters, tokens) = ScalingLaw.Chinchilla.Optimum(1e21);
        Assert.Equal(1.824e9, parameters, 1e6);
        Assert.Equal(9.136e10, tokens, 1e7);
        Assert.Equal(2.3289, ScalingLaw.Chinchilla.Loss(parameters, tokens), 5e-5);
        (parameters, tokens) = ScalingLaw.Refit.Optimum(1e21);
        Assert.Equal(2.779e9, parameters, 1e6);
        Assert.Equal(5.998e10, tokens, 1e7);
        Assert.Equal(2.3055, ScalingLaw.Refit.Loss(parameters, tokens), 5e-5);
    }

    [Fact]
    public void Loss_is_that_of_the_published_fits()
    {
        Assert.Equal(2.580048, ScalingLaw.Chinchilla.Loss(1e9, 2e10), 5e-7);
        Assert.Equal(2.530050, ScalingLaw.Refit.Loss(1e9, 2e10), 5e-7);
    }

    [Fact]
    public void Hyperparameter_laws_are_those_of_DeepSeek()
    {
        Assert.Equal(9.860e-4, ComputeOptimalPlan.LearningRateFor(1e20), 1e-7);
        Assert.Equal(1.017e6, ComputeOptimalPlan.BatchTokensFor(1e20), 1e3);
        Assert.Equal(8e-3, ComputeOptimalPlan.LearningRateFor(1e10));
    }

    [Fact]
    public void Repeated_tokens_count_less_and_less()
    {
        Assert.Equal(1e6, ScalingLaw.EffectiveTokens(1e6, 2e6));
        Assert.Equal(1e6 * (1 + 15.387756 * (1 - Math.Exp(-3 / 15.387756))), ScalingLaw.EffectiveTokens(4e6, 1e6), 1e-3);
        Assert.InRange(ScalingLaw.EffectiveTokens(4e6, 1e6), 3.5e6, 4e6);
        Assert.InRange(ScalingLaw.EffectiveTokens(1e9, 1e6), 16.3e6, 16.4e6);
        Assert.True(ScalingLaw.Refit.Loss(1e6, 4e6, 1e6) > ScalingLaw.Refit.Loss(1e6, 4e6));
    }

    [Fact]
    public void The_plan_is_the_best_of_its_candidates_and_fits_the_time()
    {
        var plan = ComputeOptimalPlan.Make(Request());
        Assert.All(plan.Candidates, candidate => Assert.True(candidate.PredictedLoss >= plan.Chosen.PredictedLoss));
        Assert.All(plan.Candidates, candidate => Assert.Empty(candidate.Config.Validate()));
        Assert.All(plan.Candidates, candidate => Assert.InRange(candidate.Epochs, 0, 6.0001));
        double tokens = plan.Steps * plan.RowsPerBatch * 256.0;
        double seconds = tokens * plan.Chosen.Config.TrainingFlopsPerToken(256) / plan.Chosen.FlopsPerSecond;
        Assert.InRange(seconds, 0, 400);
        Assert.True(plan.Steps >= 300 || plan.RowsPerBatch == 1);
        Assert.InRange(plan.PeakLearningRate, 1e-3, 8e-3);
    }

    [Fact]
    public void More_compute_buys_a_larger_model()
    {
        var small = ComputeOptimalPlan.Make(Request(1e10, uniqueTokens: 1_000_000_000));
        var large = ComputeOptimalPlan.Make(Request(1e13, uniqueTokens: 1_000_000_000));
        Assert.True(large.Chosen.Config.ParameterCount > 4 * small.Chosen.Config.ParameterCount);
        Assert.True(large.Chosen.Tokens > 4 * small.Chosen.Tokens);
    }

    [Fact]
    public void Little_text_caps_the_tokens()
    {
        var plan = ComputeOptimalPlan.Make(Request(1e13, uniqueTokens: 100_000));
        Assert.InRange(plan.Chosen.Tokens, 1, 600_000);
        Assert.InRange(plan.Chosen.Epochs, 5.9, 6.0001);
    }

    [Fact]
    public void Speed_between_two_measured_shapes_is_interpolated()
    {
        var shapes = ComputeOptimalPlan.Shapes(4096, 256).ToArray();
        var plan = ComputeOptimalPlan.Make(Request() with
        {
            Speeds = [new(shapes[^1], 4e11), new(shapes[0], 1e11)], MemoryBytes = long.MaxValue,
        });
        Assert.Equal(1e11, plan.Candidates[0].FlopsPerSecond, 1);
        Assert.Equal(4e11, plan.Candidates[^1].FlopsPerSecond, 1);
        Assert.All(plan.Candidates, candidate => Assert.InRange(candidate.FlopsPerSecond, 1e11, 4e11));
    }

    [Fact]
    public void Impossible_requests_are_refused()
    {
        Assert.Throws<ArgumentException>(() => ComputeOptimalPlan.Make(Request(seconds: 0)));
        Assert.Throws<ArgumentException>(() => ComputeOptimalPlan.Make(Request(flopsPerSecond: double.NaN)));
        Assert.Throws<ArgumentException>(() => ComputeOptimalPlan.Make(Request(uniqueTokens: 0)));
        Assert.Throws<ArgumentException>(() => ComputeOptimalPlan.Make(Request() with { MemoryBytes = 1000 }));
    }

    [Fact]
    public void The_probe_measures_something()
    {
        using var kernels = new Finery.Tensors.CpuKernels(1);
        ModelConfig config = TinyModel.Config;
        Assert.True(ThroughputProbe.Measure(kernels, config, rows: 2, seconds: 0.01).FlopsPerSecond > 1e4);
        Assert.True(ThroughputProbe.PeakFlops(kernels, seconds: 0.01, size: 64) > 1e4);
    }
}
