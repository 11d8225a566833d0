using Finery.Data.Batches;
using Finery.Data.Tokenizers;
using Finery.Models;
using Finery.Models.Llama;
using Finery.Tests.Data.Tokenizers;
using Finery.Workflow.Recipes;
using Finery.Workflow.Runs;
using Xunit;

namespace Finery.Tests.Workflow.Steps;

/// <summary>A teacher's cache written by one step of a recipe and learnt from by another.</summary>
public sealed class CacheTeacherStepTests : IDisposable
{
    private const string Small = "model: { layers: 1, width: 32, heads: 2, kv_heads: 1 }";

    // All tokens: what is learnt from the cache is then what is learnt from the teacher, but for half precision.
    private const string KeepAll = "keep: { top_k: 600, top_p: 1, steps_per_file: 3 }";

    private readonly Folder _folder = new();

    public CacheTeacherStepTests()
    {
        TokenizerFile.Save(Samples.Tokenizer, _folder["tokenizer"]);
        new TokenShardWriter().Write(_folder["tokens"], Samples.Texts(60), Samples.Tokenizer);
        Teacher("teacher", 3);
    }

    private string Data => $"tokens: {_folder["tokens"]}, tokenizer: {_folder["tokenizer"]}";

    public void Dispose() => _folder.Dispose();

    private void Teacher(string name, ulong seed, int? vocabulary = null)
    {
        using var model = new LlamaModel(new ModelConfig
        {
            VocabSize = vocabulary ?? Samples.Tokenizer.VocabSize, EmbeddingSize = 32, LayerCount = 1, HeadCount = 2, KvHeadCount = 1, HeadSize = 16,
            FeedForwardSize = 64, SequenceLength = 32,
        }, seed, trainable: false);
        model.Save(_folder[name]);
        TokenizerFile.Save(Samples.Tokenizer, _folder[name]);
    }

    private Recipe Parse(string run, params string[] steps)
    {
        string yaml = "name: taught\nsteps:\n" + string.Concat(steps.Select(step => $"  {step}\n"));
        var result = RecipeFile.Parse(yaml, "test.yaml", _folder[run], []);
        Assert.Equal([], result.Errors.Select(error => error.ToString()));
        return result.Recipe!;
    }

    private RunResult Run(string run, params string[] steps) => Run(run, new SilentObserver(), default, steps);

    private RunResult Run(string run, IRunObserver observer, CancellationToken stop, params string[] steps) =>
        new Runner().Run(Parse(run, steps), _folder[run], new RunOptions { Threads = 1 }, observer, stop);

    private IReadOnlyList<StepPlan> Plan(string run, params string[] steps) => new Runner().Plan(Parse(run, steps), _folder[run], new RunOptions());

    private string Kept(string more = "rows: 4, sequence_length: 16, steps: 8, spare_steps: 5", string teacher = "teacher") =>
        $"kept: {{ type: cache-teacher, teacher: {_folder[teacher]}, {Data}, {KeepAll}, {more} }}";

    private string Learn(string more = "teacher_cache: kept") =>
        $"learn: {{ type: pretrain, {Data}, {Small}, objective: {{ objective: distillation, alpha: 0.7 }}, {more} }}";

    private double[] Losses(string run, string step) =>
        [.. RunFolder.Open(_folder[run]).Metrics(step).Rows.Where(row => row.Values.ContainsKey("loss")).Select(row => row.Values["loss"])];

    private Dictionary<string, byte[]> Files(string run, string folder = "kept/cache") => Directory.GetFiles(_folder[$"{run}/{folder}"])
        .ToDictionary(file => Path.GetFileName(file), File.ReadAllBytes);

