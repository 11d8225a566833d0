using Finery.Workflow.Runs;

namespace Finery.Workflow.Sweeps;

/// <summary>Losses of a training, and how far into it another loss was reached.</summary>
internal static class LossCurve
{
    // A twentieth of the run: single steps are noisy.
    private const int WindowShare = 20;

    /// <summary>A series of a step's metrics; where a repair went back and trained some steps again, their last values.</summary>
    public static IReadOnlyList<(double Step, double Loss)> Of(RunFolder run, string step, string key) =>
        [.. run.Metrics(step).Rows
        .Where(row => row.Values.ContainsKey(key)).GroupBy(row => row.Step).OrderBy(rows => rows.Key)
        .Select(rows => ((double)rows.Key, rows.Last().Values[key]))];

    /// <summary>Mean of each row and those before it, as many as a window holds; NaN while there are fewer.</summary>
    public static double[] Smooth(IReadOnlyList<(double Step, double Loss)> curve, int window)
    {
        var means = new double[curve.Count];
        for (int i = 0; i < means.Length; i++)
        {
            double sum = 0;
            for (int j = Math.Max(0, i - window + 1); j <= i; j++) sum += curve[j].Loss;
            means[i] = i + 1 < window ? double.NaN : sum / window;
        }
        return means;
    }

    /// <summary>Rows that are averaged in a curve of so many.</summary>
    public static int Window(int rows) => Math.Max(1, rows / WindowShare);

    /// <summary>The share of B's steps after which A's smoothed loss has come down to B's last one; both are smoothed over a
    /// twentieth of B's rows. Infinite if it never does, NaN if a curve is empty. The rates of both decay over their own whole
    /// run, so that A gets there before its own decay has done its part: the share is an upper bound.</summary>
    public static double ShareToReach(IReadOnlyList<(double Step, double Loss)> a, IReadOnlyList<(double Step, double Loss)> b)
    {
        if (a.Count == 0 || b.Count == 0) return double.NaN;
        int window = Window(b.Count);
        double target = Smooth(b, window)[^1];
        int reached = Array.FindIndex(Smooth(a, window), loss => loss <= target);
        return reached < 0 ? double.PositiveInfinity : (a[reached].Step + 1) / (b[^1].Step + 1);
    }
}
