namespace Finery.Training.Monitoring;

/// <summary>How many directions activations use (pretraining reference 5).</summary>
/// <param name="Effective"><c>exp(-sum p ln p)</c>, <c>p = sigma / sum sigma</c> (RankMe).</param>
/// <param name="Stable"><c>sum sigma^2 / sigma_max^2</c>.</param>
/// <param name="Participation"><c>(sum sigma^2)^2 / sum sigma^4</c>.</param>
public readonly record struct RankMeasures(double Effective, double Stable, double Participation)
{
    /// <summary>From singular values.</summary>
    /// <returns>All 0 where every value is 0.</returns>
    public static RankMeasures Of(ReadOnlySpan<double> singularValues)
    {
        double sum = 0, squares = 0, fourths = 0, largest = 0, entropy = 0;
        foreach (double sigma in singularValues)
        {
            double square = sigma * sigma;
            sum += sigma;
            squares += square;
            fourths += square * square;
            largest = Math.Max(largest, square);
        }
        if (sum == 0) return default;
        foreach (double sigma in singularValues)
        {
            if (sigma > 0) entropy -= sigma / sum * Math.Log(sigma / sum);
        }
        return new(Math.Exp(entropy), squares / largest, squares * squares / fourths);
    }
}

/// <summary>Rank and likeness of a sample of activations. Reused without allocation.</summary>
/// <param name="rows">n.</param>
/// <param name="columns">d.</param>
public sealed class SampleSpectrum(int rows, int columns)
{
    private readonly double[] _centred = new double[rows * columns];
    private readonly int _order = Math.Min(rows, columns);
    private readonly double[] _gram = new double[Math.Min(rows, columns) * Math.Min(rows, columns)];
    private readonly double[] _sigmas = new double[Math.Min(rows, columns)];
    private readonly double[] _sum = new double[columns];
    private readonly SymmetricEigenvalues _eigenvalues = new(Math.Min(rows, columns));

    /// <summary>Measures of the sample less its mean row, by the smaller of its two Gram matrices.</summary>
    /// <param name="sample">[n, d].</param>
    public RankMeasures Ranks(ReadOnlySpan<float> sample)
    {
        Centre(sample);
        bool byRows = rows <= columns;
        for (int i = 0; i < _order; i++)
        {
            for (int j = 0; j <= i; j++) _gram[i * _order + j] = byRows ? RowProduct(i, j) : ColumnProduct(i, j);
        }
        var eigenvalues = _eigenvalues.Of(_gram, _order);
        // Rounding may leave a zero eigenvalue slightly negative.
        for (int i = 0; i < _order; i++) _sigmas[i] = Math.Sqrt(Math.Max(0, eigenvalues[i]));
        return RankMeasures.Of(_sigmas);
    }

    /// <summary>Mean cosine of all pairs of different rows: <c>(|sum u|^2 - n) / (n (n - 1))</c> over the unit rows u.</summary>
    /// <param name="sample">[n, d].</param>
    public double MeanCosine(ReadOnlySpan<float> sample)
    {
        _sum.AsSpan().Clear();
        int counted = 0;
        for (int i = 0; i < rows; i++)
        {
            var row = sample.Slice(i * columns, columns);
            double squares = 0;
            foreach (float x in row) squares += (double)x * x;
            if (squares == 0) continue;
            double scale = 1 / Math.Sqrt(squares);
            for (int c = 0; c < columns; c++) _sum[c] += row[c] * scale;
            counted++;
        }
        double total = 0;
        foreach (double x in _sum) total += x * x;
        return counted < 2 ? double.NaN : (total - counted) / ((double)counted * (counted - 1));
    }

    private void Centre(ReadOnlySpan<float> sample)
    {
        _sum.AsSpan().Clear();
        for (int i = 0; i < sample.Length; i++) _sum[i % columns] += sample[i];
        for (int i = 0; i < sample.Length; i++) _centred[i] = sample[i] - _sum[i % columns] / rows;
    }

    private double RowProduct(int i, int j)
    {
        ReadOnlySpan<double> a = _centred.AsSpan(i * columns, columns), b = _centred.AsSpan(j * columns, columns);
        double even = 0, odd = 0;
        int c = 0;
        for (; c + 1 < a.Length; c += 2)
        {
            even += a[c] * b[c];
            odd += a[c + 1] * b[c + 1];
        }
        if (c < a.Length) even += a[c] * b[c];
        return even + odd;
    }

    private double ColumnProduct(int i, int j)
    {
        double sum = 0;
        for (int at = 0; at < _centred.Length; at += columns) sum += _centred[at + i] * _centred[at + j];
        return sum;
    }
}
