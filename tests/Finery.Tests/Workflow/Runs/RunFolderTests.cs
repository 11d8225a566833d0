using Finery.Workflow.Runs;
using Xunit;

namespace Finery.Tests.Workflow.Runs;

public sealed class RunFolderTests : IDisposable
{
    private readonly Folder _folder = new();

    public void Dispose() => _folder.Dispose();

    private RunFolder Finished(string name = "run")
    {
        string yaml = $$"""
            name: test
            steps:
              corpus: {type: read, file: {{_folder.Write("in.txt", "text")}}}
              counts: {type: count, documents: corpus}
            """;
        var result = new Runner(Fake.Schema).Run(
            Fake.Recipe(yaml, _folder[name]), _folder[name], new RunOptions { Threads = 3 }, new SilentObserver(), default);
        Assert.Equal(ExitCode.Ok, result.ExitCode);
        return RunFolder.Open(_folder[name]);
    }

    [Fact]
    public void Status_and_steps_read_back()
    {
        var run = Finished();
        var status = run.Status();
        Assert.Equal((RunState.Finished, 0, 42ul, 3, 1), (status.State, status.ExitCode, status.Seed, status.Threads, status.Attempt));
        Assert.Equal([("corpus", StepState.Finished), ("counts", StepState.Finished)], status.Steps.Select(step => (step.Name, step.State)));
        Assert.Equal((Environment.ProcessId, Environment.MachineName), (status.Pid, status.Host));
        Assert.True(status.Machine is { Cores: > 0, MemoryBytes: > 0, Cpu.Length: > 0 });
        var counts = run.Steps()[1];
        Assert.Equal("corpus.documents", Assert.Single(counts.Inputs).Source);
        var file = Assert.Single(Assert.Single(run.Steps()[0].Outputs).Files);
        // SHA-256 of "text".
        Assert.Equal(new FileRecord("part.txt", 4, "982d9e3eb996f559e633f4d194def3761d909f5a3b647d1a851fead67c32c9d1"), file);
        Assert.Contains("type: count\n", run.Recipe());
        Assert.Equal("read", Assert.Single(run.Log("corpus").Lines).Message);
    }

    [Fact]
    public void Runs_are_listed_latest_first_and_damaged_ones_too()
    {
        Finished("a");
        Finished("b");
        _folder.Write("damaged/run.json", "{");
        Directory.CreateDirectory(_folder["nothing"]);
        var runs = RunFolder.List(_folder.Path);
        Assert.Equal(["b", "a", "damaged"], runs.Select(run => run.Name));
        Assert.Contains("run.json cannot be read", Assert.Throws<RunFolderException>(() => runs[2].Status()).Message);
        Assert.Empty(RunFolder.List(_folder["absent"]));
        Assert.Throws<RunFolderException>(() => RunFolder.Open(_folder["nothing"]));
    }

    [Fact]
    public void A_run_whose_process_is_gone_is_lost()
    {
        var run = Finished();
        string path = _folder["run/run.json"], json = File.ReadAllText(path).Replace("\"state\": \"finished\",\n  \"seed\"", "\"state\": \"running\",\n  \"seed\"");
        File.WriteAllText(path, json);
        Assert.Equal(RunState.Running, run.Status().State);
        File.WriteAllText(path, json.Replace($"\"pid\": {Environment.ProcessId}", "\"pid\": 2147483646"));
        Assert.Equal(RunState.Lost, run.Status().State);
    }

    [Theory]
    [InlineData("../run")]
    [InlineData("/etc")]
    [InlineData("a/b")]
    [InlineData("..")]
    [InlineData("")]
    [InlineData("a\0b")]
    public void Step_names_cannot_leave_the_folder(string name)
    {
        var run = Finished();
        Assert.Throws<RunFolderException>(() => run.Metrics(name));
        Assert.Throws<RunFolderException>(() => run.Step(name));
    }

    [Fact]
    public void Metrics_keep_what_is_not_finite_and_are_followed_across_torn_lines_and_rollbacks()
    {
        var run = Finished();
        string path = _folder["run/counts/metrics.jsonl"];
        var (rows, next) = run.Metrics("counts");
        Assert.Equal([1, 0.5, double.NaN, 0.25, 0.2], rows.Select(row => row.Values["loss"]));
        Assert.Equal(new FileInfo(path).Length, next);
        File.AppendAllText(path, "{\"step\":5,\"time\":\"2026-01-01T00:00:00Z\",\"values\":{\"loss\":\"-Infinity\"}}\n\0\0\0\n{\"step\":6,");
        var (more, after) = run.Metrics("counts", next);
        Assert.Equal((5, double.NegativeInfinity), (Assert.Single(more).Step, more[0].Values["loss"]));
        Assert.Equal((0, after), (run.Metrics("counts", after).Rows.Count, run.Metrics("counts", after).Next));
        using (var file = new FileStream(path, FileMode.Open)) file.SetLength(next / 5 * 2);
        Assert.Equal(0, run.Metrics("counts", after).Rows[0].Step);
        Assert.Empty(run.Metrics("corpus").Rows);
    }

    [Fact]
    public void Buckets_keep_their_bounds_when_the_series_grows()
    {
        static (long, double) Point(int i) => (100 + i, i % 7);
        var points = Enumerable.Range(0, 1000).Select(Point).ToArray();
        var before = MetricBucket.Of(points, 100);
        var after = MetricBucket.Of([.. points, .. Enumerable.Range(1000, 50).Select(Point)], 100);
        Assert.InRange(before.Count, 51, 100);
        Assert.Equal(before.Take(before.Count - 1), after.Take(before.Count - 1));
        Assert.Equal(1000, before.Sum(bucket => bucket.Count));
        Assert.All(before, bucket => Assert.Equal(0, bucket.From % 16));

        var gap = MetricBucket.Of([(0, 1), (1, double.NaN), (2, 5), (3, double.PositiveInfinity)], 2);
        Assert.Equal([new MetricBucket(0, 2, 1, 1, 1, 1, 1), new MetricBucket(2, 2, 1, 5, 5, 5, 5)], gap);
        Assert.Empty(MetricBucket.Of([], 10));
        Assert.True(double.IsNaN(Assert.Single(MetricBucket.Of([(3, double.NaN)], 10)).Min));
    }
}
