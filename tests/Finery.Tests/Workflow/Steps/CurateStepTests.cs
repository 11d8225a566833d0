using Finery.Data.Curation;
using Finery.Workflow.Recipes;
using Finery.Workflow.Steps;
using Xunit;

namespace Finery.Tests.Workflow.Steps;

public sealed class CurateStepTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("finery-curate-step-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData("c4")]
    [InlineData("extract")]
    [InlineData("fineweb")]
    [InlineData("fineweb2")]
    [InlineData("llama3")]
    public void Presets_are_valid_and_read_back_as_they_were_resolved(string name)
    {
        var step = Load(RecipeFile.Bundled(name + ".yaml"), $"curate.paths=['{Input()}']", out var recipe);
        Assert.NotEmpty(step.Stages);
        var again = Load(RecipeWriter.Yaml(recipe.Resolved), "seed=42", out _);
        Assert.Equal(step.Describe().ToJsonString(), again.Describe().ToJsonString());
    }

    [Fact]
    public void The_educational_preset_asks_for_its_classifier()
    {
        var result = RecipeFile.Parse(RecipeFile.Bundled("fineweb-edu.yaml"), "fineweb-edu.yaml", _folder, [$"curate.paths=['{Input()}']"]);
        Assert.Contains("models/edu", Assert.Single(result.Errors).Message);
    }

    [Fact]
    public void Every_stage_can_be_named_in_a_recipe_and_described()
    {
        foreach (var (name, type) in StageCatalogue.Stages)
        {
            Assert.Matches("^[a-z0-9_]+$", name);
            Assert.Equal(name, StageCatalogue.NameOf((CurationStage)Activator.CreateInstance(type)!));
            Assert.True(type.IsSealed, name);
            _ = StepSetting.Of(type);
        }
    }

    [Fact]
    public void Mistakes_are_reported_with_their_place()
    {
        var result = RecipeFile.Parse("""
            name: wrong
            steps:
              curate:
                type: curate
                stages:
                  - stage: gopher_qualty
                  - stage: length
                    min_word: 3
            """, "wrong.yaml", _folder, []);
        Assert.Equal([6, 8], result.Errors.Where(error => error.Line > 3).Select(error => error.Line));
        Assert.Contains(result.Errors, error => error.ToString().Contains("gopher_quality"));
        var both = RecipeFile.Parse("{name: a, steps: {curate: {stages: [{stage: length}]}}}", "a.yaml", _folder, []);
        Assert.Contains(both.Errors, error => error.Message.Contains("neither"));
    }

    private CurateStep Load(string yaml, string set, out Recipe recipe)
    {
        var result = RecipeFile.Parse(yaml, "recipe.yaml", _folder, [set]);
        Assert.True(result.Recipe is not null, string.Join("\n", result.Errors));
        recipe = result.Recipe;
        return Assert.IsType<CurateStep>(Assert.Single(recipe.Steps).Step);
    }

    private string Input()
    {
        string path = Path.Combine(_folder, "in.jsonl");
        File.WriteAllText(path, "{\"text\": \"one\"}\n");
        return path;
    }
}
