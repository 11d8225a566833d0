using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using Finery.Data.Batches;
using Finery.Models.Llama;
using Finery.Tensors;
using Finery.Training.Losses;
using Finery.Training.Monitoring;

namespace Finery.Workflow.Steps;

/// <summary>Supervised finetuning on chats: only the assistant's turns are trained, prompts are masked.</summary>
[Description("Finetune a model on chats")]
public sealed record FinetuneStep : Step, ITrainingStep
{
    /// <summary>Where training starts.</summary>
    [Input(ArtifactKind.Model), Description("model to start from")]
    public required Artifact Model { get; init; }

    /// <summary>Chats to imitate: <c>{"messages": [{"role", "content"}]}</c>.</summary>
    [Input(ArtifactKind.Conversations), Description("chats to imitate, JSON lines with 'messages'")]
    public required Artifact Conversations { get; init; }

    /// <summary>Gives length and learning rate; settings given here win.</summary>
    [Input(ArtifactKind.Plan), Description("plan with length and learning rate; settings given here win")]
    public Artifact? Plan { get; init; }

    /// <summary>Rows of a step.</summary>
    [Description("rows of a step"), Range(1, 1 << 20)]
    public int? Rows { get; init; }

    /// <summary>Optimizer steps; without a plan the default is one epoch.</summary>
    [Description("optimizer steps; default without a plan: one epoch"), Range(1, long.MaxValue)]
    public long? Steps { get; init; }

    /// <summary>Peak learning rate; with a plan the default is a tenth of pretraining's.</summary>
    [Description("peak learning rate"), Range(1e-9, 1)]
    public double? LearningRate { get; init; }

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
        var template = ModelFolder.Template(tokenizer);
        foreach (var finding in template.Check().Where(finding => finding.IsProblem)) context.Warn($"chat template: {finding.Message}");
        using var kernels = new CpuKernels(context.Threads);
        using var model = LlamaModel.Load(Model.Path, trainable: true);
        var examples = JsonLinesFile.Read(Conversations.Path).Select(row =>
        {
            context.Stop.ThrowIfCancellationRequested();
            var chat = row.With(() => template.Encode(row.Messages("messages"), row.ChatOptions()));
            return new TrainingExample(chat.Ids, chat.Trained);
        }).ToList();
        var source = new PackedExamples(
            examples, model.Config.SequenceLength, Rows ?? plan?.Rows ?? 16, context.Seed, tokenizer.PadId ?? 0);
        if (source.Dropped > 0) context.Warn($"{source.Dropped:N0} chats dropped: nothing to learn fits the sequence length");
        long epoch = (source.RowsPerEpoch + source.Rows - 1) / source.Rows;
        long steps = Steps ?? plan?.FinetuneSteps ?? epoch;
        new TrainingRun(context, model, kernels, new()
        {
            Schedule = TrainingOptions.DefaultSchedule(LearningRate ?? plan?.LearningRate / 10 ?? 3e-4, steps),
            // Losses of a few answers, each its own length, vary too much to be judged by the last ones.
            Repair = new() { Mode = RepairMode.Endure },
            Recompute = Recompute,
            CheckpointSeconds = CheckpointSeconds,
            PeakFlops = plan?.PeakFlops ?? 0,
        }).Run(source, steps, new NextTokenLoss(), tokenizer, "finetune");
    }
}
