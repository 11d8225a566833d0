using Finery.Data.Batches.Mixing;
using Finery.Workflow.Recipes;
using Finery.Workflow.Steps;
using Xunit;

namespace Finery.Tests.Workflow.Recipes;

/// <summary>Artifacts named inside other settings, as the sources of a mix are.</summary>
public sealed class NestedInputTests : IDisposable
{
    private static readonly RecipeSchema Schema = new(
        new Dictionary<string, Type> { ["make"] = typeof(Make), ["mix"] = typeof(Mix) }, []);

    private readonly Folder _folder = new();

    public void Dispose() => _folder.Dispose();

    private sealed record Make : Step
    {
        public override IReadOnlyList<StepOutput> Outputs => [new("tokens", ArtifactKind.Tokens), new("model", ArtifactKind.Model)];

        public override void Run(StepContext context) => context.Log("made");
    }

    private sealed record Mix : Step
    {
        public IReadOnlyList<MixSource> Sources { get; init; } = [];

        public MixSource? Held { get; init; }

        public IReadOnlyList<StageData> Stages { get; init; } = [];

        public override IReadOnlyList<StepOutput> Outputs => [new("model", ArtifactKind.Model)];

        public override void Run(StepContext context) => context.Log("mixed");
    }

    private RecipeResult Parse(string settings) => RecipeFile.Parse(
        $$"""
        name: test
        steps:
          web:
            type: make
          code:
            type: make
          train:
            type: mix
        {{settings}}
        """, "r.yaml", _folder["run"], [], Schema);

    [Fact]
    public void They_are_inputs_of_the_step()
    {
        string outside = Path.GetDirectoryName(_folder.Write("old/manifest.json", "{}"))!;
        RecipeResult result = Parse($$"""
                sources: [{name: web, tokens: web.tokens}, {name: code, tokens: code.tokens}]
                held: {name: old, tokens: {{outside}}}
                stages:
                  - mix: {web: 85, code: 15}
                    rows: 8
                    sequence_length: 512
                    ramp: [{after_tokens: 100000, rows: 16}]
                  - mix: {web: 1}
            """);
        Assert.Equal([], result.Errors.Select(error => error.ToString()));
        RecipeStep step = result.Recipe!.Steps[2];
        Assert.Equal([("sources[0].tokens", "web"), ("sources[1].tokens", "code"), ("held.tokens", null)],
            step.Inputs().Select(input => (input.Setting, input.Artifact.Producer)));
        StageData stage = ((Mix)step.Step).Stages[0];
        Assert.Equal((85, 15, 8, 512, 100_000, 16), (stage.Mix["web"], stage.Mix["code"], stage.Rows, stage.SequenceLength,
            stage.Ramp[0].AfterTokens, stage.Ramp[0].Rows));
        // Where they lie is not part of what the step is.
        Assert.DoesNotContain(outside, RecipeWriter.Settings(step.Step, Schema, forKey: true).ToJsonString());
    }

    [Fact]
    public void What_is_wrong_in_them_is_told_by_line()
    {
        string[] errors = [.. Parse("""
                sources: [{name: web, tokens: web.model}, {tokens: code.tokens}]
                stages:
                  - {mix: {web: -1}, rows: 0}
                  - {ramp: [{rows: 3}]}
            """).Errors.Select(error => error.ToString())];
        Assert.Equal(5, errors.Length);
        foreach (string part in new[] { "web.model", "needs 'name'", "'web' is -1", "rows is 0", "needs 'after_tokens'" })
            Assert.Contains(errors, error => error.Contains(part));
    }
}
