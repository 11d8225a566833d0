using System.Text;
using Finery.Data.Deduplication;

namespace Finery.Data.Classifiers;

/// <summary> Trains a classifier that tells good documents from random ones, as DCLM's quality filter was made (fastText on words
/// and pairs of words; arXiv 2406.11794), and picks the threshold on documents it has not seen. The same documents in any order
/// give the same model.
/// </summary>
public sealed record QualityClassifierTraining
{
    private const string ModelFile = "model.bin";

    /// <summary>Label of the good documents.</summary>
    public string Label { get; init; } = "hq";

    /// <summary>Label of the random ones.</summary>
    public string OtherLabel { get; init; } = "random";

    /// <summary>Most documents of either kind; of more, those with the lowest hash are taken.</summary>
    public int MaxDocuments { get; init; } = 100_000;

    /// <summary>Share of either kind the threshold is chosen on.</summary>
    public double HeldOutShare { get; init; } = 0.1;

    /// <summary>Share of the random documents to keep; the default is about DCLM's.</summary>
    public double TargetKeepRate { get; init; } = 0.1;

    /// <summary>Share of good among the kept, where half of all are good: the lowest threshold that reaches it is taken. Null to
    /// go by <see cref="TargetKeepRate"/>.</summary>
    public double? TargetPrecision { get; init; }

    /// <summary>Whether texts are learned and judged in lower case.</summary>
    public bool LowerCase { get; init; } = true;

    /// <summary>What line feeds become.</summary>
    public string NewlineReplacement { get; init; } = " ";

    /// <summary>How the model is trained. Vectors are shorter and buckets fewer than fastText's defaults, which make a file of
    /// 800 MB.</summary>
    public FastTextTrainingSettings Training { get; init; } =
        new() { WordNgrams = 2, Dimension = 32, Bucket = 500_000, MinCount = 3 };

    /// <summary>Chooses another split and other documents.</summary>
    public ulong Seed { get; init; }

    /// <summary>What cannot work.</summary>
    public IEnumerable<(string Property, string Message)> Validate()
    {
        if (!(HeldOutShare is > 0 and < 1))
            yield return (nameof(HeldOutShare), "is between 0 and 1");
        if (!(TargetKeepRate is > 0 and < 1))
            yield return (nameof(TargetKeepRate), "is between 0 and 1");
        if (TargetPrecision is { } precision && !(precision is > 0 and <= 1))
            yield return (nameof(TargetPrecision), "is above 0 and at most 1");
        if (MaxDocuments < 10)
            yield return (nameof(MaxDocuments), "is at least 10");
        if (Label == OtherLabel || Label.Length * OtherLabel.Length == 0 || (Label + OtherLabel).Any(char.IsWhiteSpace))
            yield return (nameof(Label), "and other_label are two different words");
        foreach (var (property, message) in Training.Validate())
            yield return ($"{nameof(Training)}.{property}", message);
    }

    /// <summary>Trains, tests, and writes <c>model.bin</c> and <c>classifier.json</c> into a folder that
    /// <see cref="ClassifierFilter.Model"/> may name.</summary>
    /// <param name="good">Texts like those to keep; read once.</param>
    /// <param name="random">Texts of the source that is to be filtered; read once.</param>
    /// <param name="folder">Created if need be.</param>
    /// <param name="cancellationToken">Stops the training.</param>
    /// <exception cref="ArgumentException">The settings cannot work.</exception>
    /// <exception cref="InvalidDataException">There are too few documents, or no threshold reaches the precision.</exception>
    public QualityClassifierReport Run(
        IEnumerable<string> good, IEnumerable<string> random, string folder, CancellationToken cancellationToken = default)
    {
        foreach (var (property, message) in Validate())
            throw new ArgumentException($"{property} {message}.");
        var preparation = new TextPreparation(LowerCase, NewlineReplacement);
        var (goodTraining, goodHeldOut) = Sample(good, preparation, "good");
        var (randomTraining, randomHeldOut) = Sample(random, preparation, "random");
        Balance(goodTraining, randomTraining);
        Balance(goodHeldOut, randomHeldOut);
        var trainer = new FastTextTrainer(Training);
        var examples = goodTraining.Select(item => (item, Label))
            .Concat(randomTraining.Select(item => (item, Label: OtherLabel)));
        foreach (var ((_, text), label) in examples.OrderBy(example => example.item.Hash))
            trainer.Add(label, text);
        var model = trainer.Train(cancellationToken);
        var thresholds = new ThresholdChoice(Scores(model, goodHeldOut), Scores(model, randomHeldOut));
        var (target, point) = TargetPrecision is { } precision
            ? (FormattableString.Invariant($"precision {precision}"), thresholds.ForPrecision(precision))
            : (FormattableString.Invariant($"keep_rate {TargetKeepRate}"), thresholds.ForKeepRate(TargetKeepRate));
        var report = new QualityClassifierReport(
            trainer.ExampleCount, goodHeldOut.Count + randomHeldOut.Count, target, point.Threshold, point.Precision, point.Recall,
            point.KeepRate, thresholds.Curve());
        Directory.CreateDirectory(folder);
        model.Save(Path.Combine(folder, ModelFile));
        new ClassifierDescription(ModelFile, Label, point.Threshold, LowerCase, NewlineReplacement).Write(folder, report);
        return report;
    }

    // Those of lowest hash, so that neither order nor number of the documents decides which are taken.
    private (List<(ulong Hash, string Text)> Training, List<(ulong Hash, string Text)> HeldOut) Sample(
        IEnumerable<string> texts, TextPreparation preparation, string kind)
    {
        var kept = new PriorityQueue<string, ulong>(Comparer<ulong>.Create((a, b) => b.CompareTo(a)));
        var seen = new HashSet<ulong>();
        foreach (var text in texts)
        {
            if (string.IsNullOrWhiteSpace(text))
                continue;
            var prepared = preparation.Apply(text);
            var hash = XxHash64.Hash(Encoding.UTF8.GetBytes(prepared), Seed);
            if (!seen.Add(hash))
                continue;
            kept.Enqueue(prepared, hash);
            if (kept.Count <= MaxDocuments)
                continue;
            kept.TryDequeue(out _, out var dropped);
            // What comes again has a hash too high to enter: it need not be remembered.
            seen.Remove(dropped);
        }
        var items = kept.UnorderedItems.Select(item => (Hash: item.Priority, Text: item.Element)).OrderBy(item => item.Hash)
            .ToList();
        // Another hash than the one that orders them: the lowest all have the same upper bits.
        var split = items.ToLookup(item =>
            XxHash64.Hash(Encoding.UTF8.GetBytes(item.Text), Seed + 1) < HeldOutShare * ulong.MaxValue);
        var (training, heldOut) = (split[false].ToList(), split[true].ToList());
        return training.Count > 0 && heldOut.Count > 0 ? (training, heldOut)
            : throw new InvalidDataException(
                $"{items.Count} different {kind} documents are too few to train on some and test on others.");
    }

    private static void Balance<T>(List<T> first, List<T> second)
    {
        var count = Math.Min(first.Count, second.Count);
        first.RemoveRange(count, first.Count - count);
        second.RemoveRange(count, second.Count - count);
    }

    private double[] Scores(FastTextModel model, List<(ulong Hash, string Text)> items)
    {
        var label = Training.LabelPrefix + Label;
        return [.. items.Select(item => (double)model.Predict(item.Text, k: -1)
            .FirstOrDefault(p => p.Label == label).Probability)];
    }
}
