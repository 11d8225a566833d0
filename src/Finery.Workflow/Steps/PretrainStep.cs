using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using Finery.Data.Batches;
using Finery.Data.Tokenizers;
using Finery.Models.Llama;
using Finery.Tensors;
using Finery.Training;
using Finery.Training.Losses;
using Finery.Training.Optimizers;

namespace Finery.Workflow.Steps;

/// <summary>How weights and activations are stored while training. Sums, gradients of weights and statistics are F32 always.</summary>
public enum Precision
{
    /// <summary>Single precision.</summary>
    F32,

    /// <summary>bfloat16.</summary>
    BF16,
}

/// <summary>Trains a Llama model from scratch on token shards.</summary>
[Description("Train a model from scratch on token shards")]
public sealed record PretrainStep : Step, ITrainingStep
{
    /// <summary>What to learn.</summary>
    [Input(ArtifactKind.Tokens), Description("token shards")]
    public required Artifact Tokens { get; init; }

    /// <summary>The tokenizer of the shards.</summary>
    [Input(ArtifactKind.Tokenizer), Description("tokenizer of the shards")]
    public required Artifact Tokenizer { get; init; }

    /// <summary>Text to measure the loss on, not to learn from.</summary>
    [Input(ArtifactKind.Tokens), Description("token shards of held-out text, whose loss is measured")]
    public Artifact? Validation { get; init; }

    /// <summary>Steps between measurements of the validation loss.</summary>
    [Description("steps between measurements of the validation loss; 0 for the end alone"), Range(0, long.MaxValue)]
    public long ValidationEvery { get; init; }

    /// <summary>Tokens of the validation text read each time.</summary>
    [Description("tokens of the validation text read each time"), Range(1, long.MaxValue)]
    public long ValidationTokens { get; init; } = 200_000;

    /// <summary>Gives shape, length and learning rate; settings given here win.</summary>
    [Input(ArtifactKind.Plan), Description("plan with shape, length and learning rate; settings given here win")]
    public Artifact? Plan { get; init; }

    /// <summary>Shape of the model.</summary>
    [Description("shape of the model")]
    public ModelShape? Model { get; init; }

    /// <summary>Tokens of a row.</summary>
    [Description("tokens of a training row"), Range(8, 1 << 20)]
    public int? SequenceLength { get; init; }

    /// <summary>Rows of a step.</summary>
    [Description("rows of a step"), Range(1, 1 << 20)]
    public int? Rows { get; init; }

    /// <summary>Optimizer steps.</summary>
    [Description("optimizer steps"), Range(1, long.MaxValue)]
    public long? Steps { get; init; }

    /// <summary>Peak learning rate.</summary>
    [Description("peak learning rate"), Range(1e-9, 1)]
    public double? LearningRate { get; init; }

    /// <summary>What the backward pass computes again instead of keeping it: less memory, the same result.</summary>
    [Neutral, Description("what the backward pass computes again to save memory")]
    public Recompute Recompute { get; init; }

    /// <summary>How weights and activations are stored.</summary>
    [Description("storage of weights and activations; bf16 halves their memory, and is faster where the processor multiplies it")]
    public Precision Precision { get; init; } = Precision.F32;

    /// <summary>What the optimizer keeps beside bf16 weights.</summary>
    [Description("kept beside bf16 weights: split (their low halves: exact, 2 bytes), f32 (a full copy: exact, 4 bytes), " +
        "none (updates are rounded stochastically)")]
    public MasterWeights Masters { get; init; } = MasterWeights.Split;

    /// <summary>Seconds between checkpoints: what a kill may cost.</summary>
    [Neutral, Description("seconds between checkpoints"), Range(0.1, 86_400)]
    public double CheckpointSeconds { get; init; } = TrainingRun.CheckpointSeconds;

    /// <inheritdoc/>
    public override IReadOnlyList<StepOutput> Outputs => [new("model", ArtifactKind.Model)];

    /// <inheritdoc/>
    public override IEnumerable<(string Property, string Message)> Validate()
    {
        if (Plan is null && Steps is null) yield return (nameof(Steps), "give 'steps', or a 'plan' that chooses them.");
        if (Model is { } shape)
        {
            foreach (string error in shape.ToConfig(512, 64, null, null).Validate()) yield return (nameof(Model), error);
        }
    }

    /// <inheritdoc/>
    public override void Run(StepContext context)
    {
        var plan = Plan is null ? null : TrainingPlan.Load(Plan);
        var tokenizer = TokenizerFile.Load(Tokenizer.Path);
        using var shards = TokenShards.Open(Tokens.Path, tokenizer.Fingerprint);
        int length = SequenceLength ?? plan?.SequenceLength ?? 256;
        var shape = Model ?? plan?.Model ?? new ModelShape();
        var config = shape.ToConfig(tokenizer.VocabSize, length, tokenizer.BosId, tokenizer.EosId);
        var source = new PretrainingBatches(shards, length, Rows ?? plan?.Rows ?? 16, context.Seed);
        using var kernels = new CpuKernels(context.Threads);
        var type = Precision == Precision.BF16 ? DType.BF16 : DType.F32;
        TrainingRun.RequireMemory(MemoryEstimate.OfTraining(
            config, source.Rows * source.Length, Recompute, type, new AdamWOptimizerSettings { Masters = Masters }, context.Threads), Recompute);
        using var model = new LlamaModel(config, context.Seed, trainable: true, type);
        context.Log($"{shape}: {config.ParameterCount:N0} parameters");
        using var heldOut = Validation is null ? null : TokenShards.Open(Validation.Path, tokenizer.Fingerprint);
        var budget = new TrainingRun.Budget(
            Steps ?? plan!.PretrainSteps, LearningRate ?? plan?.LearningRate ?? 3e-3, plan?.PeakFlops ?? 0);
        new TrainingRun(context, model, kernels, CheckpointSeconds, Recompute, Masters)
        {
            Validation = heldOut is null ? null : new ValidationLoss(heldOut, ValidationTokens),
            ValidationEvery = ValidationEvery,
        }
            .Run(source, new NextTokenLoss(), budget, tokenizer, "pretrain");
    }
}
