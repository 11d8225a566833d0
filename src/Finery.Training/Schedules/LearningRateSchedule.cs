using System.Globalization;

namespace Finery.Training.Schedules;

/// <summary>Learning rate as a pure function of the step, so that a resumed run needs no state (pretraining reference 3). Warm-up counts
/// from one: step 0 of a warm-up of w steps has 1/w of the peak.</summary>
/// <remarks>To add one: a record here, and a line in <see cref="ScheduleCatalogue"/>.</remarks>
public abstract record LearningRateSchedule
{
    /// <summary>Highest learning rate.</summary>
    public double Peak { get; init; } = 1e-3;

    /// <summary>Steps of linear warm-up.</summary>
    public long WarmupSteps { get; init; }

    /// <summary>Warm-up as a share of the run, in place of <see cref="WarmupSteps"/>.</summary>
    public double? WarmupShare { get; init; }

    /// <summary>The rule of nanotron: everything happens a step later, and the first step has a rate of zero.</summary>
    public bool WarmupFromZero { get; init; }

    /// <summary>Learning rate of a step.</summary>
    /// <param name="step">From 0.</param>
    /// <param name="totalSteps">Length of the run.</param>
    public double At(long step, long totalSteps)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(step);
        ArgumentOutOfRangeException.ThrowIfLessThan(totalSteps, 1);
        if (WarmupFromZero && step-- == 0) return 0;
        long warmup = Warmup(totalSteps);
        return step < warmup ? Peak * (step + 1) / warmup : AfterWarmup(step, warmup, totalSteps);
    }

    /// <summary>Everything wrong with these settings for any run; empty where nothing is.</summary>
    public virtual IEnumerable<(string Property, string Message)> Validate()
    {
        if (!(Peak > 0) || !double.IsFinite(Peak)) yield return (nameof(Peak), Text($"peak is {Peak}; it must be a positive number"));
        foreach (var fault in Extent(nameof(WarmupSteps), WarmupSteps, nameof(WarmupShare), WarmupShare, "warmup")) yield return fault;
    }

    /// <summary>Everything wrong with these settings for a run of <paramref name="totalSteps"/>; empty where nothing is.</summary>
    public IEnumerable<string> Validate(long totalSteps)
    {
        foreach (var (_, message) in Validate()) yield return $"Schedule: {message}.";
        if (Misfit(totalSteps) is { } misfit) yield return misfit;
    }

    /// <summary>Why the settings do not fit a run of <paramref name="totalSteps"/>; null where they do.</summary>
    private protected virtual string? Misfit(long totalSteps) => Warmup(totalSteps) > totalSteps
        ? Text($"Warm-up takes {WarmupSteps} of {totalSteps} steps; expected 0 to {totalSteps}.") : null;

    /// <summary>Learning rate after warm-up.</summary>
    private protected abstract double AfterWarmup(long step, long warmup, long totalSteps);

    /// <summary>Steps of warm-up of a run of <paramref name="totalSteps"/>.</summary>
    public long Warmup(long totalSteps) => Steps(WarmupSteps, WarmupShare, totalSteps);

    private protected static long Steps(long steps, double? share, long totalSteps) =>
        share is { } part ? (long)Math.Round(part * totalSteps, MidpointRounding.AwayFromZero) : steps;

    private protected static IEnumerable<(string Property, string Message)> Extent(
        string stepsName, long steps, string shareName, double? share, string key)
    {
        if (steps < 0) yield return (stepsName, Text($"{key}_steps is {steps}; it must not be negative"));
        if (share is not (null or (>= 0 and <= 1))) yield return (shareName, Text($"{key}_share is {share}; expected 0 to 1"));
        if (share is not null && steps != 0) yield return (shareName, $"give {key}_steps or {key}_share, not both");
    }

    private protected static IEnumerable<(string Property, string Message)> Share(string name, double value)
    {
        if (!(value is >= 0 and <= 1)) yield return (name, Text($"floor is {value}; expected 0 to 1, a fraction of the peak"));
    }

    private protected static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}

/// <summary>The peak for ever after warm-up.</summary>
public sealed record Constant : LearningRateSchedule
{
    private protected override double AfterWarmup(long step, long warmup, long totalSteps) => Peak;
}

/// <summary>Half a cosine from the peak down to a floor: <c>min + (peak - min) (1 + cos(pi p)) / 2</c>.</summary>
public sealed record Cosine : LearningRateSchedule
{
    /// <summary>Floor as a fraction of the peak.</summary>
    public double Floor { get; init; } = 0.1;

    /// <inheritdoc/>
    public override IEnumerable<(string Property, string Message)> Validate() => [.. base.Validate(), .. Share(nameof(Floor), Floor)];

    private protected override double AfterWarmup(long step, long warmup, long totalSteps)
    {
        double progress = Math.Min(1, (double)(step - warmup) / Math.Max(1, totalSteps - warmup));
        return Peak * (Floor + (1 - Floor) * DecayShape.Cosine.Left(progress));
    }
}

/// <summary>Every schedule by the name a recipe uses.</summary>
public static class ScheduleCatalogue
{
    /// <summary>Recipe name to record type.</summary>
    public static IReadOnlyDictionary<string, Type> Schedules { get; } = new Dictionary<string, Type>
    {
        ["constant"] = typeof(Constant),
        ["cosine"] = typeof(Cosine),
        ["wsd"] = typeof(WarmupStableDecay),
    };
}
