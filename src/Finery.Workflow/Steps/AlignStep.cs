using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using Finery.Data.Batches;
using Finery.Data.Tokenizers;
using Finery.Models.Llama;
using Finery.Tensors;
using Finery.Training.Losses;
using Finery.Training.Monitoring;

namespace Finery.Workflow.Steps;

/// <summary>Direct preference optimisation (Rafailov et al. 2023) from a finetuned model.</summary>
[Description("Align a model with preference pairs (DPO)")]
public sealed record AlignStep : Step, ITrainingStep
{
    /// <summary>Where training starts, and the reference it is held to.</summary>
    [Input(ArtifactKind.Model), Description("model to start from, and the reference")]
    public required Artifact Model { get; init; }

    /// <summary>Pairs: <c>{"prompt": [...], "chosen": [...], "rejected": [...]}</c>.</summary>
    [Input(ArtifactKind.Preferences), Description("preference pairs, JSON lines with 'prompt', 'chosen', 'rejected'")]
    public required Artifact Preferences { get; init; }

    /// <summary>Gives length and learning rate; settings given here win.</summary>
    [Input(ArtifactKind.Plan), Description("plan with length and learning rate; settings given here win")]
    public Artifact? Plan { get; init; }

    /// <summary>Pairs of a step.</summary>
    [Description("pairs of a step"), Range(1, 1 << 16)]
    public int? Pairs { get; init; }

    /// <summary>Optimizer steps; without a plan the default is one epoch.</summary>
    [Description("optimizer steps; default without a plan: one epoch"), Range(1, long.MaxValue)]
    public long? Steps { get; init; }

    /// <summary>Peak learning rate; with a plan the default is a tenth of pretraining's.</summary>
    [Description("peak learning rate"), Range(1e-9, 1)]
    public double? LearningRate { get; init; }

    /// <summary>How strongly the model is held to the reference.</summary>
    [Description("how strongly the model is held to the reference"), Range(1e-6, 100)]
    public double Beta { get; init; } = 0.1;

    /// <summary>Weight of the chosen answers' own cross-entropy (Llama 3: 0.2).</summary>
    [Description("weight of the chosen answers' own cross-entropy"), Range(0, 100)]
    public double ChosenWeight { get; init; } = 0.2;

    /// <summary>A longer pair is left out: a batch has room for its longest pairs, so a few long ones would make all steps slow.</summary>
    [Description("pairs with a longer sequence are left out"), Range(8, 1 << 20)]
    public int MaxTokens { get; init; } = 96;

    /// <summary>What the backward pass computes again instead of keeping it: less memory, the same result.</summary>
    [Neutral, Description("what the backward pass computes again to save memory")]
    public Recompute Recompute { get; init; }

    /// <summary>Seconds between checkpoints: what a kill may cost.</summary>
    [Neutral, Description("seconds between checkpoints"), Range(0.1, 86_400)]
    public double CheckpointSeconds { get; init; } = TrainingOptions.DefaultCheckpointSeconds;

    /// <inheritdoc/>
    public override IReadOnlyList<StepOutput> Outputs => [new("model", ArtifactKind.Model)];

    /// <inheritdoc/>
    public override void Run(StepContext context)
    {
        var plan = Plan is null ? null : TrainingPlan.Load(Plan);
        var tokenizer = ModelFolder.ChatTokenizer(Model.Path);
        using var kernels = new CpuKernels(context.Threads);
        using var model = LlamaModel.Load(Model.Path, trainable: true);
        int pairs = Pairs ?? plan?.PairsPerStep ?? 16;
        long? steps = Steps ?? plan?.AlignSteps;
        // The reference scores every pair once: no more pairs than the steps will use.
        var examples = Load(tokenizer, Math.Min(MaxTokens, model.Config.SequenceLength), context)
            .Take((int)Math.Min(int.MaxValue, (steps ?? long.MaxValue / pairs) * pairs)).ToList();
        if (examples.Count == 0) throw new RecipeException($"No preference pair in {Preferences.Path} fits {MaxTokens} tokens.");
        var source = new PreferenceBatches(examples, model.Config.SequenceLength, Math.Min(pairs, examples.Count), context.Seed, tokenizer.PadId ?? 0);
        context.Progress(0, 0, $"scoring {examples.Count:N0} pairs with the reference");
        var settings = new PreferenceLossSettings { Beta = Beta, ChosenWeight = ChosenWeight };
        var reference = ReferenceLogProbabilities.Compute(model, kernels, source, settings.EndToken, context.Stop);
        long length = steps ?? (examples.Count + source.PairsPerBatch - 1) / source.PairsPerBatch;
        new TrainingRun(context, model, kernels, new()
        {
            Schedule = TrainingOptions.DefaultSchedule(LearningRate ?? plan?.LearningRate / 10 ?? 1e-4, length),
            // Losses of a few answers, each its own length, vary too much to be judged by the last ones.
            Repair = new() { Mode = RepairMode.Endure },
            Recompute = Recompute,
            CheckpointSeconds = CheckpointSeconds,
            PeakFlops = plan?.PeakFlops ?? 0,
        }).Run(source, length, new PreferenceLoss(settings, reference), tokenizer, "align");
    }

    private IEnumerable<PreferenceExample> Load(Tokenizer tokenizer, int maxTokens, StepContext context)
    {
        var template = ModelFolder.Template(tokenizer);
        int inexact = 0;
        foreach (var row in JsonLinesFile.Read(Preferences.Path))
        {
            context.Stop.ThrowIfCancellationRequested();
            var pair = row.With(() => template.EncodeReplies(
                row.Messages("prompt"), [Reply(row, "chosen"), Reply(row, "rejected")], row.ChatOptions()));
            if (!pair.IsExact && inexact++ == 0)
                context.Warn($"{row.Where}: the prompt's tokens are not those the answers follow; answers begin where both agree");
            if (pair.Prompt.Length + pair.Replies.Max(reply => reply.Length) <= maxTokens)
                yield return new(pair.Prompt, pair.Replies[0], pair.Replies[1]);
        }
        if (inexact > 1) context.Warn($"{inexact:N0} pairs have a prompt whose tokens the answers do not follow");
    }

    private static ChatMessage Reply(JsonRow row, string key)
    {
        var messages = row.Messages(key);
        return messages is [{ Role: "assistant" } reply]
            ? reply
            : throw new RecipeException($"{row.Where}: '{key}' must be one assistant message.");
    }
}
