using Finery.Workflow.Recipes;
using Finery.Workflow.Runs;
using Xunit;

namespace Finery.Tests.Workflow.Runs;

public sealed class RunnerTests : IDisposable
{
    private readonly Folder _folder = new();
    private readonly string _input;

    public RunnerTests() => _input = _folder.Write("in.txt", "some text\n");

    public void Dispose()
    {
        FakeCount.After.Value = null;
        _folder.Dispose();
    }

    private string Yaml => $$"""
        name: test
        steps:
          corpus:
            type: read
            file: {{_input}}
          clean:
            type: filter
            documents: corpus
          counts:
            type: count
            documents: clean
        """;

    private RunResult Run(string? yaml = null, RunOptions? options = null, CancellationToken stop = default,
        params string[] overrides) =>
        new Runner(Fake.Schema).Run(
            Fake.Recipe(yaml ?? Yaml, _folder["run"], overrides), _folder["run"], options ?? new RunOptions { Threads = 1 },
                new SilentObserver(), stop);

    private static string[] States(RunResult result) => [.. result.Steps.Select(step => step.State.ToString())];

    private static string[] Reasons(RunResult result) => [.. result.Steps.Select(step => step.Detail)];

    private string Outputs() =>
        string.Join('\n', new[] { "corpus/documents/part.txt", "clean/kept/part.txt", "clean/plan.json", "counts/counts.txt" }
        .Select(name => File.ReadAllText(_folder["run/" + name])));

    private const string Unchanged = "finished before, nothing it depends on has changed";

    [Fact]
    public void A_second_run_does_nothing_and_says_why()
    {
        var first = Run();
        Assert.Equal(ExitCode.Ok, first.ExitCode);
        Assert.Equal(["Finished", "Finished", "Finished"], States(first));
        Assert.Equal(["new", "new", "new"], Reasons(first));
        File.SetLastWriteTimeUtc(_input, DateTime.UtcNow.AddDays(1));
        var second = Run(yaml: "# a comment\n" + Yaml, new RunOptions { Threads = 8 }, default, "clean.memory=7");
        Assert.Equal(["Cached", "Cached", "Cached"], States(second));
        Assert.Equal([Unchanged, Unchanged, Unchanged], Reasons(second));
        Assert.False(Directory.Exists(_folder["run/counts/state"]));
    }

    [Fact]
    public void A_changed_byte_reruns_what_depends_on_it()
    {
        Run();
        File.WriteAllText(_input, "some Text\n");
        var planned = new Runner(Fake.Schema).Plan(Fake.Recipe(Yaml, _folder["run"]), _folder["run"], new RunOptions());
        Assert.Equal([PlannedAction.Run, PlannedAction.MayRun, PlannedAction.MayRun], planned.Select(plan => plan.Action));
        Assert.Equal("file changed: in.txt", planned[0].Reason);
        Assert.Equal("depends on corpus.documents, which will be made again", planned[1].Reason);
        Assert.Equal(["file changed: in.txt", "input changed: documents", "input changed: documents"], Reasons(Run()));
        Assert.Equal("some Text\n", File.ReadAllText(_folder["run/clean/kept/part.txt"]));
    }

    [Fact]
    public void Equal_output_of_a_rerun_step_reruns_nothing_else()
    {
        Run();
        var result = Run(options: new RunOptions { Force = ["corpus"] });
        Assert.Equal(["Finished", "Cached", "Cached"], States(result));
        Assert.Equal("forced", result.Steps[0].Detail);
    }

    [Fact]
    public void Changed_settings_are_named()
    {
        Run();
        var result = Run(overrides: ["clean.learning_rate=1e-4", "clean.filters=[length]"]);
        Assert.Equal([Unchanged,
            "settings changed: filters [] -> [{filter: length, min_words: 4, max_words: 100}], learning_rate 0.5 -> 0.0001",
            Unchanged], Reasons(result));
        Assert.Equal(
            "settings changed: filters.0.min_words 4 -> 5",
            Run(overrides: ["clean.learning_rate=1e-4", "clean.filters=[{filter: length, min_words: 5}]"]).Steps[1].Detail);
        Assert.Equal("seed changed", Run(overrides: "seed=1").Steps[0].Detail);
    }

    [Fact]
    public void A_step_may_have_a_seed_of_its_own()
    {
        Run();
        string plan = File.ReadAllText(_folder["run/clean/plan.json"]);
        Assert.Equal([Unchanged, "seed changed", Unchanged], Reasons(Run(overrides: "clean.seed=7")));
        Assert.Equal("0.5 7 00:10:00 ", File.ReadAllText(_folder["run/clean/plan.json"]));
        Assert.Contains("seed: 7", File.ReadAllText(_folder["run/recipe.yaml"]));
        Assert.Equal(Unchanged, Run(overrides: ["seed=1", "clean.seed=7"]).Steps[1].Detail);
        Run(overrides: "clean.seed=null");
        Assert.Equal(plan, File.ReadAllText(_folder["run/clean/plan.json"]));
        Assert.Contains("'seed' must be a whole number", Assert.Single(RecipeFile.Parse(Yaml, "test.yaml", _folder["run"], ["clean.seed=some"], Fake.Schema).Errors).Message);
    }

