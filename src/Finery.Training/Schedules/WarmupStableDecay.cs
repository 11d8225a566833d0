namespace Finery.Training.Schedules;

/// <summary>How <see cref="WarmupStableDecay"/> comes down.</summary>
public enum DecayShape
{
    /// <summary><c>1 - p</c> (SmolLM3).</summary>
    Linear,

    /// <summary><c>1 - sqrt(p)</c>: faster at first (Hagele et al. 2024; llm.c).</summary>
    InverseSquareRoot,

    /// <summary><c>(1 + cos(pi p)) / 2</c>: slow at both ends.</summary>
    Cosine,
}

internal static class DecayShapes
{
    /// <summary>What is left of the way down, from 1 to 0.</summary>
    /// <param name="shape">Form.</param>
    /// <param name="progress">p, from 0 to 1.</param>
    public static double Left(this DecayShape shape, double progress) => shape switch
    {
        DecayShape.InverseSquareRoot => 1 - Math.Sqrt(progress),
        DecayShape.Cosine => 0.5 * (1 + Math.Cos(Math.PI * progress)),
        _ => 1 - progress,
    };
}

/// <summary>Warm-up, constant, decay to a floor (MiniCPM; SmolLM3). The constant part makes a run extendable.</summary>
public sealed record WarmupStableDecay : LearningRateSchedule
{
    /// <summary>Steps of decay at the end of the run.</summary>
    public long DecaySteps { get; init; }

    /// <summary>Decay as a share of the run, in place of <see cref="DecaySteps"/>.</summary>
    public double? DecayShare { get; init; }

    /// <summary>Form of the decay.</summary>
    public DecayShape Shape { get; init; }

    /// <summary>Floor as a fraction of the peak.</summary>
    public double Floor { get; init; }

    /// <inheritdoc/>
    public override IEnumerable<(string Property, string Message)> Validate() =>
    [
        .. base.Validate(), .. Extent(nameof(DecaySteps), DecaySteps, nameof(DecayShare), DecayShare, "decay"), .. Share(nameof(Floor), Floor),
    ];

    private protected override string? Misfit(long totalSteps)
    {
        long warmup = Warmup(totalSteps), decay = Decay(totalSteps);
        return warmup + decay > totalSteps ? Text($"Warm-up ({warmup}) and decay ({decay}) do not fit into {totalSteps} steps.") : null;
    }

    private protected override double AfterWarmup(long step, long warmup, long totalSteps)
    {
        long decay = Decay(totalSteps), into = step - (totalSteps - decay);
        if (into <= 0) return Peak;
        return Peak * (Floor + (1 - Floor) * Shape.Left(Math.Min(1, (double)into / decay)));
    }

    private long Decay(long totalSteps) => Steps(DecaySteps, DecayShare, totalSteps);
}
