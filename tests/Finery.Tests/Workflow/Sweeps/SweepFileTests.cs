using Finery.Workflow.Steps;
using Finery.Workflow.Sweeps;
using Xunit;

namespace Finery.Tests.Workflow.Sweeps;

public sealed class SweepFileTests : IDisposable
{
    private const string Head = "name: test\nrecipe: base.yaml\nmetric: pretrain.final_loss\n";

    private readonly SweepFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void What_no_trial_changes_stands_once_and_the_rest_once_a_trial()
    {
        var sweep = _folder.Expand(Head + """
            parameters:
              pretrain.learning_rate: {values: [0.1, 1e-2]}
            variants:
              plain:
              fast: {pretrain.optimizer: fast}
            seeds: [1, 2]
            """);
        Assert.Equal(8, sweep.Trials.Count);
        Assert.Equal(2 + 2 * 8, sweep.Recipe.Steps.Count);
        Assert.Equal(["corpus", "clean", "pretrain-plain-0_1-s1", "evaluate-plain-0_1-s1", "pretrain-plain-1e-2-s1"],
            sweep.Recipe.Steps.Take(5).Select(step => step.Name));
        var trial = sweep.Trials[^1];
        Assert.Equal(("fast-1e-2-s2", "fast", 2ul, "1e-2"), (trial.Name, trial.Variant, trial.Seed, (string?)trial.Parameters["pretrain.learning_rate"]));
        var pretrain = sweep.Recipe.Steps.Single(step => step.Name == trial.Steps["pretrain"]);
        Assert.Equal((0.01, "fast"), (((FakeTrain)pretrain.Step).LearningRate, ((FakeTrain)pretrain.Step).Optimizer));
        Assert.Equal(["clean"], pretrain.Inputs().Select(input => input.Artifact.Producer));
        var evaluate = (FakeScore)sweep.Recipe.Steps.Single(step => step.Name == "evaluate-fast-1e-2-s2").Step;
        Assert.Equal(new Artifact(ArtifactKind.Model, Path.Combine(_folder.Run, "pretrain-fast-1e-2-s2", "model"), "pretrain-fast-1e-2-s2"), evaluate.Models[0]);
        Assert.Equal("pretrain.loss", sweep.Curve.ToString());
    }

    [Fact]
    public void Seeds_are_paired_and_those_of_the_recipe_alone()
    {
        var sweep = _folder.Expand(Head + "variants: {a: {pretrain.optimizer: fast}, b: {pretrain.steps: 7}}\nseeds: [3, 5]\n");
        ulong? SeedOf(string step) => sweep.Recipe.Steps.Single(known => known.Name == step).Seed;
        Assert.Equal(SeedOf("pretrain-a-s3"), SeedOf("pretrain-b-s3"));
        Assert.Equal(SeedOf("evaluate-a-s5"), SeedOf("evaluate-b-s5"));
        Assert.NotEqual(SeedOf("pretrain-a-s3"), SeedOf("pretrain-a-s5"));
        Assert.NotEqual(SeedOf("pretrain-a-s3"), SeedOf("evaluate-a-s3"));
        Assert.Null(SeedOf("clean"));
        // As the step would have with this seed in a recipe of its own.
        Assert.Equal(Finery.Workflow.Runs.StepRecorder.SeedOf(3, "pretrain"), SeedOf("pretrain-a-s3"));
    }

    [Fact]
    public void Steps_that_are_the_same_in_several_trials_stand_once()
    {
        var sweep = _folder.Expand(Head + "parameters: {clean.text: [x, y], pretrain.learning_rate: [1, 2, 3]}\n");
        Assert.Equal(1 + 2 + 6 + 6, sweep.Recipe.Steps.Count);
        Assert.Equal("clean-x-1", sweep.Trials.Single(trial => trial.Name == "x-3").Steps["clean"]);
    }

    [Fact]
    public void Seeds_alone_repeat_what_trains()
    {
        var sweep = _folder.Expand(Head + "seeds: [1, 2, 3]\n");
        Assert.Equal(2 + 6, sweep.Recipe.Steps.Count);
        Assert.Equal(["s1", "s2", "s3"], sweep.Trials.Select(trial => trial.Name));
    }

