using Finery.Data.Batches;
using Finery.Tensors;
using Finery.Training.Averaging;
using Finery.Training.Monitoring;
using Finery.Training.Optimizers;

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

    /// <summary>What is done about gradients that are too large.</summary>
    public GradientClip Clip { get; init; } = new GlobalNormClip();

    /// <summary>Bound on attention logits; null for none.</summary>
    public QkClipSettings? QkClip { get; init; }

    /// <summary>Of stochastic rounding in QK-clip.</summary>
    public ulong Seed { get; init; }

    /// <summary>Peak FLOP/s of the machine, for <see cref="StepMetrics.Utilisation"/>.</summary>
    public double PeakFlops { get; init; }

    /// <summary>What is done about steps that are not finite, spikes and divergence.</summary>
    public RepairSettings Repair { get; init; } = new();

    /// <summary>What is measured of the model while it trains; null for nothing.</summary>
    public MonitoringSettings? Monitoring { get; init; }

    /// <summary>Names of the batches' sources (<see cref="PackedBatch.Sources"/>), whose losses are measured apart where there are several.</summary>
    public IReadOnlyList<string> Sources { get; init; } = [];

    /// <summary>A mean of the weights over steps; null for none.</summary>
    public WeightAverageSettings? Average { get; init; }

    /// <summary>Faults put into the run on purpose.</summary>
    public IReadOnlyList<FaultInjection> Faults { get; init; } = [];

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
