using System.Text.Json.Nodes;

namespace Finery.Workflow.Runs;

/// <summary>Where a step is. <see cref="Cached"/> and <see cref="Skipped"/> describe a run, not what <c>step.json</c>
/// says.</summary>
public enum StepState
{
    /// <summary>Not begun.</summary>
    Pending,

    /// <summary>Under way, or its process was killed.</summary>
    Running,

    /// <summary>Done, outputs recorded.</summary>
    Finished,

    /// <summary>Was done before with the same key; outputs verified.</summary>
    Cached,

    /// <summary>Ended with an error.</summary>
    Failed,

    /// <summary>Stopped on request; resumes.</summary>
    Interrupted,

    /// <summary>Not run because a step it needs failed.</summary>
    Skipped,
}

/// <summary>Where a run is.</summary>
public enum RunState
{
    /// <summary>A process works on it.</summary>
    Running,

    /// <summary>Every step asked for is finished.</summary>
    Finished,

    /// <summary>A step failed.</summary>
    Failed,

    /// <summary>Stopped on request; resumes.</summary>
    Interrupted,

    /// <summary>It says running, but its process is gone or has not been heard of for a minute. Never stored; resumes.</summary>
    Lost,
}

/// <summary>The machine of a run, as far as it explains its speed.</summary>
/// <param name="Os">Operating system and version.</param>
/// <param name="Architecture">Processor architecture of the process, such as <c>x64</c>.</param>
/// <param name="Cpu">Processor model.</param>
/// <param name="Cores">Logical processors the process may use.</param>
/// <param name="MemoryBytes">Memory the process may use.</param>
/// <param name="Dotnet">.NET version.</param>
public sealed record MachineInfo(string Os, string Architecture, string Cpu, int Cores, long MemoryBytes, string Dotnet);

/// <summary>One line of the step list in <c>run.json</c>.</summary>
public sealed record RunStep(string Name, string Type, StepState State, double Seconds);

/// <summary>What <c>run.json</c> holds. Times are UTC.</summary>
public sealed record RunStatus
{
    /// <summary>Name of the recipe.</summary>
    public required string Name { get; init; }

    /// <summary>State; a reader sees <see cref="RunState.Lost"/> where a run cannot still be running.</summary>
    public required RunState State { get; init; }

    /// <summary>Seed of the recipe.</summary>
    public required ulong Seed { get; init; }

    /// <summary>Recipe file; null if it came from a string.</summary>
    public string? Source { get; init; }

    /// <summary>Version of Finery.</summary>
    public required string Finery { get; init; }

    /// <summary>The machine.</summary>
    public required MachineInfo Machine { get; init; }

    /// <summary>Process that runs or ran it.</summary>
    public required int Pid { get; init; }

    /// <summary>Host of that process.</summary>
    public required string Host { get; init; }

    /// <summary>How often the run has been started, from 1.</summary>
    public required int Attempt { get; init; }

    /// <summary>Threads asked for; they do not change results.</summary>
    public required int Threads { get; init; }

    /// <summary>When this attempt started.</summary>
    public required DateTimeOffset Started { get; init; }

    /// <summary>When this attempt ended; null while running.</summary>
    public DateTimeOffset? Ended { get; init; }

    /// <summary>Last sign of life, renewed every ten seconds.</summary>
    public required DateTimeOffset Heartbeat { get; init; }

    /// <summary>Exit code; null while running.</summary>
    public int? ExitCode { get; init; }

    /// <summary>Error of the run in one line.</summary>
    public string? Error { get; init; }

    /// <summary>All steps in order.</summary>
    public IReadOnlyList<RunStep> Steps { get; init; } = [];
}

/// <summary>A file and its content.</summary>
/// <param name="Path">Path below what it belongs to, separated by <c>/</c>; empty if it is that itself.</param>
/// <param name="Bytes">Length.</param>
/// <param name="Sha256">Lower-case hexadecimal.</param>
public sealed record FileRecord(string Path, long Bytes, string Sha256);

/// <summary>An input a step had.</summary>
/// <param name="Setting">Recipe key.</param>
/// <param name="Source"><c>step.output</c>, or the path of something from outside the recipe.</param>
/// <param name="Fingerprint">SHA-256 over the names and contents of all its files.</param>
/// <param name="Bytes">Total length.</param>
public sealed record InputRecord(string Setting, string Source, string Fingerprint, long Bytes);

/// <summary>An output a step left.</summary>
/// <param name="Name">Name in the step's folder.</param>
/// <param name="Kind">Artifact kind, in snake_case.</param>
/// <param name="Fingerprint">SHA-256 over the names and contents of all its files.</param>
/// <param name="Files">Its files, by name.</param>
public sealed record OutputRecord(string Name, string Kind, string Fingerprint, IReadOnlyList<FileRecord> Files);

/// <summary>What <c>step.json</c> holds. Times are UTC.</summary>
public sealed record StepStatus
{
    /// <summary>Name in the recipe.</summary>
    public required string Name { get; init; }

    /// <summary>Type in the step catalogue.</summary>
    public required string Type { get; init; }

    /// <summary>Version of the step's implementation.</summary>
    public required int Version { get; init; }

    /// <summary>State as stored: running, finished, failed or interrupted.</summary>
    public required StepState State { get; init; }

    /// <summary>Cache key: SHA-256 of <see cref="Ingredients"/> as canonical JSON.</summary>
    public required string Key { get; init; }

    /// <summary>What the key is made of, so that a later difference can be named.</summary>
    public required JsonObject Ingredients { get; init; }

    /// <summary>All settings with defaults, inputs as references.</summary>
    public required JsonObject Settings { get; init; }

    /// <summary>When the latest attempt started.</summary>
    public required DateTimeOffset Started { get; init; }

    /// <summary>When it ended; null while running.</summary>
    public DateTimeOffset? Ended { get; init; }

    /// <summary>Seconds of work, over all attempts that led to this state.</summary>
    public double Seconds { get; init; }

    /// <summary>Attempts with this key, from 1.</summary>
    public required int Attempt { get; init; }

    /// <summary>Error of a failed step, one line.</summary>
    public string? Error { get; init; }

    /// <summary>Exit code a failed step stands for.</summary>
    public int? ExitCode { get; init; }

    /// <summary>Artifacts read.</summary>
    public IReadOnlyList<InputRecord> Inputs { get; init; } = [];

    /// <summary>Outputs; only of a finished step.</summary>
    public IReadOnlyList<OutputRecord> Outputs { get; init; } = [];

    /// <summary>Figures and examples for the report.</summary>
    public JsonObject Summary { get; init; } = [];
}
