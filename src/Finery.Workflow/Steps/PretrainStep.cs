using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using Finery.Models.Layers;
using Finery.Tensors;
using Finery.Training;
using Finery.Training.Averaging;
using Finery.Training.Losses;
using Finery.Training.Losses.Distillation;
using Finery.Training.Monitoring;
using Finery.Training.Optimizers;
using Finery.Training.Schedules;

namespace Finery.Workflow.Steps;

/// <summary>How weights and activations are stored while training. Sums, gradients of weights and statistics are F32 always.</summary>
public enum Precision
{
    /// <summary>Single precision.</summary>
    F32,

    /// <summary>bfloat16.</summary>
    BF16,
}

internal static class Precisions
{
    /// <summary>The type of weights and activations.</summary>
    public static DType Type(this Precision precision) => precision == Precision.BF16 ? DType.BF16 : DType.F32;
}

/// <summary>Trains a model on token shards: from nothing, or on from a model (annealing, more context, more data).</summary>
[Description("Train a model on token shards")]
public sealed record PretrainStep : BatchedStep, ITrainingStep
{
    /// <summary>A model to go on from; its shape then is the model's.</summary>
    [Input(ArtifactKind.Model), Description("model to go on from; without it training starts from nothing")]
    public Artifact? From { get; init; }

    /// <summary>Text to measure the loss on, not to learn from.</summary>
    [Input(ArtifactKind.Tokens), Description("token shards of held-out text, whose loss is measured")]
    public Artifact? Validation { get; init; }

    /// <summary>A larger model to learn from (objective: distillation).</summary>
    [Input(ArtifactKind.Model), Description("model to learn from, for the objective 'distillation'")]
    public Artifact? Teacher { get; init; }

    /// <summary>What a <see cref="CacheTeacherStep"/> kept of such a model, in its place; its batches are this step's.</summary>
    [Input(ArtifactKind.TeacherCache), Description(
        "output of 'cache-teacher' to learn from in place of a 'teacher'; the seed of the data, and rows, lengths, steps and stages not given here, are the cache's")]
    public Artifact? TeacherCache { get; init; }

    /// <summary>Steps between measurements of the validation loss.</summary>
    [Description("steps between measurements of the validation loss; 0 for the end alone"), Range(0, long.MaxValue)]
    public long ValidationEvery { get; init; }

    /// <summary>Tokens of the validation text read each time.</summary>
    [Description("tokens of the validation text read each time"), Range(1, long.MaxValue)]
    public long ValidationTokens { get; init; } = 200_000;

    /// <summary>Shape of the model.</summary>
    [Description("shape of the model")]
    public ModelShape? Model { get; init; }

    /// <summary>How initial weights are drawn.</summary>
    [Description("how initial weights are drawn")]
    public Initialization Initialization { get; init; } = new();

    /// <summary>Parts a step's rows are cut into: less memory, the same step.</summary>
    [Description("parts a step's rows are cut into, to save memory"), Range(1, 1 << 20)]
    public int MicroBatches { get; init; } = 1;

    /// <summary>Peak learning rate.</summary>
    [Description("peak learning rate"), Range(1e-9, 10)]
    public double? LearningRate { get; init; }

    /// <summary>Learning rate over the run; its peak is <see cref="LearningRate"/> where that is given.</summary>
    [Description("learning rate over the run; by default a short warm-up, then linearly to zero")]
    public LearningRateSchedule? Schedule { get; init; }

    /// <summary>Whether the rate grows with the root of the batch where rows or length change.</summary>
    [Description("let the learning rate follow the root of the batch size where it changes")]
    public bool ScaleRateWithBatch { get; init; }

    /// <summary>What turns gradients into updates.</summary>
    [Description("what turns gradients into updates")]
    public OptimizerSettings? Optimizer { get; init; }

    /// <summary>What is done about gradients that are too large.</summary>
    [Description("what is done about gradients that are too large")]
    public GradientClip Clip { get; init; } = new GlobalNormClip();

    /// <summary>What is minimised.</summary>
    [Description("what is minimised")]
    public TrainingObjective Objective { get; init; } = new NextTokenObjective();

