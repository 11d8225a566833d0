using Finery.Workflow.Recipes;
using Finery.Workflow.Steps;
using Xunit;

namespace Finery.Tests.Workflow.Steps;

public class QuickstartRecipeTests
{
    private static RecipeResult Parse(params IEnumerable<string> overrides) =>
        RecipeFile.Parse(RecipeFile.Bundled("quickstart.yaml"), "quickstart.yaml", Path.Combine(Path.GetTempPath(), "finery-none"), overrides);

    [Fact]
    public void The_bundled_recipe_is_valid_and_runs_every_stage_in_order()
    {
        var result = Parse();
        Assert.Empty(result.Errors);
        Assert.Equal(
            ["read", "filter", "deduplicate", "split", "train-tokenizer", "tokenize", "plan", "dialogues", "pretrain", "finetune", "align", "evaluate"],
            result.Recipe!.Steps.Select(step => step.Type));
    }

    [Theory]
    [InlineData("smollm3.yaml")]
    [InlineData("llama3-405b-shape.yaml")]
    public void Published_recipes_are_valid(string name)
    {
        var result = RecipeFile.Parse(RecipeFile.Bundled(name), name, Path.Combine(Path.GetTempPath(), "finery-none"), []);
        Assert.Equal([], result.Errors.Select(error => error.ToString()));
        Assert.Contains(result.Recipe!.Steps, step => step.Step is PretrainStep { Stages.Count: > 0 });
    }

    [Fact]
    public void Minutes_reach_the_plan() =>
        Assert.Equal(3, ((PlanStep)Parse("plan.minutes=3").Recipe!.Steps.Single(step => step.Type == "plan").Step).Minutes);

    [Fact]
    public void Input_that_matches_nothing_is_an_error_before_anything_runs()
    {
        var error = Assert.Single(Parse("corpus.paths=/no/such/folder/*.md").Errors);
        Assert.Contains("/no/such/folder/*.md", error.Message);
    }

    [Fact]
    public void Every_step_of_the_catalogue_describes_itself_and_its_settings()
    {
        foreach (var (name, type) in StepCatalogue.Steps)
        {
            Assert.True(type.IsSealed, name);
            foreach (var setting in StepSetting.Of(type)) Assert.False(string.IsNullOrWhiteSpace(setting.Description), $"{name}.{setting.Key}");
        }
    }
}