    [Fact]
    public void A_dry_run_writes_nothing()
    {
        var result = Run(options: new RunOptions { DryRun = true });
        Assert.Equal(ExitCode.Ok, result.ExitCode);
        Assert.Equal(["new", "new", "new"], Reasons(result));
        Assert.False(Directory.Exists(_folder["run"]));
    }

    [Theory]
    [InlineData("truncate", "output damaged: clean/kept/part.txt has 4 bytes, not 10")]
    [InlineData("edit", "output damaged: clean/kept/part.txt has other content")]
    [InlineData("delete", "output damaged: clean/kept/part.txt is missing")]
    [InlineData("add", "output damaged: clean/kept/more.txt was not written by the step")]
    [InlineData("manifest", "step.json is damaged")]
    [InlineData("key", "settings changed: memory")]
    public void Damage_is_named_and_repaired(string damage, string reason)
    {
        Run();
        string before = Outputs(), file = _folder["run/clean/kept/part.txt"], manifest = _folder["run/clean/step.json"];
        if (damage == "truncate") File.WriteAllText(file, "some");
        if (damage == "edit") File.WriteAllText(file, "SOME text\n");
        if (damage == "delete") File.Delete(file);
        if (damage == "add") _folder.Write("run/clean/kept/more.txt", "more");
        if (damage == "manifest") File.WriteAllText(manifest, File.ReadAllText(manifest)[..100]);
        if (damage == "key") File.WriteAllText(manifest, File.ReadAllText(manifest)
            .Replace("\"shuffle\": false", "\"shuffle\": true"));
        var result = Run();
        if (damage == "key") Assert.Equal("settings changed: shuffle true -> false", result.Steps[1].Detail);
        else Assert.Equal(reason, result.Steps[1].Detail);
        Assert.Equal(["Cached", "Finished", "Cached"], States(result));
        Assert.Equal(before, Outputs());
        Assert.Equal(["Cached", "Cached", "Cached"], States(Run()));
    }

    [Fact]
    public void A_failed_step_resumes_inside_with_the_same_bytes()
    {
        Run();
        string whole = Outputs();
        Directory.Delete(_folder["run"], recursive: true);
        int counted = 0;
        FakeCount.After.Value = i =>
        {
            counted++;
            if (i == 2) throw new IOException("broken");
        };
        var failed = Run();
        Assert.Equal(ExitCode.Failure, failed.ExitCode);
        Assert.Equal("step 'counts' failed: broken", failed.Error);
        Assert.Equal(["Finished", "Finished", "Failed"], States(failed));
        var again = Run();
        Assert.Equal("failed before", again.Steps[2].Detail);
        Assert.Equal(ExitCode.Ok, again.ExitCode);
        Assert.Equal(5, counted);
        Assert.Equal(whole, Outputs());
        var status = RunFolder.Open(_folder["run"]).Step("counts")!;
        Assert.Equal((StepState.Finished, 2), (status.State, status.Attempt));
        Assert.Equal([0L, 1, 2, 3, 4], RunFolder.Open(_folder["run"]).Metrics("counts").Rows.Select(row => row.Step));
    }

    [Fact]
    public void A_killed_step_resumes_with_the_same_key_and_starts_clean_with_another()
    {
        Run();
        string whole = Outputs();
        void Kill()
        {
            // What kill -9 leaves: running, half-made outputs, state, torn lines.
            string manifest = _folder["run/counts/step.json"];
            File.WriteAllText(manifest, File.ReadAllText(manifest).Replace("\"state\": \"finished\"", "\"state\": \"running\""));
            ulong seed = ulong.Parse(File.ReadLines(_folder["run/counts/counts.txt"]).First().Split(' ')[1]);
            _folder.Write("run/counts/counts.txt", "0 half");
            _folder.Write("run/counts/state/lines", $"0 {seed}\n1 {seed}\n");
            File.AppendAllText(_folder["run/counts/metrics.jsonl"], "{\"step\":5,\"ti");
        }
        Kill();
        int counted = 0;
        FakeCount.After.Value = _ => counted++;
        var resumed = Run();
        Assert.Equal(("incomplete: its process was killed", 3), (resumed.Steps[2].Detail, counted));
        Assert.Equal(whole, Outputs());
        Assert.Equal([0L, 1, 2, 3, 4], RunFolder.Open(_folder["run"]).Metrics("counts").Rows.Select(row => row.Step));
        Kill();
        counted = 0;
        Assert.Equal("settings changed: to 5 -> 6", Run(overrides: "counts.to=6").Steps[2].Detail);
        Assert.Equal(6, counted);
        Assert.Equal(6, File.ReadAllLines(_folder["run/counts/counts.txt"]).Length);
    }

