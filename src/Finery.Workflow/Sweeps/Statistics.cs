namespace Finery.Workflow.Sweeps;

/// <summary>Mean and spread of a few figures.</summary>
internal static class Statistics
{
    /// <summary>Mean, standard deviation of the sample and standard error of the mean; the last two are NaN below two
    /// figures.</summary>
    public static (double Mean, double Deviation, double Error) Of(IReadOnlyList<double> figures)
    {
        if (figures.Count == 0) return (double.NaN, double.NaN, double.NaN);
        double mean = figures.Average();
        if (figures.Count < 2 || !double.IsFinite(mean)) return (mean, double.NaN, double.NaN);
        double deviation = Math.Sqrt(figures.Sum(figure => (figure - mean) * (figure - mean)) / (figures.Count - 1));
        return (mean, deviation, deviation / Math.Sqrt(figures.Count));
    }
}