    [Fact]
    public void A_run_learns_from_the_cache_as_from_the_teacher_through_all_shapes_of_its_batches()
    {
        const string Shape = "rows: 4, sequence_length: 32, stages: [{ steps: 5 }, { steps: 5, rows: 2, sequence_length: 16, ramp: [{ after_tokens: 64, rows: 3 }] }]";
        var result = Run(
            "whole",
            $"big: {{ type: pretrain, {Data}, model: {{ layers: 1, width: 48, heads: 2, kv_heads: 1 }}, rows: 4, sequence_length: 32, steps: 12 }}",
            $"kept: {{ type: cache-teacher, seed: 5, teacher: big, {Data}, {KeepAll}, {Shape} }}",
            $"online: {{ type: pretrain, seed: 5, {Data}, {Small}, teacher: big, objective: distillation, {Shape} }}",
            $"cached: {{ type: pretrain, seed: 5, {Data}, {Small}, teacher_cache: kept, objective: distillation }}",
            $"again: {{ type: pretrain, seed: 6, {Data}, {Small}, teacher_cache: kept, objective: distillation }}");
        Assert.True(result.ExitCode == ExitCode.Ok, result.Error);
        double[] online = Losses("whole", "online"), cached = Losses("whole", "cached"), again = Losses("whole", "again");
        Assert.Equal(10, cached.Length);
        // 5 and 5 steps, and 30 behind the last.
        Assert.Equal(40, (int)RunFolder.Open(_folder["whole"]).Step("kept")!.Summary["steps"]!);
        Assert.All(online.Zip(cached), pair => Assert.Equal(pair.First, pair.Second, 0.002 * pair.First));
        // Another model on the same batches.
        Assert.NotEqual(cached, again);
        Assert.All(again.Zip(cached), pair => Assert.Equal(pair.First, pair.Second, 0.1 * pair.First));
    }

    private sealed class StopAt(double done, CancellationTokenSource stop) : IRunObserver
    {
        public List<(double At, string Text)> Seen { get; } = [];

        public void StepStarting(StepPlan step) { }

        public void StepFinished(StepResult step) { }

        public void Log(string step, bool warning, string message) { }

        public void Progress(string step, double at, double total, string text)
        {
            Seen.Add((at, text));
            if (at == done) stop.Cancel();
        }

        public void Metrics(string step, long at, ReadOnlySpan<(string Name, double Value)> values) { }
    }

    [Fact]
    public void An_interrupted_cache_is_continued_to_the_same_bytes()
    {
        Assert.Equal(ExitCode.Ok, Run("whole", Kept()).ExitCode);
        using var stop = new CancellationTokenSource();
        var observer = new StopAt(5, stop);
        Assert.Equal(ExitCode.Interrupted, Run("cut", observer, stop.Token, Kept()).ExitCode);
        Assert.Contains(observer.Seen, seen => seen.Text.EndsWith("tokens/s", StringComparison.Ordinal));
        Assert.Equal(["batches.json", "teacher-000000000000.topk"], Files("cut", "kept/state/cache").Keys.Order(StringComparer.Ordinal));
        // What a kill leaves.
        File.WriteAllText(_folder["cut/kept/state/cache/teacher-000000000003.topk.tmp"], "half");
        File.WriteAllText(_folder["cut/kept/state/cache/batches.json.tmp"], "half");
        Assert.Equal(PlannedAction.Resume, Plan("cut", Kept())[0].Action);
        observer.Seen.Clear();
        Assert.Equal(ExitCode.Ok, Run("cut", observer, default, Kept()).ExitCode);
        // The first file is not written again.
        Assert.Equal(3, observer.Seen[0].At);
        var (whole, cut) = (Files("whole"), Files("cut"));
        // 8 steps and 5 spare ones in files of 3.
        Assert.Equal(6, whole.Count);
        Assert.Equal(whole.Keys.Order(StringComparer.Ordinal), cut.Keys.Order(StringComparer.Ordinal));
        Assert.All(whole, file => Assert.Equal(file.Value, cut[file.Key]));
        Assert.Equal(PlannedAction.Cached, Plan("cut", Kept())[0].Action);
    }

