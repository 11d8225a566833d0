namespace Finery.Workflow.Runs;

/// <summary>A row of <c>metrics.jsonl</c>.</summary>
/// <param name="Step">Training step, or another count that grows.</param>
/// <param name="Time">When it was recorded, UTC.</param>
/// <param name="Values">Names and values; not-a-number and infinities occur.</param>
public sealed record MetricRow(long Step, DateTimeOffset Time, IReadOnlyDictionary<string, double> Values);

/// <summary>What a chart draws of some neighbouring points of a series.</summary>
/// <param name="From">First step number the bucket may hold; its width is the same power of two for a whole series.</param>
/// <param name="Count">Points in it.</param>
/// <param name="NonFinite">Of these not-a-number or infinite: a gap to be marked. The other fields leave them out.</param>
/// <param name="Min">Smallest value, NaN if none is finite.</param>
/// <param name="Max">Largest value.</param>
/// <param name="Mean">Mean value.</param>
/// <param name="Last">Last value.</param>
public sealed record MetricBucket(long From, int Count, int NonFinite, double Min, double Max, double Mean, double Last);

/// <summary>A line of <c>log.jsonl</c>.</summary>
public sealed record LogLine(DateTimeOffset Time, string Level, string Message);
