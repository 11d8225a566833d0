using System.Text.Json.Nodes;

namespace Finery.Workflow.Runs;

/// <summary>What will happen to a step.</summary>
public enum PlannedAction
{
    /// <summary>Finished before with the same key; its outputs are intact.</summary>
    Cached,

    /// <summary>Runs from the start.</summary>
    Run,

    /// <summary>Continues an interrupted attempt with the same key.</summary>
    Resume,

    /// <summary>Depends on a step that runs: runs if what that step writes is new.</summary>
    MayRun,
}

/// <summary>What will happen to a step, and why.</summary>
/// <param name="Name">Name in the recipe.</param>
/// <param name="Type">Type in the step catalogue.</param>
/// <param name="Action">What will happen.</param>
/// <param name="Reason">Why, for the user: <c>new</c>, <c>settings changed: lr 1 -> 2</c>, <c>finished</c>, ...</param>
/// <param name="Key">Cache key; null while an input is still to be made.</param>
/// <param name="Ingredients">What the key is made of.</param>
public sealed record StepPlan(string Name, string Type, PlannedAction Action, string Reason, string? Key, JsonObject Ingredients)
{
    /// <summary>Whether the step has work to do, as far as is known.</summary>
    public bool WillRun => Action != PlannedAction.Cached;
}

/// <summary>How a step ended in this run.</summary>
/// <param name="Name">Name in the recipe.</param>
/// <param name="Type">Type in the step catalogue.</param>
/// <param name="State">Finished, cached, failed, interrupted, skipped or pending.</param>
/// <param name="Seconds">Seconds this run spent on it.</param>
/// <param name="Detail">Why it ran or was cached or skipped; for a failed step the error in one line.</param>
/// <param name="Exception">What a failed step threw, for <c>--debug</c>.</param>
public sealed record StepResult(string Name, string Type, StepState State, double Seconds, string Detail,
    Exception? Exception = null);

/// <summary>How a run ended.</summary>
/// <param name="ExitCode">What the command exits with.</param>
/// <param name="Steps">Every step of the recipe, in order.</param>
/// <param name="Error">What to tell the user in one line; null if all went well.</param>
public sealed record RunResult(ExitCode ExitCode, IReadOnlyList<StepResult> Steps, string? Error);

/// <summary>How to run. Nothing here changes what a step writes.</summary>
public sealed record RunOptions
{
    /// <summary>Threads a step may use.</summary>
    public int Threads { get; init; } = Environment.ProcessorCount;

    /// <summary>Training steps to profile in each step of the recipe that trains; 0 for none.</summary>
    public int ProfiledSteps { get; init; }

    /// <summary>Names of steps to run from the start even if they are finished; <c>*</c> for all.</summary>
    public IReadOnlyCollection<string> Force { get; init; } = [];

    /// <summary>Last step to run; null for all.</summary>
    public string? Until { get; init; }

    /// <summary>Plan only: nothing is written, the result lists the steps as pending or cached with their reasons.</summary>
    public bool DryRun { get; init; }

    /// <summary>Called at the end of every run, also a failed one, when <c>run.json</c> says how it ended. If it throws, the run
    /// warns.</summary>
    public Action<RunFolder>? Report { get; init; }
}

/// <summary>Follows a run, for a terminal. Calls come one at a time, but from any thread.</summary>
public interface IRunObserver
{
    /// <summary>A step begins.</summary>
    void StepStarting(StepPlan step);

    /// <summary>A step ended, or was found cached, or is skipped.</summary>
    void StepFinished(StepResult step);

    /// <summary>A line a step logged.</summary>
    void Log(string step, bool warning, string message);

    /// <summary>Live progress; <paramref name="total"/> is 0 when unknown.</summary>
    void Progress(string step, double done, double total, string text);

    /// <summary>A row of metrics.</summary>
    void Metrics(string step, long at, ReadOnlySpan<(string Name, double Value)> values);
}

/// <summary>Observes nothing.</summary>
public sealed class SilentObserver : IRunObserver
{
    /// <inheritdoc/>
    public void StepStarting(StepPlan step) { }

    /// <inheritdoc/>
    public void StepFinished(StepResult step) { }

    /// <inheritdoc/>
    public void Log(string step, bool warning, string message) { }

    /// <inheritdoc/>
    public void Progress(string step, double done, double total, string text) { }

    /// <inheritdoc/>
    public void Metrics(string step, long at, ReadOnlySpan<(string Name, double Value)> values) { }
}
