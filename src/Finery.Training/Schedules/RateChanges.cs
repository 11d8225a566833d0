namespace Finery.Training.Schedules;

/// <summary>A factor on the learning rate that begins a fresh warm-up. A pure function of the step, so that it needs no state of its
/// own.</summary>
/// <param name="FirstStep">Step that the warm-up begins with.</param>
/// <param name="Steps">Its steps; 0 for none.</param>
public readonly record struct Rewarmup(long FirstStep, long Steps)
{
    /// <summary>The factor of a step; 1 before <see cref="FirstStep"/>.</summary>
    public double At(long step)
    {
        long since = step - FirstStep;
        return since >= 0 && since < Steps ? (since + 1.0) / Steps : 1;
    }
}

/// <summary>Learning rate and batch size.</summary>
public static class BatchScaling
{
    /// <summary>Factor on the learning rate of Adam when a batch of <paramref name="from"/> tokens becomes one of <paramref name="to"/>:
    /// <c>sqrt(B'/B)</c> (OLMo-core, pretraining reference 3).</summary>
    public static double AdamRate(double from, double to)
    {
        if (!(from > 0 && to > 0)) throw new ArgumentOutOfRangeException(nameof(to), $"Batches of {from} and {to} tokens; both must be positive.");
        return Math.Sqrt(to / from);
    }
}