    [Fact]
    public void Stopping_saves_and_exits_75_and_the_next_run_continues()
    {
        using var stop = new CancellationTokenSource();
        FakeCount.After.Value = i =>
        {
            if (i == 1) stop.Cancel();
        };
        var result = Run(stop: stop.Token);
        Assert.Equal(ExitCode.Interrupted, result.ExitCode);
        Assert.Equal(["Finished", "Finished", "Interrupted"], States(result));
        Assert.Equal(RunState.Interrupted, RunFolder.Open(_folder["run"]).Status().State);
        FakeCount.After.Value = null;
        Assert.Equal("was interrupted", Run().Steps[2].Detail);
    }

    [Fact]
    public void Independent_steps_finish_when_one_fails()
    {
        string yaml = Yaml + $$"""

              after:
                type: filter
                documents: other
              other_counts:
                type: count
                documents: clean
                to: 3
            """;
        yaml = yaml.Replace("  counts:", $"  other:\n    type: read\n    file: {_input}\n  counts:");
        FakeCount.After.Value = i =>
        {
            if (i == 4) throw new InvalidOperationException("two\nlines");
        };
        bool reported = false;
        var result = Run(yaml, new RunOptions { Report = run => reported = run.Status().State == RunState.Failed });
        Assert.Equal(ExitCode.Partial, result.ExitCode);
        Assert.Equal(["Finished", "Finished", "Finished", "Failed", "Finished", "Finished"], States(result));
        Assert.Equal("InvalidOperationException: two lines", result.Steps[3].Detail);
        Assert.True(reported);
        Assert.Contains(RunFolder.Open(_folder["run"]).Log("counts").Lines, line => line.Level == "error"
            && line.Message.Contains("FakeCount"));
        FakeCount.After.Value = null;
        Assert.Equal(["Cached", "Cached", "Cached", "Finished", "Cached", "Cached"], States(Run(yaml)));
    }

    [Fact]
    public void Dependants_of_a_failed_step_are_skipped_and_its_own_exit_code_counts()
    {
        string yaml = Yaml.Replace("documents: clean",
            "documents: clean\n    to: 2") + "\n  last:\n    type: filter\n    documents: ./";
        FakeCount.After.Value = _ => throw new StepFailedException(ExitCode.Diverged, "loss is not a number");
        Directory.CreateDirectory(_folder["docs"]);
        var result = Run(yaml.Replace("./", _folder["docs"]));
        Assert.Equal(ExitCode.Diverged, result.ExitCode);
        File.Delete(_input);
        Directory.Delete(_folder["run"], recursive: true);
        File.WriteAllText(_input, "x");
        var recipe = Fake.Recipe(Yaml, _folder["run"]);
        File.Delete(_input);
        var broken = new Runner(Fake.Schema).Run(recipe, _folder["run"], new RunOptions(), new SilentObserver(), default);
        Assert.Equal(["Failed", "Skipped", "Skipped"], States(broken));
        Assert.Equal(ExitCode.Failure, broken.ExitCode);
        Assert.Equal("needs corpus", broken.Steps[1].Detail);
    }

    [Fact]
    public void Until_stops_early_and_unknown_names_are_usage_errors()
    {
        Assert.Equal(["Finished", "Finished", "Pending"], States(Run(options: new RunOptions { Until = "clean" })));
        var wrong = Run(options: new RunOptions { Until = "cleen" });
        Assert.Equal((ExitCode.Usage, "The recipe has no step 'cleen'; it has corpus, clean, counts."),
            (wrong.ExitCode, wrong.Error));
    }

    [Fact]
    public void A_second_run_of_the_same_folder_names_the_first()
    {
        RunResult? second = null;
        FakeCount.After.Value = _ => second ??= Run();
        Assert.Equal(ExitCode.Ok, Run().ExitCode);
        Assert.Equal(ExitCode.Failure, second!.ExitCode);
        Assert.Contains($"is in use by process {Environment.ProcessId} on {Environment.MachineName}", second.Error);
        Assert.Equal(ExitCode.Ok, Run().ExitCode);
    }

    [Fact]
    public void What_a_run_did_not_make_is_left_alone()
    {
        _folder.Write("other/thesis.txt", "years of work");
        var recipe = Fake.Recipe(Yaml, _folder["other"]);
        var refused = new Runner(Fake.Schema).Run(recipe, _folder["other"], new RunOptions(), new SilentObserver(), default);
        Assert.Contains("holds other files and is not a run folder", refused.Error);
        Assert.Equal(["thesis.txt"], Directory.GetFileSystemEntries(_folder["other"]).Select(Path.GetFileName));

        Run(options: new RunOptions { Until = "corpus" });
        string own = _folder.Write("run/clean/notes.txt", "mine");
        var result = Run();
        Assert.Contains("was not made by a run", result.Steps[1].Detail);
        Assert.True(File.Exists(own));
        _folder.Write("run/removed/step.json", "{}");
        File.Delete(own);
        Assert.Equal(ExitCode.Ok, Run().ExitCode);
        Assert.True(File.Exists(_folder["run/removed/step.json"]));
    }
}
