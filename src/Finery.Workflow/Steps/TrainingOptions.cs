using Finery.Tensors;
using Finery.Training;
using Finery.Training.Averaging;
using Finery.Training.Losses;
using Finery.Training.Monitoring;
using Finery.Training.Optimizers;
using Finery.Training.Schedules;

namespace Finery.Workflow.Steps;

/// <summary>How a training step trains, whatever it learns from.</summary>
internal sealed record TrainingOptions
{
    /// <summary>Default time between checkpoints: a killed run loses little, and writing them costs below a percent.</summary>
    public const double DefaultCheckpointSeconds = 20;

    // A run that goes back loses little, and healthy checkpoints, which cost as much as others, stay rare.
    private const int AnchorsPerRun = 20, LeastAnchorSteps = 25;

    public required LearningRateSchedule Schedule { get; init; }

    public OptimizerSettings Optimizer { get; init; } = new AdamWOptimizerSettings();

    /// <summary>What is minimised, where it takes memory of its own.</summary>
    public TrainingObjective? Objective { get; init; }

    public GradientClip Clip { get; init; } = new GlobalNormClip();

    public RepairSettings Repair { get; init; } = new();

    public MonitoringSettings? Monitoring { get; init; }

    /// <summary>Names of the sources of batches.</summary>
    public IReadOnlyList<string> Sources { get; init; } = [];

    public WeightAverageSettings? Average { get; init; }

    public IReadOnlyList<FaultInjection> Faults { get; init; } = [];

    public Recompute Recompute { get; init; }

    public double CheckpointSeconds { get; init; } = DefaultCheckpointSeconds;

    public CheckpointRetention Retention { get; init; } = new();

    /// <summary>Steps between checkpoints to go back to; null for a twentieth of the run.</summary>
    public long? HealthyEvery { get; init; }

    /// <summary>Measures the loss on held-out text; null for none.</summary>
    public ValidationLoss? Validation { get; init; }

    /// <summary>Steps between measurements; 0 for the end alone.</summary>
    public long ValidationEvery { get; init; }

    /// <summary>Of the machine in FLOP/s, for utilisation; 0 if unknown.</summary>
    public double PeakFlops { get; init; }

    /// <summary>What training does where nothing else is said: warm-up over a twentieth of the steps (at most 200), then linearly to
    /// zero.</summary>
    public static LearningRateSchedule DefaultSchedule(double peak, long steps)
    {
        long warmup = Math.Min(200, steps / 20);
        return new WarmupStableDecay { Peak = peak, WarmupSteps = warmup, DecaySteps = steps - warmup };
    }

    /// <summary>Steps between healthy checkpoints of a run.</summary>
    public long HealthyEveryOf(long steps) => HealthyEvery ?? Math.Max(LeastAnchorSteps, steps / AnchorsPerRun);
}
