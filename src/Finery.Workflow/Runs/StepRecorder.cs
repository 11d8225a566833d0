using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Finery.Workflow.Recipes;
using Finery.Workflow.Steps;

namespace Finery.Workflow.Runs;

/// <summary>The context of a running step: appends to its <c>log.jsonl</c> and <c>metrics.jsonl</c> and tells the observer.</summary>
internal sealed class StepRecorder(
    string name, string folder, ulong seed, RunOptions options, double secondsSoFar, IRunObserver observer, CancellationToken stop)
    : StepContext, IDisposable
{
    private readonly Lock _gate = new();
    private readonly JsonLines _log = new(Path.Combine(folder, RunFolder.LogFile));
    private readonly JsonLines _metrics = new(Path.Combine(folder, RunFolder.MetricsFile));
    private JsonLines? _events;

    public override string Folder => folder;

    public override ulong Seed => seed;

    public override int Threads => options.Threads;

    public override int ProfiledSteps => options.ProfiledSteps;

    public override CancellationToken Stop => stop;

    public override double SecondsSoFar => secondsSoFar;

    public override JsonObject Summary { get; } = [];

    /// <summary>Seed of a step: its own, or derived.</summary>
    public static ulong SeedOf(ulong recipeSeed, RecipeStep step) => step.Seed ?? SeedOf(recipeSeed, step.Name);

    /// <summary>Seed of a step: independent of the order and number of the other steps.</summary>
    public static ulong SeedOf(ulong recipeSeed, string step) => BinaryPrimitives.ReadUInt64LittleEndian(
        SHA256.HashData(Encoding.UTF8.GetBytes(FormattableString.Invariant($"finery step seed {recipeSeed} {step}"))));

    public override void Log(string message) => Log("info", message);

    public override void Warn(string message) => Log("warning", message);

    /// <summary>The whole of what a failed step threw: for the log, not for the terminal.</summary>
    public void Error(Exception exception)
    {
        lock (_gate) _log.Append(new LogLine(DateTimeOffset.UtcNow, "error", exception.ToString()));
    }

    public override void Metrics(long step, params ReadOnlySpan<(string Name, double Value)> values)
    {
        var row = new Dictionary<string, double>(values.Length);
        foreach (var (key, value) in values) row[key] = value;
        lock (_gate)
        {
            _metrics.Append(new MetricRow(step, DateTimeOffset.UtcNow, row));
            observer.Metrics(name, step, values);
        }
    }

    public override void Event(long step, int attempt, string kind, string message, params ReadOnlySpan<(string Name, double Value)> values)
    {
        var row = new Dictionary<string, double>(values.Length);
        foreach (var (key, value) in values) row[key] = value;
        lock (_gate) Events().Append(new EventRow(step, attempt, DateTimeOffset.UtcNow, kind, message, row));
    }

    public override void TruncateMetrics(long step, int attempt = 0)
    {
        bool IsBefore(int rowAttempt, long rowStep) => rowAttempt < attempt || (rowAttempt == attempt && rowStep < step);
        lock (_gate)
        {
            _metrics.Keep<MetricRow>(row => IsBefore((int)row.Values.GetValueOrDefault(AttemptMetric), row.Step));
            if (File.Exists(EventsPath)) Events().Keep<EventRow>(row => IsBefore(row.Attempt, row.Step));
        }
    }

    public override IReadOnlyList<IReadOnlyDictionary<string, double>> MetricRows()
    {
        lock (_gate) return [.. JsonLines.Read<MetricRow>(Path.Combine(folder, RunFolder.MetricsFile), 0).Values.Select(row => row.Values)];
    }

    public override void Progress(double done, double total, string text)
    {
        lock (_gate) observer.Progress(name, done, total, text);
    }

    public void Dispose()
    {
        _log.Dispose();
        _metrics.Dispose();
        _events?.Dispose();
    }

    private string EventsPath => Path.Combine(folder, RunFolder.EventsFile);

    private JsonLines Events() => _events ??= new(EventsPath);

    private void Log(string level, string message)
    {
        lock (_gate)
        {
            _log.Append(new LogLine(DateTimeOffset.UtcNow, level, message));
            observer.Log(name, level == "warning", message);
        }
    }
}
