namespace Finery.Evaluation.Metrics;

/// <summary>A measured value with the standard error of its sampling.</summary>
/// <param name="Value">The estimate.</param>
/// <param name="StandardError">Its standard error; NaN where fewer than two observations give none.</param>
/// <param name="Count">Number of independent observations: items or documents.</param>
public readonly record struct Estimate(double Value, double StandardError, int Count)
{
    /// <summary>Mean with the standard error <c>s / sqrt(n)</c>, s the sample standard deviation (divisor n - 1).</summary>
    /// <exception cref="ArgumentException">There is no observation.</exception>
    public static Estimate Mean(ReadOnlySpan<double> values)
    {
        if (values.IsEmpty) throw new ArgumentException("A mean of no observations.", nameof(values));
        double mean = 0;
        foreach (double value in values) mean += value;
        mean /= values.Length;
        double squares = 0;
        foreach (double value in values) squares += (value - mean) * (value - mean);
        double error = values.Length < 2 ? double.NaN : Math.Sqrt(squares / (values.Length - 1) / values.Length);
        return new(mean, error, values.Length);
    }

    /// <summary>Ratio of sums <c>r = sum(x) / sum(y)</c> over documents, with its standard error by the delta method:
    /// <c>sqrt(n / (n - 1) sum((x - r y)^2)) / sum(y)</c>. This is what a per-byte score of documents of unequal length is.</summary>
    /// <param name="numerators">x, one per document.</param>
    /// <param name="denominators">y, one per document, with a positive sum.</param>
    /// <exception cref="ArgumentException">The lengths differ, or the denominators do not sum to a positive number.</exception>
    public static Estimate Ratio(ReadOnlySpan<double> numerators, ReadOnlySpan<double> denominators)
    {
        if (numerators.Length != denominators.Length)
            throw new ArgumentException($"{numerators.Length} numerators, {denominators.Length} denominators.", nameof(denominators));
        double above = 0, below = 0;
        for (int i = 0; i < numerators.Length; i++) (above, below) = (above + numerators[i], below + denominators[i]);
        if (!(below > 0)) throw new ArgumentException($"The denominators sum to {below}; nothing was measured.", nameof(denominators));
        double ratio = above / below, squares = 0;
        for (int i = 0; i < numerators.Length; i++)
        {
            double residual = numerators[i] - ratio * denominators[i];
            squares += residual * residual;
        }
        double n = numerators.Length;
        double error = n < 2 ? double.NaN : Math.Sqrt(n / (n - 1) * squares) / below;
        return new(ratio, error, numerators.Length);
    }

    /// <summary>Mean of <c>a - b</c> over the same items: the way to compare two models, since what makes an item hard cancels.</summary>
    /// <exception cref="ArgumentException">The models were not scored on the same number of items.</exception>
    public static Estimate PairedDifference(ReadOnlySpan<double> a, ReadOnlySpan<double> b) => Mean(Subtract(a, b));

    /// <summary><see cref="Ratio"/> of <c>a - b</c>: difference of two per-byte scores on the same documents.</summary>
    /// <exception cref="ArgumentException">The lengths differ, or the denominators do not sum to a positive number.</exception>
    public static Estimate PairedRatioDifference(
        ReadOnlySpan<double> a, ReadOnlySpan<double> b, ReadOnlySpan<double> denominators) => Ratio(Subtract(a, b), denominators);

    private static double[] Subtract(ReadOnlySpan<double> a, ReadOnlySpan<double> b)
    {
        if (a.Length != b.Length) throw new ArgumentException($"Paired scores need the same items: {a.Length} and {b.Length}.");
        var differences = new double[a.Length];
        for (int i = 0; i < a.Length; i++) differences[i] = a[i] - b[i];
        return differences;
    }
}
