using System.Globalization;

namespace Finery.Training.Monitoring;

/// <summary>The last values of a series, with how far a new one lies from them.</summary>
internal sealed class RollingWindow(int size)
{
    // A window of equal values has a mean that is off by a rounding or two, and no deviation to measure that by.
    private const double Rounding = 1e-12;

    private readonly double[] _values = new double[size];
    private int _next;

    public int Count { get; private set; }

    public bool IsHalfFull => 2 * Count >= _values.Length;

    public void Add(double value)
    {
        _values[_next] = value;
        _next = (_next + 1) % _values.Length;
        Count = Math.Min(Count + 1, _values.Length);
    }

    public void Clear() => (Count, _next) = (0, 0);

    /// <summary>Mean of the values.</summary>
    public double Mean
    {
        get
        {
            double sum = 0;
            for (int i = 0; i < Count; i++) sum += _values[i];
            return sum / Count;
        }
    }

    /// <summary>Standard deviations (divisor n - 1) of <paramref name="value"/> above the mean; infinite where there are none.</summary>
    public double Sigmas(double value)
    {
        // Two passes over what is there: no running sums that drift, and the same bits after a restart.
        double mean = Mean, squares = 0;
        for (int i = 0; i < Count; i++) squares += (_values[i] - mean) * (_values[i] - mean);
        double deviation = Math.Sqrt(squares / Math.Max(1, Count - 1)), distance = value - mean;
        return Math.Abs(distance) <= Rounding * Math.Abs(mean) ? 0 : distance / deviation;
    }

    public void Save(string name, IDictionary<string, double> state)
    {
        state[name + ".next"] = _next;
        state[name + ".count"] = Count;
        for (int i = 0; i < Count; i++) state[Key(name, i)] = _values[i];
    }

    public void Restore(string name, IReadOnlyDictionary<string, double> state)
    {
        (_next, Count) = ((int)state[name + ".next"], (int)state[name + ".count"]);
        for (int i = 0; i < Count; i++) _values[i] = state[Key(name, i)];
    }

    public static string Key(string name, int index) => string.Create(CultureInfo.InvariantCulture, $"{name}.{index}");
}
