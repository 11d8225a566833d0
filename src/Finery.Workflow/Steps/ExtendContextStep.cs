using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using Finery.Tensors;
using Finery.Training.Optimizers;

namespace Finery.Workflow.Steps;

/// <summary>One increment of the context.</summary>
public sealed record ContextStage
{
    /// <summary>Tokens of a row, and the model's context, from here on.</summary>
    [Description("context of this increment in tokens"), Range(16, 1 << 20)]
    public required int SequenceLength { get; init; }

    /// <summary>Base of the rotary frequencies; SmolLM3 took 2e6 at 32k and 5e6 at 64k.</summary>
    [Description("base of the rotary frequencies"), Range(1.0, 1e12)]
    public required double RopeTheta { get; init; }

    /// <summary>Steps of a round.</summary>
    [Description("steps of a round"), Range(1, long.MaxValue)]
    public required long Steps { get; init; }

    /// <summary>Rows of a step.</summary>
    [Description("rows of a step"), Range(1, 1 << 20)]
    public int Rows { get; init; } = 4;
}

/// <summary>What a model must show before its context grows further (Llama 3: short tasks recovered, needles found without fault).</summary>
public sealed record ContextGate
{
    /// <summary>Share of needles, up to the length reached, that must be found.</summary>
    [Description("share of needles in a haystack that must be found at every length so far"), Range(0.0, 1.0)]
    public double Needle { get; init; } = 1;

    /// <summary>Most that the loss at the model's first context may be, as a multiple of what it was before.</summary>
    [Description("loss at the old context as a multiple of what it was before, at most"), Range(0.5, 100.0)]
    public double ShortLoss { get; init; } = 1.01;

    /// <summary>Rounds of an increment before the step fails.</summary>
    [Description("rounds of an increment before the step fails"), Range(1, 1000)]
    public int MaxRounds { get; init; } = 3;

    /// <summary>Needles of each length and depth.</summary>
    [Description("needles of each length and depth"), Range(1, 10_000)]
    public int Needles { get; init; } = 5;
}

/// <summary>Trains a model on longer and longer rows. Each increment is repeated until its gate is passed: the loss at the old context has
/// recovered, and needles up to the new length are found. What the gates saw is kept in <c>gates.json</c>.</summary>
[Description("Extend a model's context in stages, each behind a gate")]
public sealed record ExtendContextStep : Step, ITrainingStep
{
    /// <summary>Where training starts.</summary>
    [Input(ArtifactKind.Model), Description("model to start from")]
    public required Artifact Model { get; init; }

    /// <summary>What to learn; several sources are mixed by their size or <see cref="Mix"/>.</summary>
    [Input(ArtifactKind.Tokens), Description("token shards; several are mixed")]
    public required IReadOnlyList<Artifact> Tokens { get; init; }

    /// <summary>Text whose loss at the old context must recover.</summary>
    [Input(ArtifactKind.Tokens), Description("token shards of held-out text")]
    public required Artifact Validation { get; init; }

    /// <summary>Weight of each source by name.</summary>
    [Description("weight of each source of tokens by name; by default its size")]
    public IReadOnlyDictionary<string, double> Mix { get; init; } = new Dictionary<string, double>();

    /// <summary>Increments, one after the other.</summary>
    [Description("increments of the context")]
    public required IReadOnlyList<ContextStage> Stages { get; init; }

    /// <summary>What a model must show after each.</summary>
    [Description("what a model must show before the context grows further")]
    public ContextGate Gate { get; init; } = new();

    /// <summary>Peak learning rate of a round: warmed up over its first twentieth, then a cosine to zero.</summary>
    [Description("peak learning rate of a round"), Range(1e-9, 10)]
    public double LearningRate { get; init; } = 2e-5;

    /// <summary>What turns gradients into updates; its state begins anew each round.</summary>
    [Description("what turns gradients into updates")]
    public OptimizerSettings? Optimizer { get; init; }

    /// <summary>Tokens of the validation text read each time.</summary>
    [Description("tokens of the validation text read each time"), Range(1, long.MaxValue)]
    public long ValidationTokens { get; init; } = 200_000;

    /// <summary>What the backward pass computes again instead of keeping it: less memory, the same result.</summary>
    [Neutral, Description("what the backward pass computes again to save memory")]
    public Recompute Recompute { get; init; }

    /// <summary>Seconds between checkpoints: what a kill may cost.</summary>
    [Neutral, Description("seconds between checkpoints"), Range(0.1, 86_400)]
    public double CheckpointSeconds { get; init; } = TrainingOptions.DefaultCheckpointSeconds;

    /// <inheritdoc/>
    public override IReadOnlyList<StepOutput> Outputs => [new("model", ArtifactKind.Model)];

    /// <inheritdoc/>
    public override IEnumerable<(string Property, string Message)> Validate()
    {
        if (Stages.Count == 0) yield return (nameof(Stages), "there are none.");
        for (int i = 1; i < Stages.Count; i++)
        {
            if (Stages[i].SequenceLength <= Stages[i - 1].SequenceLength)
                yield return (nameof(Stages), $"sequence_length {Stages[i].SequenceLength} follows {Stages[i - 1].SequenceLength}; it must grow.");
        }
    }

    /// <inheritdoc/>
    public override void Run(StepContext context) => new ContextExtension(this, context).Run();
}