    [Fact]
    public void More_draws_leave_the_earlier_ones_as_they_are()
    {
        const string Random = Head + """
            method: random
            trials: 3
            seed: 9
            parameters:
              pretrain.learning_rate: {min: 1e-4, max: 1, scale: log}
              pretrain.steps: {min: 10, max: 20}
              pretrain.optimizer: [slow, fast]
            """;
        string[] Values(params string[] overrides) => [.. _folder.Expand(Random, overrides).Trials.Select(trial => trial.Parameters.ToJsonString())];
        var three = Values();
        Assert.Equal(3, three.Distinct().Count());
        Assert.Equal(three, Values("trials=40")[..3]);
        Assert.NotEqual(three, Values("seed=10"));
        var steps = _folder.Expand(Random, "trials=200").Trials.Select(trial => int.Parse((string)trial.Parameters["pretrain.steps"]!)).ToArray();
        Assert.Equal((10, 20), (steps.Min(), steps.Max()));
        var rates = _folder.Expand(Random, "trials=200").Trials
            .Select(trial => double.Parse((string)trial.Parameters["pretrain.learning_rate"]!, System.Globalization.CultureInfo.InvariantCulture)).ToArray();
        Assert.InRange(rates.Count(rate => rate < 1e-2), 70, 130);
    }

    [Fact]
    public void Overrides_reach_the_recipe_and_the_sweep()
    {
        var sweep = _folder.Expand(Head + "parameters: {pretrain.learning_rate: [1, 2]}\n", "seeds=[4, 5, 6]", "pretrain.steps=11", "seed=3");
        Assert.Equal(6, sweep.Trials.Count);
        Assert.All(sweep.Recipe.Steps.Select(step => step.Step).OfType<FakeTrain>(), step => Assert.Equal(11, step.Steps));
    }

    [Fact]
    public void Steps_may_stand_in_the_sweep_itself()
    {
        var sweep = _folder.Expand($$"""
            name: inline
            seed: 8
            metric: count.x
            steps:
              corpus: {type: read, file: {{_folder["in.txt"]}}}
              count: {documents: corpus}
            parameters: {count.to: [1, 2]}
            """);
        Assert.Equal(3, sweep.Recipe.Steps.Count);
        Assert.Equal(8ul, sweep.Recipe.Seed);
    }

    [Theory]
    [InlineData("parameters: {pretain.learning_rate: [1]}", "sweep.yaml:4:14: no step 'pretain' (did you mean 'pretrain'?)")]
    [InlineData("parameters: {pretrain.lerning_rate: [1, 2]}\nseeds: [1, 2]",
        "sweep.yaml:4:14: step 'pretrain' (train) has no setting 'lerning_rate' (did you mean 'learning_rate'?)")]
    [InlineData("parameters: {pretrain.learning_rate: [1, many]}", "sweep.yaml:4:42: 'learning_rate' is 'many', expected number")]
    [InlineData("parameters: {pretrain.learning_rate: {values: []}}", "sweep.yaml:4:47: 'values' must be a list.")]
    [InlineData("parameters: {pretrain.learning_rate: {min: 1, max: 2}}", "sweep.yaml:4:38: 'pretrain.learning_rate' has bounds, which 'method: random' draws between; a grid needs 'values'")]
    [InlineData("parameters: {pretrain.learning_rate: {valuse: [1]}}", "sweep.yaml:4:39: parameter 'pretrain.learning_rate' has no setting 'valuse' (did you mean 'values'?)")]
    [InlineData("parameters: {seed: [1]}", "sweep.yaml:4:14: 'seed' is no setting of a step; expected step.key, or 'seeds'")]
    [InlineData("parameters: {corpus.repeat: [1]}\nvariants: {a: {corpus.repeat: 2}}",
        "sweep.yaml:5:16: 'corpus.repeat' is a parameter of the sweep; a variant cannot set it too")]
    [InlineData("sedes: [1]", "sweep.yaml:4:1: a sweep has no setting 'sedes' (did you mean 'seeds'?)")]
    [InlineData("seeds: [1, 1]", "sweep.yaml:4:8: 'seeds' must differ.")]
    [InlineData("variants: {a: {evaluate.models: pretrian}}", "sweep.yaml:4:33: no step 'pretrian' to take model from (did you mean 'pretrain'?)")]
    [InlineData("variants: {a: , b: {pretrain.steps: 2}}\nclaim: {statement: x, better: b}",
        "sweep.yaml:5:8: give 'than', the variant to compare with.")]
    [InlineData("variants: {a: , b: {pretrain.steps: 2}}\nclaim: {statement: x, better: b, than: a, by: prediction}",
        "sweep.yaml:5:40: 'than' is not used by prediction: the law is fitted to all other variants.")]
    [InlineData("variants: {a: , b: {pretrain.steps: 2}}\nclaim: {statement: x, better: b, than: c}",
        "sweep.yaml:5:8: the claim names the variant 'c'; there are a, b (did you mean 'a'?)")]
    public void Errors_point_into_the_sweep_once(string rest, string expected) => Assert.Equal([expected], _folder.Errors(Head + rest));