    /// <summary>The weights of the model that is saved: the last, or a mean over the end of the run.</summary>
    [Description("save a mean of the weights over the end of the run")]
    public WeightAverageSettings? Average { get; init; }

    /// <summary>What is done about a run that diverges.</summary>
    [Description("what is done about a run that diverges")]
    public RepairSettings Repair { get; init; } = new();

    /// <summary>What is measured of the model while it trains; null for nothing.</summary>
    [Neutral, Description("what is measured of the model while it trains")]
    public MonitoringSettings? Monitoring { get; init; } = new();

    /// <summary>Faults put into the run on purpose, to test its repair.</summary>
    [Description("faults put into the run on purpose, to test its repair")]
    public IReadOnlyList<FaultInjection> Faults { get; init; } = [];

    /// <summary>What the backward pass computes again instead of keeping it: less memory, the same result.</summary>
    [Neutral, Description("what the backward pass computes again to save memory")]
    public Recompute Recompute { get; init; }

    /// <summary>How weights and activations are stored.</summary>
    [Description("storage of weights and activations; bf16 halves their memory, and is faster where the processor multiplies it")]
    public Precision Precision { get; init; } = Precision.F32;

    /// <summary>Seconds between checkpoints: what a kill may cost.</summary>
    [Neutral, Description("seconds between checkpoints"), Range(0.1, 86_400)]
    public double CheckpointSeconds { get; init; } = TrainingOptions.DefaultCheckpointSeconds;

    /// <summary>Steps between checkpoints to go back to.</summary>
    [Description("steps between checkpoints that a diverging run may go back to; default a twentieth of the run"), Range(1, long.MaxValue)]
    public long? HealthyEvery { get; init; }

    /// <summary>Which checkpoints are kept.</summary>
    [Neutral, Description("which checkpoints are kept")]
    public CheckpointRetention Retention { get; init; } = new();

    /// <inheritdoc/>
    public override int Version => 2;

    /// <inheritdoc/>
    public override IReadOnlyList<StepOutput> Outputs => [new("model", ArtifactKind.Model)];

    private protected override Artifact? LengthSource => Plan ?? TeacherCache;

    private Artifact? TaughtBy => Teacher ?? TeacherCache;

    /// <summary>With the recipe's teacher, where that is given as an input of the step.</summary>
    internal TrainingObjective WholeObjective => Objective is DistillationObjective distillation && TaughtBy is not null
        ? distillation with { Teacher = Teacher?.Path, Cache = TeacherCache?.Path } : Objective;

    /// <inheritdoc/>
    public override IEnumerable<(string Property, string Message)> Validate()
    {
        foreach (var fault in base.Validate()) yield return fault;
        foreach (var fault in TeachingFaults()) yield return fault;
        if (Optimizer?.QkClip is not null && Model is { QkNorm: true })
            yield return (nameof(Optimizer), "'qk_clip' bounds projections that 'qk_norm' normalises away: give one of them.");
        if (From is not null && Model is not null) yield return (nameof(Model), "the model to go on 'from' has its shape already.");
    }

    /// <inheritdoc/>
    public override void Run(StepContext context) => new Pretraining(this, context).Run();

    private IEnumerable<(string Property, string Message)> TeachingFaults()
    {
        string taughtBy = Teacher is null ? nameof(TeacherCache) : nameof(Teacher);
        bool named = Objective is DistillationObjective { Teacher: not null } or DistillationObjective { Cache: not null };
        if (Teacher is not null && TeacherCache is not null) return [(taughtBy, "give a 'teacher' or a 'teacher_cache', and not both.")];
        if (TaughtBy is null)
        {
            return Objective is DistillationObjective && !named
                ? [(taughtBy, "the objective 'distillation' needs a 'teacher' or a 'teacher_cache'.")] : [];
        }
        if (named || Objective is not DistillationObjective)
            return [(taughtBy, "it is for the objective 'distillation' without a 'teacher' or 'cache' of its own.")];
        return WholeObjective.Validate().Except(Objective.Validate()).Select(fault => (nameof(Objective), fault.Message));
    }
}
