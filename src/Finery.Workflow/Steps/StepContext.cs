using System.Text.Json.Nodes;
using Finery.Workflow.Runs;

namespace Finery.Workflow.Steps;

/// <summary>What a running step sees of the run: its folder, its seed, and where its records go.</summary>
public abstract class StepContext
{
    /// <summary>Metric that tells the branches of a run apart that went back to an earlier step: 0, where it is absent, and one more each
    /// time.</summary>
    public const string AttemptMetric = "attempt";

    /// <summary>The step's own folder. Outputs lie directly in it; resumable state in <see cref="StateFolder"/>.</summary>
    public abstract string Folder { get; }

    /// <summary>Folder for checkpoints and scratch of an unfinished step; removed when the step has finished.</summary>
    public string StateFolder => Path.Combine(Folder, RunFolder.StateFolder);

    /// <summary>Seed of this step, derived from the recipe's seed and the step's name.</summary>
    public abstract ulong Seed { get; }

    /// <summary>Threads to use; never changes a result.</summary>
    public abstract int Threads { get; }

    /// <summary>Training steps to profile, 0 for none; never changes a result.</summary>
    public abstract int ProfiledSteps { get; }

    /// <summary>Signalled when the user or the system asks to stop: save state, then throw <see cref="OperationCanceledException"/>.</summary>
    public abstract CancellationToken Stop { get; }

    /// <summary>Path of a declared output.</summary>
    public string Output(string name) => Path.Combine(Folder, name);

    /// <summary>A line for <c>log.jsonl</c> and the console.</summary>
    public abstract void Log(string message);

    /// <summary>Like <see cref="Log"/>, marked as something the user should notice.</summary>
    public abstract void Warn(string message);

    /// <summary>A row of <c>metrics.jsonl</c>. A step resumed from a checkpoint first cuts the rows behind it with <see cref="TruncateMetrics"/>.</summary>
    public abstract void Metrics(long step, params ReadOnlySpan<(string Name, double Value)> values);

    /// <summary>A row of <c>events.jsonl</c>.</summary>
    /// <param name="step">Training step.</param>
    /// <param name="attempt">Which branch of the run.</param>
    /// <param name="kind">What happened.</param>
    /// <param name="message">In words.</param>
    /// <param name="values">Figures before and after.</param>
    public abstract void Event(long step, int attempt, string kind, string message, params ReadOnlySpan<(string Name, double Value)> values);

    /// <summary>Removes the rows of <c>metrics.jsonl</c> and <c>events.jsonl</c> at or beyond <paramref name="step"/> of branch
    /// <paramref name="attempt"/>, and of branches after it. Rows say by <see cref="AttemptMetric"/> which branch they are of.</summary>
    public abstract void TruncateMetrics(long step, int attempt = 0);

    /// <summary>The values of all rows of <c>metrics.jsonl</c>, in order.</summary>
    public abstract IReadOnlyList<IReadOnlyDictionary<string, double>> MetricRows();

    /// <summary>Seconds that the finished steps of this run took when they ran, cached ones included.</summary>
    public abstract double SecondsSoFar { get; }

    /// <summary>Live progress, not recorded.</summary>
    /// <param name="done">Units done.</param>
    /// <param name="total">Units in all; 0 when unknown.</param>
    /// <param name="text">Figures to show beside the bar, such as the loss.</param>
    public abstract void Progress(double done, double total, string text);

    /// <summary>Figures and examples that the report shows: stored as <c>summary</c> in <c>step.json</c>.</summary>
    public abstract JsonObject Summary { get; }
}
