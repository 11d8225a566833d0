using System.ComponentModel;
using System.ComponentModel.DataAnnotations;

namespace Finery.Training;

/// <summary>
/// A fault put into a run on purpose, to see whether detection and repair work. It belongs to the batches of its steps: a run that goes
/// back and leaves them out does not meet it again.
/// </summary>
public sealed record FaultInjection
{
    /// <summary>First step whose batch is spoilt.</summary>
    [Description("first step whose batch is spoilt"), Range(0, long.MaxValue)]
    public long Step { get; init; }

    /// <summary>How many steps.</summary>
    [Description("how many steps"), Range(1, long.MaxValue)]
    public long Steps { get; init; } = 1;

    /// <summary>Factor on all gradients.</summary>
    [Description("factor on all gradients")]
    public double GradientScale { get; init; } = 1;

    /// <summary>Whether a gradient is not a number.</summary>
    [Description("make a gradient not a number")]
    public bool NotANumber { get; init; }

    /// <summary>Factor on the learning rate.</summary>
    [Description("factor on the learning rate")]
    public double RateScale { get; init; } = 1;

    /// <summary>Whether the batch of a step is spoilt.</summary>
    internal bool Covers(long batchStep) => batchStep >= Step && batchStep < Step + Steps;
}
