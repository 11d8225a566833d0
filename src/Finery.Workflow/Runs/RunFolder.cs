using System.Diagnostics;
using System.Text.Json;
using Finery.Workflow.Recipes;

namespace Finery.Workflow.Runs;

/// <summary>Reads a run folder, <c>runs/&lt;name&gt;/</c>, also while another process writes it.</summary>
public sealed class RunFolder
{
    internal const string StatusFile = "run.json";
    internal const string RecipeFile = "recipe.yaml";
    internal const string LockFile = "run.lock";
    internal const string StepFile = "step.json";
    internal const string LogFile = "log.jsonl";
    internal const string MetricsFile = "metrics.jsonl";
    internal const string EventsFile = "events.jsonl";
    internal const string StateFolder = "state";

    /// <summary>Six missed heartbeats.</summary>
    private static readonly TimeSpan Silence = TimeSpan.FromSeconds(60);

    internal RunFolder(string path) => Path = path;

    /// <summary>Full path of the folder.</summary>
    public string Path { get; }

    /// <summary>Name of the folder.</summary>
    public string Name => System.IO.Path.GetFileName(Path);

    /// <summary>Opens for reading.</summary>
    /// <exception cref="RunFolderException">It is not there or not a run folder.</exception>
    public static RunFolder Open(string path)
    {
        var folder = new RunFolder(System.IO.Path.TrimEndingDirectorySeparator(System.IO.Path.GetFullPath(path)));
        if (!Directory.Exists(folder.Path)) throw new RunFolderException($"There is no run folder {folder.Path}.");
        if (!File.Exists(folder.PathOf(StatusFile)))
            throw new RunFolderException($"{folder.Path} is not a run folder: it has no {StatusFile}.");
        return folder;
    }

    /// <summary>The runs below a folder such as <c>runs</c>, latest start first; folders that are none are left out.</summary>
    public static IReadOnlyList<RunFolder> List(string root)
    {
        if (!Directory.Exists(root)) return [];
        var runs = new List<(RunFolder Folder, DateTimeOffset Started)>();
        foreach (string path in Directory.EnumerateDirectories(root))
        {
            if (!File.Exists(System.IO.Path.Combine(path, StatusFile))) continue;
            var folder = Open(path);
            DateTimeOffset started;
            try
            {
                started = folder.Status().Started;
            }
            catch (RunFolderException)
            {
                // A damaged run is listed, so that it is seen; its Status says what is wrong.
                started = DateTimeOffset.MinValue;
            }
            runs.Add((folder, started));
        }
        return [.. runs.OrderByDescending(run => run.Started).ThenBy(run => run.Folder.Name, StringComparer.Ordinal)
            .Select(run => run.Folder)];
    }

    /// <summary><c>run.json</c>.</summary>
    /// <exception cref="RunFolderException">It cannot be read.</exception>
    public RunStatus Status()
    {
        var status = Read<RunStatus>(PathOf(StatusFile)) ?? throw new RunFolderException($"{PathOf(StatusFile)} is missing.");
        return status.State == RunState.Running && IsLost(status) ? status with { State = RunState.Lost } : status;
    }

    /// <summary><c>recipe.yaml</c>: the recipe as resolved when the run was last started.</summary>
    /// <exception cref="RunFolderException">It is missing.</exception>
    public string Recipe()
    {
        try
        {
            return File.ReadAllText(PathOf(RecipeFile));
        }
        catch (IOException e)
        {
            throw new RunFolderException(e.Message);
        }
    }

    /// <summary><c>step.json</c>; null if the step has not begun.</summary>
    /// <exception cref="RunFolderException">It cannot be read.</exception>
    public StepStatus? Step(string name) => Read<StepStatus>(System.IO.Path.Combine(StepFolder(name), StepFile));

    /// <summary>Statuses of the steps of the run that have begun, in order; one whose <c>step.json</c> is damaged is left
    /// out.</summary>
    public IReadOnlyList<StepStatus> Steps()
    {
        var steps = new List<StepStatus>();
        foreach (var step in Status().Steps)
        {
            try
            {
                if (Step(step.Name) is { } status) steps.Add(status);
            }
            catch (RunFolderException)
            {
                // The runner names and rebuilds it.
            }
        }
        return steps;
    }

    /// <summary>Folder of a step, which need not exist.</summary>
    /// <exception cref="RunFolderException">No step can have this name.</exception>
    public string StepFolder(string name) => RecipeReader.ValidName(name)
        ? System.IO.Path.Combine(Path, name)
        : throw new RunFolderException("No step can have this name.");

    /// <summary>Rows of a step's <c>metrics.jsonl</c>, from a position on. A half-written last line waits for the next call; a
    /// damaged line is left out.</summary>
    /// <param name="step">Name of the step.</param>
    /// <param name="offset">0, or what an earlier call returned as next.</param>
    /// <returns>The rows, and where to read on; all rows if the file was cut in the meantime (a rollback).</returns>
    public (IReadOnlyList<MetricRow> Rows, long Next) Metrics(string step, long offset = 0) =>
        JsonLines.Read<MetricRow>(System.IO.Path.Combine(StepFolder(step), MetricsFile), offset);

    /// <summary>What happened to a training step, in order; empty for most.</summary>
    public IReadOnlyList<EventRow> Events(string step) =>
        JsonLines.Read<EventRow>(System.IO.Path.Combine(StepFolder(step), EventsFile), 0).Values;

    /// <summary>A series in at most <paramref name="buckets"/> buckets. Their bounds are multiples of a power of two of steps, so
    /// a curve keeps its shape when it is refreshed.</summary>
    public IReadOnlyList<MetricBucket> Series(string step, string metric, int buckets) =>
        MetricBucket.Of(Metrics(step).Rows.Where(row => row.Values.ContainsKey(metric))
            .Select(row => (row.Step, row.Values[metric])), buckets);

    /// <summary>Lines of a step's <c>log.jsonl</c>, from a position on, as <see cref="Metrics"/>.</summary>
    public (IReadOnlyList<LogLine> Lines, long Next) Log(string step, long offset = 0) =>
        JsonLines.Read<LogLine>(System.IO.Path.Combine(StepFolder(step), LogFile), offset);

    internal string PathOf(string name) => System.IO.Path.Combine(Path, name);

    private static bool IsLost(RunStatus status)
    {
        if (DateTimeOffset.UtcNow - status.Heartbeat > Silence) return true;
        if (status.Host != Environment.MachineName || status.Pid == Environment.ProcessId) return false;
        try
        {
            using var process = Process.GetProcessById(status.Pid);
            return process.HasExited;
        }
        catch (ArgumentException)
        {
            return true;
        }
        catch (Exception e) when (e is InvalidOperationException or System.ComponentModel.Win32Exception)
        {
            // It exists but belongs to someone else.
            return false;
        }
    }

    private static T? Read<T>(string path)
        where T : class
    {
        try
        {
            return JsonSerializer.Deserialize<T>(AtomicFile.Read(path), RunJson.Indented);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            return null;
        }
        catch (Exception e) when (e is JsonException or IOException or UnauthorizedAccessException or NotSupportedException)
        {
            throw new RunFolderException($"{path} cannot be read: {e.Message}");
        }
    }
}

/// <summary>A run folder cannot be used. The message is for the user.</summary>
public sealed class RunFolderException(string message) : Exception(message);
