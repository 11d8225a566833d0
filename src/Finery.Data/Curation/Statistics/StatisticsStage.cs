using Finery.Data.Filters;
using Finery.Data.Writers;

namespace Finery.Data.Curation.Statistics;

/// <summary>
/// Measures the corpus as it is at this point and leaves the documents as they are. Its folder then holds, as datatrove's merged
/// statistics do, <c>{group}/{statistic}/metric.json</c> for the groups summary, histogram, fqdn and suffix.
/// </summary>
public sealed record StatisticsStage : CorpusStage
{
    /// <summary>What is measured: names of <see cref="StatisticKinds"/>, empty for all.</summary>
    public IReadOnlyList<StatisticKinds> Kinds { get; init; } = [];

    /// <summary>Decimal places by which values of a histogram are equal.</summary>
    public int RoundDigits { get; init; } = 3;

    /// <summary>Hosts and suffixes written, those with most documents first.</summary>
    public int MaxKeys { get; init; } = 100_000;

    /// <inheritdoc/>
    public override IEnumerable<Phase> Phases(Corpus corpus, string folder)
    {
        yield return new("measure", corpus.Parts, (part, context) => Measure(corpus, folder, part, context));
        yield return new("merge", 1, (_, context) => Merge(corpus, folder, context));
    }

    /// <inheritdoc/>
    public override PartStage Open(Corpus corpus, string folder, int part) => new Untouched();

    private CorpusStatistics Empty(TaskContext context) => new(
        Kinds.Count == 0 ? StatisticKinds.All : Kinds.Aggregate((a, b) => a | b), RoundDigits, MaxKeys, context.MemoryBytes);

    private void Measure(Corpus corpus, string folder, int part, TaskContext context)
    {
        var statistics = Empty(context);
        var work = new WorkingDocument();
        foreach (var document in corpus.Read(part))
        {
            context.Stop.ThrowIfCancellationRequested();
            work.Start(document);
            statistics.Add(work);
        }
        AtomicFile.Write(StatePath(folder, part), statistics.Save);
    }

    private void Merge(Corpus corpus, string folder, TaskContext context)
    {
        var whole = Empty(context);
        for (var part = 0; part < corpus.Parts; part++)
        {
            context.Stop.ThrowIfCancellationRequested();
            using var state = new BufferedStream(File.OpenRead(StatePath(folder, part)), 1 << 16);
            whole.MergeSaved(state);
        }
        foreach (var (group, statistics) in whole.ToJson())
            foreach (var (name, values) in statistics!.AsObject())
                AtomicFile.WriteText(Path.Combine(folder, group, FileName(name), "metric.json"), values!.ToJsonString());
    }

    // A language's label comes from the data and may be anything.
    private static string FileName(string name) =>
        string.Concat(name.Select(c => char.IsAsciiLetterOrDigit(c) || c is '_' or '-' ? c : '_'));

    private static string StatePath(string folder, int part) => Path.Combine(folder, $"measured-{part:D5}.bin");

    private sealed class Untouched : PartStage
    {
        public override void Apply(WorkingDocument document, long index)
        {
        }
    }
}
