using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using Finery.Data.Batches.Mixing;
using Finery.Training;
using Finery.Training.Schedules;

namespace Finery.Workflow.Steps;

/// <summary>A stage of pretraining: how long, on which mix, in which shape. What is not given stays as in the stage before.</summary>
public sealed record PretrainStage
{
    /// <summary>For logs and charts.</summary>
    [Description("name in logs")]
    public string? Name { get; init; }

    /// <summary>Length as a share of the step's <c>steps</c>.</summary>
    [Description("length as a share of all steps"), Range(0.0, 1.0, MinimumIsExclusive = true)]
    public double? Share { get; init; }

    /// <summary>Length in steps.</summary>
    [Description("length in steps"), Range(1, long.MaxValue)]
    public long? Steps { get; init; }

    /// <summary>Length in tokens.</summary>
    [Description("length in tokens"), Range(1, long.MaxValue)]
    public long? Tokens { get; init; }

    /// <summary>Weight of each source, by the name of the step or folder of its token shards; they need not sum to 1.</summary>
    [Description("weight of each source of tokens by name")]
    public IReadOnlyDictionary<string, double> Mix { get; init; } = new Dictionary<string, double>();

    /// <summary>Rows of a step.</summary>
    [Description("rows of a step"), Range(1, 1 << 20)]
    public int? Rows { get; init; }

    /// <summary>Tokens of a row.</summary>
    [Description("tokens of a row"), Range(8, 1 << 20)]
    public int? SequenceLength { get; init; }

    /// <summary>Changes of the batch within the stage.</summary>
    [Description("changes of rows or sequence length within the stage")]
    public IReadOnlyList<RampStep> Ramp { get; init; } = [];

    /// <summary>Base of the rotary frequencies.</summary>
    [Description("base of the rotary frequencies"), Range(1.0, 1e12)]
    public double? RopeTheta { get; init; }

    /// <summary>What happens to the optimizer's state where the stage begins.</summary>
    [Description("keep the optimizer's state, or reset it")]
    public OptimizerStatePolicy OptimizerState { get; init; }

    /// <summary>A schedule of its own, over the stage; without one the run's goes on.</summary>
    [Description("a learning rate schedule over the stage alone")]
    public LearningRateSchedule? Schedule { get; init; }

    /// <summary>Faults that can be seen without knowing the sources.</summary>
    public IEnumerable<(string Property, string Message)> Validate()
    {
        if (new object?[] { Share, Steps, Tokens }.Count(value => value is not null) != 1)
            yield return (nameof(Steps), "give exactly one of 'share', 'steps' and 'tokens'");
        foreach (var fault in Data.Validate()) yield return fault;
    }

    /// <summary>What it reads.</summary>
    internal StageData Data => new() { Mix = Mix, Rows = Rows, SequenceLength = SequenceLength, Ramp = Ramp };

    /// <summary>Steps of a run of <paramref name="total"/>; null where tokens say.</summary>
    internal long? StepsOf(long total) => Share is { } share ? Math.Max(1, (long)Math.Round(share * total)) : Steps;
}
