namespace Finery.Workflow.Runs;

/// <summary>A row of <c>metrics.jsonl</c>.</summary>
/// <param name="Step">Training step, or another count that grows.</param>
/// <param name="Time">When it was recorded, UTC.</param>
/// <param name="Values">Names and values; not-a-number and infinities occur.</param>
public sealed record MetricRow(long Step, DateTimeOffset Time, IReadOnlyDictionary<string, double> Values);

/// <summary>A row of <c>events.jsonl</c>: something that happened to a training run, to be marked on its charts.</summary>
/// <param name="Step">Training step.</param>
/// <param name="Attempt">Which branch of the run: 0, and one more each time it went back.</param>
/// <param name="Time">When, UTC.</param>
/// <param name="Kind">What, such as <c>skip</c>, <c>rollback</c> or <c>alert</c>.</param>
/// <param name="Message">In words.</param>
/// <param name="Values">Figures before and after.</param>
public sealed record EventRow(
    long Step, int Attempt, DateTimeOffset Time, string Kind, string Message, IReadOnlyDictionary<string, double> Values);

/// <summary>A line of <c>log.jsonl</c>.</summary>
/// <param name="Time">When, UTC.</param>
/// <param name="Level"><c>info</c>, <c>warning</c> or <c>error</c>.</param>
/// <param name="Message">What the step said.</param>
public sealed record LogLine(DateTimeOffset Time, string Level, string Message);

/// <summary>What a chart draws of neighbouring points of a series.</summary>
/// <param name="From">First step number the bucket may hold.</param>
/// <param name="Count">Points in it.</param>
/// <param name="NonFinite">Of these not-a-number or infinite: a gap to be marked. The other fields leave them out.</param>
/// <param name="Min">Smallest value; NaN if none is finite.</param>
/// <param name="Max">Largest value; NaN if none is finite.</param>
/// <param name="Mean">Mean value; NaN if none is finite.</param>
/// <param name="Last">Last value; NaN if none is finite.</param>
public sealed record MetricBucket(long From, int Count, int NonFinite, double Min, double Max, double Mean, double Last)
{
    /// <summary>Gathers points into at most <paramref name="buckets"/> buckets of equal width, a power of two of steps; empty
    /// ones are left out.</summary>
    public static IReadOnlyList<MetricBucket> Of(IEnumerable<(long Step, double Value)> points, int buckets)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(buckets, 2);
        var series = points.ToArray();
        if (series.Length == 0) return [];
        long first = series.Min(point => point.Step), last = series.Max(point => point.Step);
        int shift = 0;
        while ((last >> shift) - (first >> shift) >= buckets) shift++;
        return [.. series.GroupBy(point => point.Step >> shift).OrderBy(bucket => bucket.Key)
            .Select(bucket => Of(bucket.Key << shift, [.. bucket.Select(point => point.Value)]))];
    }

    private static MetricBucket Of(long from, double[] values)
    {
        double[] finite = [.. values.Where(double.IsFinite)];
        int lost = values.Length - finite.Length;
        return finite.Length == 0
            ? new(from, values.Length, lost, double.NaN, double.NaN, double.NaN, double.NaN)
            : new(from, values.Length, lost, finite.Min(), finite.Max(), finite.Average(), finite[^1]);
    }
}