    [Fact]
    public void Errors_of_the_recipe_point_into_it()
    {
        File.AppendAllText(_folder["sub/base.yaml"], "\n    modles: 1\n");
        Assert.Equal(["base.yaml:16:5: step 'evaluate' (score) has no setting 'modles' (did you mean 'models'?)"],
            _folder.Errors(Head + "parameters: {pretrain.learning_rate: [1, 2]}"));
    }

    [Fact]
    public void Files_and_metrics_that_are_not_there_are_named()
    {
        Assert.Contains("no such recipe file", Assert.Single(_folder.Errors("name: x\nrecipe: nowhere.yaml\nmetric: a.b\n")));
        Assert.Contains("either 'recipe'", Assert.Single(_folder.Errors("name: x\nmetric: a.b\n")));
        Assert.Contains("(did you mean 'pretrain'?)", Assert.Single(_folder.Errors("name: x\nrecipe: base.yaml\nmetric: pretrai.loss\n")));
        Assert.Contains("expected step.key", Assert.Single(_folder.Errors("name: x\nrecipe: base.yaml\nmetric: pretrain\n")));
        Assert.Contains("all trials would be equal", Assert.Single(_folder.Errors(
            "name: x\nrecipe: base.yaml\nmetric: clean.rate\nparameters: {pretrain.steps: [1, 2]}\n")));
        Assert.Contains("no such sweep file", Assert.Single(SweepFile.Load(_folder["nowhere.yaml"], _folder.Run, []).Errors).ToString());
    }

    public static TheoryData<string> Claims => [.. Directory
        .GetFiles(Repository.Claims, "*.yaml")
        .Where(file => !file.EndsWith("small.yaml", StringComparison.Ordinal)).Order()];

    [Theory]
    [MemberData(nameof(Claims))]
    public void Claims_that_come_with_Finery_are_sweeps_without_errors(string file)
    {
        var result = SweepFile.Load(file, _folder.Run, []);
        Assert.Equal([], result.Errors.Select(error => error.ToString()));
        Assert.NotEmpty(result.Sweep!.Claims);
        // What is not compared is made once.
        Assert.Single(result.Sweep!.Recipe.Steps, step => step.Type == "train-tokenizer");
    }

    [Fact]
    public void Long_and_clashing_values_still_give_names()
    {
        var sweep = _folder.Expand(Head + $"parameters: {{clean.text: ['{new string('x', 80)}', 'a b', 'a_b', '../x', '']}}\n");
        Assert.Equal(5, sweep.Trials.Select(trial => trial.Name).Distinct().Count());
        Assert.Equal(sweep.Recipe.Steps.Count, sweep.Recipe.Steps.Select(step => step.Name).Distinct().Count());
        Assert.All(sweep.Recipe.Steps, step => Assert.Matches("^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$", step.Name));
    }
}
