using Finery.Tensors;

namespace Finery.Training;

/// <summary>Settings of <see cref="TrainingLoop"/>. What concerns checkpoints and hooks never changes what is computed.</summary>
public sealed record TrainingLoopSettings
{
    /// <summary>Length of the run in steps; with phases they say it.</summary>
    public long Steps { get; init; }

    /// <summary>Parts a batch's rows are cut into, their gradients added: less memory, the same step. Phases have their own.</summary>
    public int MicroBatches { get; init; } = 1;

    /// <summary>What the backward pass computes again instead of keeping it: less memory, the same bits.</summary>
    public Recompute Recompute { get; init; }

    /// <summary>Global gradient norm above which gradients are scaled down.</summary>
    public double ClipNorm { get; init; } = 1;

    /// <summary>Peak FLOP/s of the machine, for <see cref="StepMetrics.Utilisation"/>.</summary>
    public double PeakFlops { get; init; }

    /// <summary>Consecutive steps without finite loss and gradient that end the run.</summary>
    public int SkipsUntilDiverged { get; init; } = 3;

    /// <summary>Folder of checkpoints; null keeps none.</summary>
    public string? CheckpointFolder { get; init; }

    /// <summary>A checkpoint after every so many steps, marked healthy where nothing is wrong; 0 for none by count.</summary>
    public long CheckpointEverySteps { get; init; }

    /// <summary>Which checkpoints stay.</summary>
    public CheckpointRetention Retention { get; init; } = new();

    /// <summary>A checkpoint after so many seconds without one; 0 for none by time.</summary>
    public double CheckpointEverySeconds { get; init; }

    /// <summary>Evaluation after every so many steps, and after the last; 0 for none.</summary>
    public long EvaluateEverySteps { get; init; }

    /// <summary>What else makes the run this run and no other (seed, starting model): a checkpoint of another is refused.</summary>
    public IReadOnlyDictionary<string, string> Identity { get; init; } = new Dictionary<string, string>();
}
