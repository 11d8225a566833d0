using Finery.Tensors;
using Finery.Training.Losses;
using Finery.Training.Losses.Distillation;
using Finery.Training.Losses.MultiToken;
using Finery.Workflow.Recipes;
using Finery.Workflow.Steps;
using Xunit;

namespace Finery.Tests.Workflow;

/// <summary>What is minimised, as recipes say it.</summary>
public class ObjectiveRecipeTests
{
    private sealed record Learn : Step
    {
        public TrainingObjective Objective { get; init; } = new NextTokenObjective();

        public override IReadOnlyList<StepOutput> Outputs => [new("model", ArtifactKind.Model)];

        public override void Run(StepContext context)
        {
        }
    }

    private static RecipeResult Parse(string settings) => RecipeFile.Parse(
        "name: a\nsteps:\n  learn:\n    type: learn\n" + string.Concat(settings.Split('\n').Select(line => $"    {line}\n")), "test.yaml", Path.GetTempPath(), [],
        RecipeSchema.Default with { Steps = new Dictionary<string, Type> { ["learn"] = typeof(Learn) } });

    private static TrainingObjective Read(string settings)
    {
        var result = Parse(settings);
        Assert.Equal([], result.Errors.Select(error => error.ToString()));
        return ((Learn)Assert.Single(result.Recipe!.Steps).Step).Objective;
    }

    [Fact]
    public void Objectives_are_told_apart_by_their_key()
    {
        Assert.IsType<NextTokenObjective>(Read("objective: next_token"));
        var multi = Assert.IsType<MultiTokenObjective>(Read("""
            objective:
              objective: multi_token
              form: shared
              ahead: 2
              schedule:
                - { at: 0, weights: [0.5, 0.25] }
                - { at: 0.5, weights: [0, 0] }
            """));
        Assert.Equal((MultiTokenForm.Shared, 2, .5), (multi.Form, multi.Ahead, multi.Schedule![0].Weights[0]));
        var sequential = Assert.IsType<MultiTokenObjective>(Read("objective: { objective: multi_token, form: sequential, lambda: 0.1, weights: [1] }"));
        Assert.Equal((.1, 1.0), (sequential.Lambda!.Value, sequential.Weights![0]));
        var distillation = Assert.IsType<DistillationObjective>(Read("""
            objective:
              objective: distillation
              teacher: models/large
              alpha: 0.9
              divergence: jensen_shannon
              temperature: 2
              features: { weight: 0.5, layers: [4, 8], measure: cosine }
              attention: { layers: [8] }
            """));
        Assert.Equal(("models/large", .9, Divergence.JensenShannon, 2.0), (distillation.Teacher, distillation.Alpha, distillation.Divergence, distillation.Temperature));
        Assert.Equal((RowMeasure.Cosine, 8), (distillation.Features!.Measure, distillation.Features.Layers![1]));
        Assert.Equal((.1, 8), (distillation.Attention!.Weight, distillation.Attention.Layers!.Single()));
        Assert.True(Assert.IsType<DistillationObjective>(Read("objective: { objective: distillation, cache: kept, remainder: true }")).Remainder);
    }

    [Fact]
    public void Faults_are_reported_at_their_keys()
    {
        static string[] Errors(string settings) => [.. Parse(settings).Errors.Select(error => error.ToString())];
        string[] multi = Errors("objective: { objective: multi_token, ahead: 2, weights: [1], lambda: -1 }");
        foreach (string part in (string[])["expected 2 finite numbers", "must be a finite number from 0"])
            Assert.Single(multi, error => error.Contains(part, StringComparison.Ordinal));
        Assert.Contains(Errors("objective: { objective: distillation, alpha: 2 }"), error => error.Contains("2; expected 0 to 1", StringComparison.Ordinal));
        Assert.Contains(Errors("objective: { objective: multi_tokens }"), error => error.Contains("multi_token", StringComparison.Ordinal));
    }
}
