using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using System.Globalization;
using Finery.Data.Batches.Mixing;

namespace Finery.Workflow.Steps;

/// <summary>A step over the batches of pretraining. The same settings, sources and seed make the same batches.</summary>
public abstract record BatchedStep : Step
{
    private const int DefaultRows = 16, DefaultLength = 256;

    /// <summary>What to learn; several sources are mixed.</summary>
    [Input(ArtifactKind.Tokens), Description("token shards; several are mixed")]
    public required IReadOnlyList<Artifact> Tokens { get; init; }

    /// <summary>The tokenizer of the shards.</summary>
    [Input(ArtifactKind.Tokenizer), Description("tokenizer of the shards")]
    public required Artifact Tokenizer { get; init; }

    /// <summary>Gives shape, length and learning rate; settings given here win.</summary>
    [Input(ArtifactKind.Plan), Description("plan with shape, length and learning rate; settings given here win")]
    public Artifact? Plan { get; init; }

    /// <summary>Tokens of a row.</summary>
    [Description("tokens of a training row"), Range(8, 1 << 20)]
    public int? SequenceLength { get; init; }

    /// <summary>Rows of a step.</summary>
    [Description("rows of a step"), Range(1, 1 << 20)]
    public int? Rows { get; init; }

    /// <summary>How documents are put into rows.</summary>
    [Description("how documents are put into rows; by default windows of all text")]
    public RowSettings? Packing { get; init; }

    /// <summary>Optimizer steps.</summary>
    [Description("optimizer steps"), Range(1, long.MaxValue)]
    public long? Steps { get; init; }

    /// <summary>Stages of the run; without any there is one with all sources by their size.</summary>
    [Description("stages with their own length, mix, rows, sequence length, rotary base, schedule")]
    public IReadOnlyList<PretrainStage> Stages { get; init; } = [];

    /// <inheritdoc/>
    public override IEnumerable<(string Property, string Message)> Validate()
    {
        if (LengthSource is null && Steps is null && (Stages.Count == 0 || Stages.Any(stage => stage.Share is not null)))
            yield return (nameof(Steps), "give 'steps', a 'plan' that chooses them, or stages of steps or tokens.");
    }

    /// <summary>An input that says how many steps there are, where the settings do not.</summary>
    private protected virtual Artifact? LengthSource => Plan;

    /// <summary>How the batches are made.</summary>
    /// <param name="sources">The token shards, open.</param>
    /// <param name="plan">From <see cref="Plan"/>.</param>
    /// <param name="seed">Decides all orders.</param>
    /// <param name="like">What is not given here is as in these batches, the seed always; null for none.</param>
    internal BatchPlan BatchesOf(TokenSources sources, TrainingPlan? plan, ulong seed, BatchPlan? like = null)
    {
        long steps = Steps ?? like?.Steps ?? plan?.PretrainSteps ?? 0;
        return new()
        {
            Seed = like?.Seed ?? seed,
            Rows = Rows ?? like?.Rows ?? plan?.Rows ?? DefaultRows,
            SequenceLength = SequenceLength ?? like?.SequenceLength ?? plan?.SequenceLength ?? DefaultLength,
            Packing = Packing ?? like?.Packing ?? new(),
            Steps = steps,
            Stages = Stages.Count > 0 ? [.. Stages.Select((stage, index) => StageOf(stage, index, steps, sources))]
                : like is not null && Steps is null ? like.Stages
                : [new() { Name = "pretrain", Steps = steps, Data = new() { Mix = sources.BySize } }],
        };
    }

    private static DataStage StageOf(PretrainStage stage, int index, long steps, TokenSources sources) => new()
    {
        Name = stage.Name ?? string.Create(CultureInfo.InvariantCulture, $"stage {index + 1}"),
        Steps = stage.StepsOf(steps),
        Tokens = stage.Tokens,
        Data = index == 0 && stage.Mix.Count == 0 ? stage.Data with { Mix = sources.BySize } : stage.Data,
    };
}
