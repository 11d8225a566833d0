namespace Finery.Training.Monitoring;

/// <summary>What is to be done with a step whose loss and gradients are known and not yet applied.</summary>
public enum RepairAction
{
    /// <summary>Apply the update.</summary>
    Continue,

    /// <summary>Do not apply it: clear the gradients; weights, moments and counter stay.</summary>
    SkipUpdate,

    /// <summary>Do not apply it, and go on with a lower rate and a tighter clip (<see cref="RepairLadder.RateScale"/>).</summary>
    SkipAndReduce,

    /// <summary>Restore the newest healthy checkpoint of at most <see cref="RepairDecision.RestoreBefore"/> steps.</summary>
    Rollback,

    /// <summary>The run has diverged and repair is off or spent.</summary>
    Stop,
}

/// <summary>The rungs by which events are named.</summary>
public enum RepairRung
{
    /// <summary>A step that was not finite.</summary>
    NonFinite,

    /// <summary>A spike.</summary>
    Spike,

    /// <summary>A lower learning rate.</summary>
    Reduce,

    /// <summary>A return to a checkpoint.</summary>
    Rollback,

    /// <summary>The end.</summary>
    Stop,

    /// <summary>An alarm is over.</summary>
    Recovered,
}

/// <summary>An answer of <see cref="RepairLadder"/>.</summary>
/// <param name="Action">What to do.</param>
/// <param name="Onset">Step at which the trouble began; -1 where there is none.</param>
/// <param name="RestoreBefore">Of a rollback: most steps a checkpoint may have done to be old enough.</param>
/// <param name="SkipFrom">Of a rollback: first batch that will be passed over.</param>
/// <param name="SkipTo">Of a rollback: the batch behind the last that will be.</param>
/// <param name="Diagnosis">Why, of all but <see cref="RepairAction.Continue"/>.</param>
public readonly record struct RepairDecision(
    RepairAction Action, long Onset = -1, long RestoreBefore = -1, long SkipFrom = 0, long SkipTo = 0, string? Diagnosis = null);

/// <summary>A value that a rung changed.</summary>
/// <param name="Name">What it is.</param>
/// <param name="Before">Value before.</param>
/// <param name="After">Value after.</param>
public sealed record RepairChange(string Name, double Before, double After);

/// <summary>Something the ladder did, for log, chart and report.</summary>
/// <param name="Step">Step it happened at.</param>
/// <param name="Rung">Which rung.</param>
/// <param name="Reason">In words, with the figures that led to it.</param>
/// <param name="Changes">What is different now.</param>
public sealed record RepairEvent(long Step, RepairRung Rung, string Reason, IReadOnlyList<RepairChange> Changes);

/// <summary>A step as the diagnostic bundle shows it.</summary>
/// <param name="Step">From 0.</param>
/// <param name="Batch">Batch it was computed on.</param>
/// <param name="Loss">Loss.</param>
/// <param name="GradientNorm">Global norm before clipping.</param>
/// <param name="Action">What was done with it.</param>
public readonly record struct RepairPoint(long Step, long Batch, double Loss, double GradientNorm, RepairAction Action);
