using System.Text;
using System.Text.Json.Nodes;
using Finery.Data.Deduplication;
using Finery.Data.Readers;

namespace Finery.Data.Classifiers;

/// <summary>How good a language identifier is on the texts that were held out.</summary>
/// <param name="TrainingCount">Texts it learned from, without repetitions.</param>
/// <param name="HeldOutCount">Texts it was tested on.</param>
/// <param name="Precision">Share of those whose best label is right (P@1).</param>
/// <param name="Bytes">Size of the file.</param>
/// <param name="Languages">For each label, tested texts and those named rightly; worst first.</param>
public sealed record LanguageModelReport(
    int TrainingCount, int HeldOutCount, double Precision, long Bytes, IReadOnlyList<(string Label, int Count, int Correct)> Languages);

/// <summary>
/// Builds the language identifier that comes with Finery, <c>Resources/lid.ftz</c>: the same inputs give the same file, byte for byte.
/// </summary>
/// <remarks>
/// Two thirds of the labelled texts are learned from. Which third is held out is decided by the last part of a document's id (the name
/// of the page), so that translations of one page stay together and none of them is seen in training.
/// </remarks>
public static class LanguageModelRecipe
{
    private const int HeldOutOneIn = 3;

    // A language with fewer texts is repeated, to about so many.
    private const int TextsWanted = 100;

    // Pieces of English prose that are learned besides: the labelled texts are all short and of one kind.
    private const int EnglishPieces = 1500;
    private const int ShortestPiece = 60;
    private const int LongestPiece = 600;

    /// <summary>Labels that are other names of a label: in tldr-pages the folders nb and no hold one language, Norwegian Bokmål, and
    /// half of their pages are the same file.</summary>
    public static IReadOnlyDictionary<string, string> Aliases { get; } = new Dictionary<string, string> { ["nb"] = "no" };

    /// <summary>How it is trained.</summary>
    /// <remarks>All buckets are kept. Cut down to the most important ones, the model would judge a text of a script it never saw by the
    /// few n-grams that happen to share a bucket with known ones; the zeros of the others keep it unsure.</remarks>
    public static FastTextTrainingSettings Training { get; } = new()
    {
        MinN = 2, MaxN = 4, Dimension = 16, Epochs = 50, LearningRate = 1, MinCount = 4, Bucket = 80_000, HasLineEnd = false,
    };

    /// <summary>How it is made small.</summary>
    public static FastTextQuantisationSettings Quantisation { get; } = new() { QuantiseNorms = true };

    /// <summary>Trains, tests and writes the model.</summary>
    /// <param name="labelledPaths">JSON Lines whose documents have a language in <c>metadata.language</c>.</param>
    /// <param name="englishPaths">JSON Lines of English prose; may be empty.</param>
    /// <param name="outPath">Where the quantised model goes.</param>
    /// <param name="cancellationToken">Stops the training.</param>
    /// <exception cref="InvalidDataException">Nothing labelled was read.</exception>
    public static LanguageModelReport Build(
        IReadOnlyList<string> labelledPaths, IReadOnlyList<string> englishPaths, string outPath,
        CancellationToken cancellationToken = default) =>
        Build(labelledPaths, englishPaths, outPath, Training, cancellationToken);

    internal static LanguageModelReport Build(
        IReadOnlyList<string> labelledPaths, IReadOnlyList<string> englishPaths, string outPath, FastTextTrainingSettings settings,
        CancellationToken cancellationToken)
    {
        var labelled = ReadLabelled(labelledPaths);
        var heldOut = labelled.Where(text => text.IsHeldOut).ToList();
        var training = labelled.Where(text => !text.IsHeldOut).ToList();
        if (heldOut.Count == 0 || training.Count == 0)
            throw new InvalidDataException($"Too few documents with a language in {string.Join(", ", labelledPaths)}.");
        var repeats = training.GroupBy(text => text.Label)
            .ToDictionary(group => group.Key, group => Math.Max(1, (int)Math.Round((double)TextsWanted / group.Count())));
        var examples = training.SelectMany(text => Enumerable.Repeat(text, repeats[text.Label])).Concat(ReadEnglish(englishPaths));
        var trainer = new FastTextTrainer(settings);
        // By hash, since texts of one language that follow each other would pull the model to and fro.
        foreach (var text in examples.OrderBy(text => text.Order))
            trainer.Add(text.Label, text.Text);
        var model = trainer.Quantise(trainer.Train(cancellationToken), Quantisation, cancellationToken);
        model.Save(outPath);
        return Test(model, training.Count, heldOut, new FileInfo(outPath).Length);
    }

    /// <summary>Tests a model on the part of labelled texts that the recipe holds out.</summary>
    /// <param name="model">Any language identifier; its labels are compared by name.</param>
    /// <param name="labelledPaths">As above.</param>
    public static LanguageModelReport Test(FastTextModel model, IReadOnlyList<string> labelledPaths)
    {
        var labelled = ReadLabelled(labelledPaths);
        return Test(model, labelled.Count(text => !text.IsHeldOut), [.. labelled.Where(text => text.IsHeldOut)], 0);
    }

    private static LanguageModelReport Test(FastTextModel model, int trainingCount, List<LabelledText> heldOut, long bytes)
    {
        var counts = new SortedDictionary<string, (int Count, int Correct)>(StringComparer.Ordinal);
        foreach (var text in heldOut)
        {
            var best = model.Predict(text.Text);
            var isRight = best.Length > 0 && LanguageLabel.Parse(best[0].Label).Name == text.Label;
            var (count, correct) = counts.GetValueOrDefault(text.Label);
            counts[text.Label] = (count + 1, correct + (isRight ? 1 : 0));
        }
        return new(
            trainingCount, heldOut.Count, counts.Values.Sum(pair => pair.Correct) / (double)heldOut.Count, bytes,
            [.. counts.Select(pair => (pair.Key, pair.Value.Count, pair.Value.Correct)).OrderBy(row => (double)row.Correct / row.Count)]);
    }

    private static List<LabelledText> ReadLabelled(IReadOnlyList<string> paths)
    {
        var texts = new List<LabelledText>();
        foreach (var document in new JsonLinesReader { Paths = paths }.Read(new()))
        {
            if (document.Metadata["language"] is not JsonValue value || !value.TryGetValue(out string? language))
                continue;
            var label = Aliases.GetValueOrDefault(language, language);
            var page = document.Id[(document.Id.LastIndexOf('/') + 1)..];
            texts.Add(new(label, document.Text, Hash(document.Id), Hash(page) % HeldOutOneIn == 0));
        }
        return texts;
    }

    private static IEnumerable<LabelledText> ReadEnglish(IReadOnlyList<string> paths) =>
        new JsonLinesReader { Paths = paths }.Read(new())
            .SelectMany(document => document.Text.Split("\n\n"))
            .Select(piece => string.Join(' ', piece.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries)))
            .Where(piece => piece.Length is >= ShortestPiece and <= LongestPiece)
            .Distinct()
            .Select(piece => new LabelledText("en", piece, Hash(piece), false))
            .OrderBy(piece => piece.Order)
            .Take(EnglishPieces);

    private static ulong Hash(string text) => XxHash64.Hash(Encoding.UTF8.GetBytes(text));

    private sealed record LabelledText(string Label, string Text, ulong Order, bool IsHeldOut);
}
