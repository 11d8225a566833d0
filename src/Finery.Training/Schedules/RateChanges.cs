namespace Finery.Training.Schedules;

/// <summary>A factor on the learning rate after a run went back to an earlier state: a fresh warm-up, and if need be a lower rate for a
/// while. A pure function of the step, so that it needs no state of its own.</summary>
/// <param name="FirstStep">Step that the run continued with.</param>
/// <param name="WarmupSteps">Steps of linear warm-up up to <paramref name="Factor"/>; 0 for none.</param>
/// <param name="Factor">Of the rate after warm-up, such as 0.5; 1 for the full rate.</param>
/// <param name="Steps">Steps, warm-up included, after which the rate is the full one again; 0 for never.</param>
public readonly record struct RateReduction(long FirstStep, long WarmupSteps, double Factor = 1, long Steps = 0)
{
    /// <summary>The factor of a step; 1 before <see cref="FirstStep"/>.</summary>
    public double At(long step)
    {
        long since = step - FirstStep;
        if (since < 0 || (Steps > 0 && since >= Steps)) return 1;
        return since < WarmupSteps ? Factor * (since + 1) / WarmupSteps : Factor;
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
