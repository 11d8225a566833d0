using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using Finery.Data.Batches;
using Finery.Data.Tokenizers;
using Finery.Models.Llama;
using Finery.Tensors;
using Finery.Training.Losses;

namespace Finery.Workflow.Steps;

/// <summary>Trains a Llama model from scratch on token shards.</summary>
[Description("Train a model from scratch on token shards")]
public sealed record PretrainStep : Step
{
    /// <summary>What to learn.</summary>
    [Input(ArtifactKind.Tokens), Description("token shards")]
    public required Artifact Tokens { get; init; }

    /// <summary>The tokenizer of the shards.</summary>
    [Input(ArtifactKind.Tokenizer), Description("tokenizer of the shards")]
    public required Artifact Tokenizer { get; init; }

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
        TrainingRun.RequireMemory(context, config, source.Rows * source.Length, Recompute, weightsKnown: true, held: 0);
        using var model = new LlamaModel(config, context.Seed, trainable: true);
        context.Log($"{shape}: {config.ParameterCount:N0} parameters");
        var budget = new TrainingRun.Budget(
            Steps ?? plan!.PretrainSteps, LearningRate ?? plan?.LearningRate ?? 3e-3, plan?.PeakFlops ?? 0);
        new TrainingRun(context, model, kernels, CheckpointSeconds, Recompute).Run(source, new NextTokenLoss(), budget, tokenizer, "pretrain");
    }
}
