using System.Globalization;
using Finery.Data.Batches;
using Finery.Models;
using Finery.Training.Schedules;

namespace Finery.Training;

/// <summary>What happens to the optimizer's state where a phase begins.</summary>
public enum OptimizerStatePolicy
{
    /// <summary>Moments and counters go on.</summary>
    Keep,

    /// <summary>Moments are zero and counters begin anew, as in a run of its own.</summary>
    Reset,
}

/// <summary>A schedule over part of a run.</summary>
/// <param name="Schedule">Learning rate by the step within that part.</param>
/// <param name="FirstStep">Of the part, in the run.</param>
/// <param name="Steps">Length of the part.</param>
public sealed record PartSchedule(LearningRateSchedule Schedule, long FirstStep, long Steps)
{
    /// <summary>Learning rate of a step of the run.</summary>
    public double At(long step) => Schedule.At(step - FirstStep, Steps);
}

/// <summary>
/// A stretch of a run with batches of one shape: the stages of a recipe, and the stretches of a batch or length ramp. The forward pass is
/// recorded anew where a phase begins; weights, optimizer, schedule and counters go on.
/// </summary>
public sealed record TrainingPhase
{
    /// <summary>For logs.</summary>
    public string Name { get; init; } = "";

    /// <summary>Length in steps.</summary>
    public required long Steps { get; init; }

    /// <summary>Batches by the step of the whole run.</summary>
    public required IBatchSource Source { get; init; }

    /// <summary>Parts a batch's rows are cut into, their gradients added: less memory, the same step.</summary>
    public int MicroBatches { get; init; } = 1;

    /// <summary>Rotary base from here on; null leaves it as it is.</summary>
    public double? RopeTheta { get; init; }

    /// <summary>Rotary scaling from here on; null leaves it as it is.</summary>
    public RopeScaling? RopeScaling { get; init; }

    /// <summary>What happens to the optimizer's state before the first step.</summary>
    public OptimizerStatePolicy OptimizerState { get; init; }

    /// <summary>Learning rate in this phase, where the run's schedule does not hold.</summary>
    public PartSchedule? Schedule { get; init; }

    /// <summary>Factor on the learning rate, such as <c>sqrt(B'/B)</c> of a batch ramp.</summary>
    public double RateScale { get; init; } = 1;

    /// <summary>Tokens of a step.</summary>
    public long TokensPerStep => (long)Source.Rows * Source.Length;

    /// <summary>Everything that decides results, for a checkpoint's identity.</summary>
    internal string Description => string.Create(CultureInfo.InvariantCulture,
        $"{Steps} steps of {Source.Fingerprint} in {MicroBatches}, rope {RopeTheta} {RopeScaling}, state {OptimizerState}, rate {RateScale} {Schedule}");
}
