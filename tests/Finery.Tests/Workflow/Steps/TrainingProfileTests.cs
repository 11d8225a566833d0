using System.Text.Json;
using Finery.Data.Batches;
using Finery.Data.Tokenizers;
using Finery.Tests.Data.Tokenizers;
using Finery.Workflow.Recipes;
using Finery.Workflow.Runs;
using Xunit;

namespace Finery.Tests.Workflow.Steps;

public sealed class TrainingProfileTests : IDisposable
{
    private readonly Folder _folder = new();

    public TrainingProfileTests()
    {
        TokenizerFile.Save(Samples.Tokenizer, _folder["tokenizer"]);
        new TokenShardWriter().Write(_folder["tokens"], Samples.Texts(40), Samples.Tokenizer);
    }

    public void Dispose() => _folder.Dispose();

    private sealed class Lines : IRunObserver
    {
        public List<string> All { get; } = [];

        public void StepStarting(StepPlan step) { }

        public void StepFinished(StepResult step) { }

        public void Log(string step, bool warning, string message) => All.Add((warning ? "warning: " : "") + message);

        public void Progress(string step, double done, double total, string text) { }

        public void Metrics(string step, long at, ReadOnlySpan<(string Name, double Value)> values) { }
    }

    private (StepState State, List<string> Log) Run(string run, int profiledSteps, int steps = 8)
    {
        string[] settings =
        [
            $"tokens={_folder["tokens"]}", $"tokenizer={_folder["tokenizer"]}", $"steps={steps}", "rows=2", "sequence_length=16",
            "model={layers: 1, width: 32, heads: 2, kv_heads: 1}",
        ];
        var recipe = RecipeFile.ForStep("pretrain", 1, _folder[run], settings);
        Assert.Equal([], recipe.Errors.Select(error => error.ToString()));
        var lines = new Lines();
        var result = new Runner().Run(
            recipe.Recipe!, _folder[run], new RunOptions { Threads = 1, ProfiledSteps = profiledSteps }, lines, CancellationToken.None);
        Assert.True(result.ExitCode == ExitCode.Ok, result.Error);
        return (result.Steps[0].State, lines.All);
    }

    private string Key(string run) => RunFolder.Open(_folder[run]).Step("pretrain")!.Key;

    private byte[] Weights(string run) => File.ReadAllBytes(_folder[run + "/pretrain/model/model.safetensors"]);

    [Fact]
    public void A_profile_is_written_beside_the_model_and_changes_neither_it_nor_its_key()
    {
        Assert.Equal(StepState.Finished, Run("plain", 0).State);
        Assert.False(File.Exists(_folder["plain/pretrain/profile.txt"]));
        var (state, log) = Run("profiled", 3);
        Assert.Equal(StepState.Finished, state);
        Assert.Equal(Key("plain"), Key("profiled"));
        Assert.Equal(Weights("plain"), Weights("profiled"));

        string table = File.ReadAllText(_folder["profiled/pretrain/profile.txt"]);
        Assert.StartsWith("profile of steps 3 to 5, threads: 1\n", table);
        foreach (string op in new[] { "step", "forward", "backward", "optimizer", "LinearBackward", "AttentionForward", "AdamW" })
            Assert.Contains($"\n{op} ", table);
        string shown = Assert.Single(log, line => line.StartsWith(table, StringComparison.Ordinal));
        Assert.Contains(_folder["profiled/pretrain/profile.txt"], shown);
        Assert.Contains(_folder["profiled/pretrain/profile.json"], shown);

        using var json = JsonDocument.Parse(File.ReadAllBytes(_folder["profiled/pretrain/profile.json"]));
        var names = json.RootElement.GetProperty("traceEvents").EnumerateArray().Select(e => e.GetProperty("name").GetString()).ToList();
        foreach (string scope in new[] { "step", "forward", "backward", "optimizer" })
            Assert.Equal(3, names.Count(name => name == scope));

        Assert.Equal(StepState.Cached, Run("profiled", 0).State);
        var (again, why) = Run("profiled", 3);
        Assert.Equal(StepState.Cached, again);
        Assert.Equal(["warning: nothing was profiled: the step is finished and did not run"], why);
    }

    [Fact]
    public void A_run_that_ends_early_is_profiled_as_far_as_it_went()
    {
        Run("short", 100, steps: 5);
        Assert.StartsWith("profile of steps 3 to 4, ", File.ReadAllText(_folder["short/pretrain/profile.txt"]));
        var (_, log) = Run("shorter", 100, steps: 3);
        Assert.Contains(log, line => line.StartsWith("warning: nothing was profiled: 3 steps", StringComparison.Ordinal));
        Assert.False(File.Exists(_folder["shorter/pretrain/profile.txt"]));
    }
}
