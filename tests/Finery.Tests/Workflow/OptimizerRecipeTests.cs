using Finery.Training.Optimizers;
using Finery.Training.Schedules;
using Finery.Workflow.Recipes;
using Finery.Workflow.Steps;
using Xunit;

namespace Finery.Tests.Workflow;

/// <summary>Optimizer, clipping and schedule as recipes name them.</summary>
public class OptimizerRecipeTests
{
    private sealed record Learn : Step
    {
        public OptimizerSettings Optimizer { get; init; } = new AdamWOptimizerSettings();

        public GradientClip Clip { get; init; } = new GlobalNormClip();

        public LearningRateSchedule Schedule { get; init; } = new Constant();

        public override IReadOnlyList<StepOutput> Outputs => [new("model", ArtifactKind.Model)];

        public override void Run(StepContext context)
        {
        }
    }

    private static RecipeResult Parse(string settings) => RecipeFile.Parse(
        "name: a\nsteps:\n  learn:\n    type: learn\n" + string.Concat(settings.Split('\n').Select(line => $"    {line}\n")), "test.yaml", Path.GetTempPath(), [],
        RecipeSchema.Default with { Steps = new Dictionary<string, Type> { ["learn"] = typeof(Learn) } });

    [Fact]
    public void Families_are_told_apart_by_their_key()
    {
        var result = Parse("""
            optimizer:
              optimizer: muon
              momentum_warmup: 300
              iteration: polar_express
              rest: { beta1: 0.8, rate_scale: 3 }
              groups:
                - { pattern: norm, weight_decay: 0.1 }
              no_decay: [embed_tokens]
              qk_clip: { threshold: 50, rule: query_only }
            clip: zclip
            schedule: { schedule: wsd, peak: 0.0002, warmup_steps: 2000, decay_share: 0.1, shape: inverse_square_root }
            """);
        Assert.Equal([], result.Errors.Select(error => error.ToString()));
        var step = (Learn)Assert.Single(result.Recipe!.Steps).Step;
        var muon = Assert.IsType<MuonOptimizerSettings>(step.Optimizer);
        Assert.Equal((300, .8, 3.0), (muon.MomentumWarmup, muon.Rest.Beta1, muon.Rest.RateScale));
        Assert.Equal(("norm", 0.1), (muon.Groups[0].Pattern, muon.Groups[0].WeightDecay));
        Assert.Equal(50, muon.QkClip!.Threshold);
        Assert.IsType<ZClip>(step.Clip);
        Assert.Equal((2e-4, .1, DecayShape.InverseSquareRoot), step.Schedule is WarmupStableDecay wsd ? (wsd.Peak, wsd.DecayShare!.Value, wsd.Shape) : default);
    }

    [Fact]
    public void Faults_are_reported_at_their_keys()
    {
        var result = Parse("""
            optimizer:
              optimizer: adamw
              beta1: 1
              groups: [{ pattern: "(" }]
            clip: { clip: global_norm, norm: 0 }
            schedule: { schedule: cosine, warmup_steps: 5, warmup_share: 0.1 }
            """);
        string[] errors = [.. result.Errors.Select(error => error.ToString())];
        foreach (string part in (string[])["beta1 is 1", "groups '('", "norm is 0", "not both"])
            Assert.Single(errors, error => error.Contains(part, StringComparison.Ordinal));
    }
}
