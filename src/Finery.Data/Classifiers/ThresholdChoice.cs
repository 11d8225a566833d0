namespace Finery.Data.Classifiers;

/// <summary>Chooses the threshold of a classifier from the scores of good and of random documents.</summary>
internal sealed class ThresholdChoice
{
    private const int CurvePoints = 101;

    private readonly double[] _good;
    private readonly double[] _random;

    public ThresholdChoice(double[] good, double[] random)
    {
        (_good, _random) = ([.. good.Order()], [.. random.Order()]);
    }

    /// <summary>The lowest threshold of at least a precision.</summary>
    /// <exception cref="InvalidDataException">None reaches it.</exception>
    public ClassifierOperatingPoint ForPrecision(double precision)
    {
        var best = default(ClassifierOperatingPoint);
        foreach (var threshold in _good.Distinct())
        {
            var point = At(threshold);
            if (point.Precision >= precision)
                return point;
            best = point.Precision > best.Precision ? point : best;
        }
        throw new InvalidDataException(
            $"No threshold reaches a precision of {precision}: the best " +
            $"is {best.Precision:0.####}, at {best.Threshold:0.######}.");
    }

    /// <summary>The lowest threshold that keeps at most a share of the random documents.</summary>
    public ClassifierOperatingPoint ForKeepRate(double rate)
    {
        var kept = (int)(rate * _random.Length);
        // Just above the highest score that must go, so that documents of equal score go with it.
        return At(kept >= _random.Length ? _random[0] : Math.BitIncrement(_random[^(kept + 1)]));
    }

    /// <summary>Thresholds at even steps through all scores.</summary>
    public IReadOnlyList<ClassifierOperatingPoint> Curve()
    {
        double[] all = [.. _good.Concat(_random).Order().Distinct()];
        var count = Math.Min(CurvePoints, all.Length);
        return [.. Enumerable.Range(0, count).Select(i => At(all[(long)i * (all.Length - 1) / Math.Max(1, count - 1)]))];
    }

    private ClassifierOperatingPoint At(double threshold)
    {
        int good = AtLeast(_good, threshold), random = AtLeast(_random, threshold);
        return new(
            threshold, good + random == 0 ? 1 : (double)good / (good + random), (double)good / _good.Length,
            (double)random / _random.Length);
    }

    private static int AtLeast(double[] ascending, double threshold)
    {
        var (low, high) = (0, ascending.Length);
        while (low < high)
        {
            var middle = (low + high) / 2;
            (low, high) = ascending[middle] < threshold ? (middle + 1, high) : (low, middle);
        }
        return ascending.Length - low;
    }
}
