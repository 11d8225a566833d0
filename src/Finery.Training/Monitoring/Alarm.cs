using System.Globalization;

namespace Finery.Training.Monitoring;

/// <summary>A measurement that deserves a look.</summary>
/// <param name="Step">When.</param>
/// <param name="What">What is measured.</param>
/// <param name="Where">Of what part of the model.</param>
/// <param name="Value">What it was.</param>
/// <param name="Threshold">What it should not have passed.</param>
/// <param name="Advice">What to do.</param>
public sealed record TrainingAlert(long Step, string What, string Where, double Value, double Threshold, string Advice)
{
    /// <summary>One line.</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture,
        $"Step {Step}: {What} of {Where} is {Value:g4}, {(Value > Threshold ? "above" : "below")} {Threshold:g4}: {Advice}");
}

/// <summary>One limit on one series: opens after so many measurements in a row beyond it, closes well inside it.</summary>
internal sealed class Alarm(string what, string where, double threshold, bool above, string advice, int confirm)
{
    // A tenth inside the limit, so that a value that trembles on it is reported once.
    private const double Hysteresis = 0.1;

    private int _beyond;

    public bool IsOpen { get; private set; }

    /// <summary>Takes a measurement; returns an alert where it opens the alarm. What could not be measured changes nothing.</summary>
    public TrainingAlert? Check(long step, double value)
    {
        if (!double.IsFinite(value)) return null;
        if (above ? value <= threshold : value >= threshold)
        {
            _beyond = 0;
            if (above ? value <= threshold * (1 - Hysteresis) : value >= threshold * (1 + Hysteresis)) IsOpen = false;
            return null;
        }
        _beyond++;
        if (IsOpen || _beyond < confirm) return null;
        IsOpen = true;
        return new(step, what, where, value, threshold, advice);
    }
}
