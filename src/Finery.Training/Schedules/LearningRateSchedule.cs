using System.Text.Json.Serialization;

namespace Finery.Training.Schedules;

/// <summary>Learning rate as a pure function of the step, so that a resumed run needs no state. Warm-up counts from one: step 0 of a
/// warm-up of w steps has 1/w of the peak.</summary>
[JsonPolymorphic(TypeDiscriminatorPropertyName = "kind")]
[JsonDerivedType(typeof(Constant), "constant")]
[JsonDerivedType(typeof(Cosine), "cosine")]
[JsonDerivedType(typeof(WarmupStableDecay), "wsd")]
public abstract record LearningRateSchedule
{
    /// <summary>Highest learning rate.</summary>
    public double Peak { get; init; } = 1e-3;

    /// <summary>Steps of linear warm-up.</summary>
    public long WarmupSteps { get; init; }

    /// <summary>Learning rate of a step.</summary>
    /// <param name="step">From 0.</param>
    /// <param name="totalSteps">Length of the run.</param>
    public double At(long step, long totalSteps)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(step);
        ArgumentOutOfRangeException.ThrowIfLessThan(totalSteps, 1);
        return step < WarmupSteps ? Peak * (step + 1) / WarmupSteps : AfterWarmup(step, totalSteps);
    }

    /// <summary>Everything wrong with these settings for a run of <paramref name="totalSteps"/>; empty where nothing is.</summary>
    public virtual IEnumerable<string> Validate(long totalSteps)
    {
        if (!(Peak > 0) || !double.IsFinite(Peak)) yield return $"Peak learning rate is {Peak}; it must be a positive number.";
        if (WarmupSteps < 0 || WarmupSteps > totalSteps)
            yield return $"Warm-up takes {WarmupSteps} of {totalSteps} steps; expected 0 to {totalSteps}.";
    }

    private protected abstract double AfterWarmup(long step, long totalSteps);
}

/// <summary>The peak for ever after warm-up.</summary>
public sealed record Constant : LearningRateSchedule
{
    private protected override double AfterWarmup(long step, long totalSteps) => Peak;
}

/// <summary>Half a cosine from the peak down to a floor: <c>min + (peak - min) (1 + cos(pi p)) / 2</c>.</summary>
public sealed record Cosine : LearningRateSchedule
{
    /// <summary>Floor as a fraction of the peak.</summary>
    public double Floor { get; init; } = 0.1;

    private protected override double AfterWarmup(long step, long totalSteps)
    {
        double progress = Math.Min(1, (double)(step - WarmupSteps) / Math.Max(1, totalSteps - WarmupSteps));
        return Peak * (Floor + (1 - Floor) * 0.5 * (1 + Math.Cos(Math.PI * progress)));
    }
}

/// <summary>How <see cref="WarmupStableDecay"/> comes down.</summary>
public enum DecayShape
{
    /// <summary><c>1 - p</c> (SmolLM3).</summary>
    Linear,

    /// <summary><c>1 - sqrt(p)</c>: faster at first (Hagele et al. 2024; llm.c).</summary>
    InverseSquareRoot,
}

/// <summary>Warm-up, constant, decay to a floor (MiniCPM; SmolLM3). The constant part makes a run extendable.</summary>
public sealed record WarmupStableDecay : LearningRateSchedule
{
    /// <summary>Steps of decay at the end of the run.</summary>
    public long DecaySteps { get; init; }

    /// <summary>Form of the decay.</summary>
    public DecayShape Shape { get; init; }

    /// <summary>Floor as a fraction of the peak.</summary>
    public double Floor { get; init; }

    /// <inheritdoc/>
    public override IEnumerable<string> Validate(long totalSteps)
    {
        foreach (string error in base.Validate(totalSteps)) yield return error;
        if (DecaySteps < 0 || DecaySteps > totalSteps - WarmupSteps)
            yield return $"Warm-up ({WarmupSteps}) and decay ({DecaySteps}) do not fit into {totalSteps} steps.";
    }

    private protected override double AfterWarmup(long step, long totalSteps)
    {
        long into = step - (totalSteps - DecaySteps);
        if (into <= 0) return Peak;
        double progress = Math.Min(1, (double)into / DecaySteps);
        double left = Shape == DecayShape.Linear ? 1 - progress : 1 - Math.Sqrt(progress);
        return Peak * (Floor + (1 - Floor) * left);
    }
}
