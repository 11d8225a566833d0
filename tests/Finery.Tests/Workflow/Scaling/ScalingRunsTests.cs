using System.Text.Json.Nodes;
using Finery.Training.Scaling;
using Finery.Workflow.Recipes;
using Finery.Workflow.Runs;
using Finery.Workflow.Scaling;
using Finery.Workflow.Steps;
using Xunit;

namespace Finery.Tests.Workflow.Scaling;

/// <summary>Reports the loss of the published law.</summary>
internal sealed record LawfulPretrain : Step
{
    public double Parameters { get; init; }

    public long Tokens { get; init; }

    public bool Fail { get; init; }

    public override IReadOnlyList<StepOutput> Outputs => [];

    public override void Run(StepContext context)
    {
        if (Fail) throw new InvalidDataException("no luck");
        context.Summary["parameters"] = Parameters;
        context.Summary["tokens"] = Tokens;
        context.Summary["epochs"] = 4.0;
        context.Summary["final_loss"] = ScalingLaw.Refit.Loss(Parameters, Tokens, Tokens / 4.0);
        if (Tokens > 1_000_000) context.Summary["validation_loss"] = 9.0;
    }
}

/// <summary>Says of a model how well it answers.</summary>
internal sealed record LawfulEvaluate : Step
{
    public string Of { get; init; } = "";

    public override IReadOnlyList<StepOutput> Outputs => [];

    public override void Run(StepContext context) => context.Summary["rows"] = new JsonArray(
        new JsonObject
        {
            ["name"] = Of, ["answer_nats"] = new JsonObject { ["value"] = 1.5 }, ["accuracy_norm"] = new JsonObject { ["value"] = 0.6 },
        },
        new JsonObject { ["name"] = "brotli" });
}

public sealed class ScalingRunsTests : IDisposable
{
    private static readonly RecipeSchema s_schema = new(new Dictionary<string, Type>
    {
        ["pretrain"] = typeof(LawfulPretrain), ["evaluate"] = typeof(LawfulEvaluate),
    }, []);

    private readonly Folder _folder = new();

    public void Dispose() => _folder.Dispose();

    private string Run(params string[] steps)
    {
        string yaml = "name: runs\nsteps:\n" + string.Concat(steps.Select((step, i) =>
            $"  p{i}: {{{(step.StartsWith("of:", StringComparison.Ordinal) ? "type: evaluate" : "type: pretrain")}, {step}}}\n"));
        var recipe = RecipeFile.Parse(yaml, "test.yaml", _folder["run"], [], s_schema);
        Assert.Empty(recipe.Errors);
        new Runner(s_schema).Run(recipe.Recipe!, _folder["run"], new RunOptions { Threads = 1 }, new SilentObserver(), default);
        return _folder["run"];
    }

    [Fact]
    public void Finished_pretraining_steps_become_points_with_their_unique_tokens()
    {
        string folder = Run("parameters: 1e6, tokens: 4000000", "parameters: 2e6, tokens: 1000000", "parameters: 2e6, tokens: 8000000, fail: true");
        var runs = ScalingRuns.Load(folder);
        Assert.Equal(["run/p0", "run/p1"], runs.Select(run => run.Name));
        Assert.Equal(new ScalingPoint(1e6, 4e6, 1e6, ScalingLaw.Refit.Loss(1e6, 4e6, 1e6)), runs[0].Point);
        Assert.Equal(24e12, runs[0].Operations);
        // Only one of them has this figure.
        Assert.Equal(9, Assert.Single(ScalingRuns.Load(folder, "validation_loss")).Point.Loss);
    }

    [Fact]
    public void Runs_have_what_evaluations_say_of_their_models()
    {
        var runs = ScalingRuns.Load(Run("parameters: 1e6, tokens: 4000000", "parameters: 2e6, tokens: 1000000", "of: p1"));
        Assert.Equal((double.NaN, double.NaN), (runs[0].Nll, runs[0].Accuracy));
        Assert.Equal((1.5, 0.6), (runs[1].Nll, runs[1].Accuracy));
    }

    [Fact]
    public void A_folder_without_runs_says_so()
    {
        Assert.Contains("no finished 'pretrain' step", Assert.Throws<RecipeException>(() => ScalingRuns.Load(Run("fail: true"))).Message);
        Assert.Throws<RunFolderException>(() => ScalingRuns.Load(_folder.Path));
    }

    [Fact]
    public void Few_runs_are_fitted_with_published_exponents_and_predict_the_largest()
    {
        string[] sizes = ["1e6", "2e6", "4e6"], lengths = ["4000000", "16000000"];
        var runs = ScalingRuns.Load(Run([.. from size in sizes from length in lengths select $"parameters: {size}, tokens: {length}"]));
        var study = LossStudy.Make(runs, ScalingRuns.Counting, new() { Exponents = ScalingLaw.Refit, Holdout = "largest" });
        Assert.Equal("constants", study.Method);
        Assert.Equal((4e6, 16e6, 0.0), (study.HeldOut!.Parameters, study.HeldOut.Tokens, Math.Round(study.HeldOut.ErrorPercent, 6)));
        Assert.Equal(ScalingLaw.Refit.E, study.Law.E, 1e-6);
        Assert.Equal((24e12, 6 * 2e6 * 16e6), (study.LeastOperations, study.MostOperations));
    }

    [Fact]
    public void Repetitions_of_the_run_held_out_are_held_out_too()
    {
        var runs = (from seed in new[] { 1, 2 }
            from size in new[] { 1e6, 2e6, 4e6 }
            from tokens in new[] { 1e7, 4e7 }
            select new ScalingRun($"s{seed}/{size}/{tokens}",
                new(size, tokens, 1e9, ScalingLaw.Refit.Loss(size, tokens) + 0.001 * seed), 6 * size * tokens)).ToArray();
        var study = LossStudy.Make(runs, "all", new() { Exponents = ScalingLaw.Refit, Holdout = "largest" });
        Assert.Equal(10, study.Runs.Count);
        Assert.DoesNotContain(study.Runs, run => run.Parameters == 4e6 && run.Tokens == 4e7);
    }

    [Fact]
    public void A_study_is_read_back_as_a_law()
    {
        var runs = (from size in new[] { 1e6, 2e6, 4e6 }
            from tokens in new[] { 1e7, 4e7 }
            select new ScalingRun($"{size}/{tokens}", new(size, tokens, 1e9, ScalingLaw.Refit.Loss(size, tokens)), 6 * size * tokens)).ToArray();
        var study = LossStudy.Make(runs, "all", new() { Resamples = 5, Seed = 1 });
        Assert.Contains(study.Warnings, warning => warning.Contains("6 runs for five figures"));
        var law = FittedLaw.Load(_folder.Write("law.json", study.ToJson()));
        Assert.Equal(study.Law.Optimum(1e15), (law.Plan(1e15).Parameters, law.Plan(1e15).Tokens));
        Assert.Equal((study.LeastOperations, study.MostOperations, "all"), (law.LeastOperations, law.MostOperations, law.Counting));
        foreach (string text in new[] { "{\"law\": 1}", "{}", "[]", "", "{\"budgets\": [{}]}" })
            Assert.Throws<RecipeException>(() => FittedLaw.Load(_folder.Write("other.json", text)));
    }
}
