using System.Text.Json.Nodes;
using Finery.Workflow.Steps;

namespace Finery.Tests.Workflow.Steps;

/// <summary>A step context in a temporary folder that keeps what it is told.</summary>
internal sealed class RecordingContext : StepContext, IDisposable
{
    private readonly List<(long Step, Dictionary<string, double> Values)> _rows = [];

    public List<string> Lines { get; } = [];

    public override string Folder { get; } = Directory.CreateTempSubdirectory("finery-step-").FullName;

    public override ulong Seed => 42;

    public override int Threads => 2;

    public override int ProfiledSteps => Profile;

    public int Profile { get; init; }

    public override CancellationToken Stop => CancellationToken.None;

    public override double SecondsSoFar => 1;

    public override JsonObject Summary { get; } = [];

    public override void Log(string message) => Lines.Add(message);

    public override void Warn(string message) => Lines.Add("warning: " + message);

    public override void Metrics(long step, params ReadOnlySpan<(string Name, double Value)> values)
    {
        var row = new Dictionary<string, double>();
        foreach (var (name, value) in values) row[name] = value;
        _rows.Add((step, row));
    }

    public List<(long Step, string Kind, string Message)> EventRows { get; } = [];

    public override void Event(long step, int attempt, string kind, string message, params ReadOnlySpan<(string Name, double Value)> values) =>
        EventRows.Add((step, kind, message));

    public override void TruncateMetrics(long step, int attempt = 0) => _rows.RemoveAll(row => row.Step >= step);

    public override IReadOnlyList<IReadOnlyDictionary<string, double>> MetricRows() => [.. _rows.Select(row => row.Values)];

    public override void Progress(double done, double total, string text)
    {
    }

    public void Dispose() => Directory.Delete(Folder, recursive: true);
}
