namespace Finery.Workflow.Runs;

/// <summary>Reads a run folder, <c>runs/&lt;name&gt;/</c>, also while another process writes it.</summary>
public sealed class RunFolder
{
    private RunFolder(string path) => Path = path;

    /// <summary>Full path of the folder.</summary>
    public string Path { get; }

    /// <summary>Opens for reading.</summary>
    /// <exception cref="RunFolderException">It is not there or not a run folder.</exception>
    public static RunFolder Open(string path) => throw new NotImplementedException(path);

    /// <summary>The runs below a folder such as <c>runs</c>, newest first; folders that are none are left out.</summary>
    public static IReadOnlyList<RunFolder> List(string root) => throw new NotImplementedException(root);

    /// <summary><c>run.json</c>.</summary>
    /// <exception cref="RunFolderException">It cannot be read.</exception>
    public RunStatus Status() => throw new NotImplementedException();

    /// <summary><c>step.json</c>; null if the step has not begun.</summary>
    /// <exception cref="RunFolderException">It cannot be read.</exception>
    public StepStatus? Step(string name) => throw new NotImplementedException();

    /// <summary>Statuses of all steps of the run that have begun, in order.</summary>
    public IReadOnlyList<StepStatus> Steps() => throw new NotImplementedException();

    /// <summary>Folder of a step.</summary>
    public string StepFolder(string name) => System.IO.Path.Combine(Path, name);

    /// <summary>Rows of a step's <c>metrics.jsonl</c>, from a position on.</summary>
    /// <param name="step">Name of the step.</param>
    /// <param name="offset">0, or what an earlier call returned as next.</param>
    /// <returns>The rows, and where to read on; after a rollback (the file is shorter than <paramref name="offset"/>) all rows.</returns>
    public (IReadOnlyList<MetricRow> Rows, long Next) Metrics(string step, long offset = 0) => throw new NotImplementedException();

    /// <summary>A series in at most <paramref name="buckets"/> buckets, the same after every refresh.</summary>
    public IReadOnlyList<MetricBucket> Series(string step, string metric, int buckets) => throw new NotImplementedException();

    /// <summary>Lines of a step's <c>log.jsonl</c>.</summary>
    public IReadOnlyList<LogLine> Log(string step) => throw new NotImplementedException();
}

/// <summary>A run folder cannot be used. The message is for the user.</summary>
public sealed class RunFolderException(string message) : Exception(message);
