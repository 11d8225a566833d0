namespace Finery.Training;

/// <summary>What is known of one training step.</summary>
/// <param name="Step">From 0.</param>
/// <param name="TotalSteps">Length of the run.</param>
/// <param name="Loss">Of this step, before its update; for next-token losses nats per target over all micro-batches.</param>
/// <param name="SmoothedLoss">Exponential mean of about the last 50 steps.</param>
/// <param name="LearningRate">Of this step.</param>
/// <param name="GradientNorm">Global norm before clipping.</param>
/// <param name="GradientScale">Factor of clipping: below 1 where it clipped.</param>
/// <param name="TokensSeen">Tokens of all steps so far, this one included.</param>
/// <param name="TokensPerSecond">Of this step, all its work included.</param>
/// <param name="Utilisation">Model FLOP/s (full convention, reference 1.7) over the machine's peak; 0 where no peak was given.</param>
/// <param name="Epoch">How many times the data was seen before this step.</param>
/// <param name="Skipped">Nothing was updated: loss or gradient were not finite, or far outside what they had been.</param>
public readonly record struct StepMetrics(
    long Step, long TotalSteps, double Loss, double SmoothedLoss, double LearningRate, double GradientNorm, double GradientScale,
    long TokensSeen, double TokensPerSecond, double Utilisation, double Epoch, bool Skipped)
{
    /// <summary>Which branch of the run the step is on: how often it went back to a checkpoint before.</summary>
    public int Attempt { get; init; }

    /// <summary>Attention heads that QK-clip scaled after the update; null without QK-clip or update.</summary>
    public int? ClippedHeads { get; init; }
}

/// <summary>Called after each step.</summary>
/// <param name="metrics">Of the step.</param>
/// <param name="lossMetrics">The loss's own figures (<see cref="Losses.TrainingLoss.Metrics"/>), valid during the call.</param>
public delegate void StepHook(in StepMetrics metrics, ReadOnlySpan<double> lossMetrics);

/// <summary>Why a run returned.</summary>
public enum TrainingOutcome
{
    /// <summary>All steps are done.</summary>
    Completed,

    /// <summary>A hook asked to stop.</summary>
    Stopped,

    /// <summary>Cancelled between two steps, with a checkpoint where checkpoints are kept: running again continues.</summary>
    Interrupted,
}

/// <summary>What a run came to.</summary>
/// <param name="Outcome">Why it returned.</param>
/// <param name="Steps">Steps done since the beginning of the run, resumed ones included.</param>
/// <param name="ResumedFrom">Step it continued from; 0 for a fresh start.</param>
/// <param name="TokensSeen">Tokens since the beginning.</param>
/// <param name="SkippedSteps">Steps without update.</param>
/// <param name="SmoothedLoss">As of the last step.</param>
/// <param name="TrainedTokensPerSecond">Of the steps done now, hooks and checkpoints not counted; NaN where there were none.</param>
public sealed record TrainingResult(
    TrainingOutcome Outcome, long Steps, long ResumedFrom, long TokensSeen, long SkippedSteps, double SmoothedLoss,
    double TrainedTokensPerSecond);

/// <summary>Training cannot go on: it diverged, and repair is off or did not help.</summary>
public sealed class DivergedException(string message) : InvalidOperationException(message)
{
    /// <summary>File with the last steps, what was done, and the norms of all parameters; null where there is no folder for it.</summary>
    public string? Bundle { get; init; }
}