    [Theory]
    [InlineData("teacher_cache: kept, rows: 2", "'rows' is 2, in the cache 4")]
    [InlineData("teacher_cache: kept, sequence_length: 8", "'sequence_length' is 8, in the cache 16")]
    [InlineData("teacher_cache: kept, steps: 99", "there are 99 steps, in the cache 8")]
    [InlineData("teacher_cache: kept, packing: { packing: best_fit }", "'packing' is")]
    [InlineData("teacher_cache: kept, stages: [{ steps: 4 }, { steps: 4, rows: 2 }]", "'tokens' or 'stages' are others")]
    [InlineData("teacher_cache: {teacher}", "no output of 'cache-teacher'")]
    [InlineData("objective: { objective: distillation, cache: '{run}/kept/cache' }, rows: 4, sequence_length: 16, steps: 8", "another batch")]
    [InlineData("objective: { objective: distillation, cache: '{run}/kept/cache' }, rows: 4, sequence_length: 16, steps: 8, seed: 9", "another batch")]
    public void Other_batches_than_the_cache_has_are_refused(string settings, string error)
    {
        settings = settings.Replace("{teacher}", _folder["teacher"], StringComparison.Ordinal).Replace("{run}", _folder["run"], StringComparison.Ordinal);
        string learn = settings.Contains("objective", StringComparison.Ordinal) ? $"learn: {{ type: pretrain, {Data}, {Small}, {settings} }}" : Learn(settings);
        var result = Run("run", Kept(), learn);
        Assert.Equal(StepState.Finished, result.Steps[0].State);
        Assert.Equal(StepState.Failed, result.Steps[1].State);
        Assert.Contains(error, result.Steps[1].Detail, StringComparison.Ordinal);
    }

    [Fact]
    public void A_shorter_run_is_served_and_other_tokens_are_refused()
    {
        var result = Run("run", Kept(), Learn("teacher_cache: kept, steps: 6"));
        Assert.True(result.ExitCode == ExitCode.Ok, result.Error);
        Assert.Equal(6, Losses("run", "learn").Length);
        new TokenShardWriter().Write(_folder["tokens"], Samples.Texts(70), Samples.Tokenizer);
        result = Run("other", $"learn: {{ type: pretrain, {Data}, {Small}, objective: distillation, teacher_cache: {_folder["run/kept/cache"]} }}");
        Assert.Contains("'tokens' or 'stages' are others", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void A_teacher_that_cannot_read_the_batches_is_refused()
    {
        Teacher("strange", 3, vocabulary: 700);
        Assert.Contains("another vocabulary (700 tokens)", Run("run", Kept(teacher: "strange")).Error, StringComparison.Ordinal);
        Assert.Contains("rows have 64 tokens, the teacher", Run("run", Kept("rows: 4, sequence_length: 64, steps: 8")).Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Keys_change_with_the_teacher()
    {
        string[] steps = [Kept(), Learn()];
        Assert.Null(Plan("run", steps)[1].Key);
        Assert.Equal(ExitCode.Ok, Run("run", steps).ExitCode);
        var before = Plan("run", steps);
        Assert.All(before, plan => Assert.Equal(PlannedAction.Cached, plan.Action));
        Teacher("teacher", 4);
        var after = Plan("run", steps);
        Assert.Equal((PlannedAction.Run, PlannedAction.MayRun), (after[0].Action, after[1].Action));
        Assert.NotEqual(before[0].Key, after[0].Key);
        Assert.Equal(ExitCode.Ok, Run("run", steps).ExitCode);
        Assert.NotEqual(before[1].Key, Plan("run", steps)[1].Key);
    }

    [Theory]
    [InlineData("teacher_cache: {teacher}, teacher: {teacher}, steps: 8", "not both")]
    [InlineData("steps: 8", "needs a 'teacher' or a 'teacher_cache'")]
    [InlineData("teacher_cache: {teacher}, objective: next_token", "for the objective 'distillation'")]
    [InlineData("teacher_cache: {teacher}, objective: { objective: distillation, divergence: reverse }", "forward divergence only")]
    [InlineData("teacher_cache: {teacher}, stages: [{ share: 1 }]", "")]
    public void Settings_that_do_not_go_together_are_reported_before_anything_runs(string settings, string error)
    {
        settings = settings.Replace("{teacher}", _folder["teacher"], StringComparison.Ordinal);
        string objective = settings.Contains("objective", StringComparison.Ordinal) ? "" : "objective: distillation, ";
        string yaml = $"name: a\nsteps:\n  learn: {{ type: pretrain, {Data}, {objective}{settings} }}\n";
        var errors = RecipeFile.Parse(yaml, "test.yaml", _folder["run"], []).Errors;
        if (error.Length == 0) Assert.Empty(errors);
        else Assert.Contains(error, Assert.Single(errors).ToString(), StringComparison.Ordinal);
    }
}
