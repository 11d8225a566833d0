using System.Runtime.CompilerServices;
using System.Text.Json.Nodes;
using Finery.Data.Filters;

namespace Finery.Data.Classifiers;

/// <summary>A label of a classifier and the score from which it counts.</summary>
public sealed record LabelThreshold
{
    /// <summary>Without the prefix of labels.</summary>
    public string Label { get; init; } = "";

    /// <summary>Least score, 0 to 1; a score equal to it counts.</summary>
    public double Threshold { get; init; }
}

/// <summary>What a classifier judges at a time.</summary>
public enum ClassifiedUnit
{
    /// <summary>The whole text.</summary>
    Document,

    /// <summary>Each line with the blank ones that follow it.</summary>
    Paragraph,

    /// <summary>Each English sentence.</summary>
    Sentence,
}

/// <summary>
/// Keeps documents, paragraphs or sentences by the labels a fastText classifier gives them, as datatrove's fastText filter does: those
/// that reach the score of at least one label to keep, or of no label to remove. Reason <c>classifier</c>: the text is below, or none of
/// it is left. Writes the mean score of each label under its name in the model (<c>__label__hq</c>).
/// </summary>
public sealed record ClassifierFilter : DocumentFilter
{
    private const string Rule = "classifier";

    // Beside the record and not in it: a copy with other settings must not inherit what these stand for.
    private static readonly ConditionalWeakTable<ClassifierFilter, Resolved> s_resolved = [];

    /// <summary>A fastText model file, or a folder that <see cref="QualityClassifierTraining"/> wrote: its label and threshold then hold
    /// unless labels are given here.</summary>
    public string Model { get; init; } = "";

    /// <summary>Labels of which one must reach its score.</summary>
    public IReadOnlyList<LabelThreshold> KeepLabels { get; init; } = [];

    /// <summary>Labels of which none may reach its score; not together with <see cref="KeepLabels"/>.</summary>
    public IReadOnlyList<LabelThreshold> RemoveLabels { get; init; } = [];

    /// <summary>What is judged at a time; units that fail are cut out of the text.</summary>
    public ClassifiedUnit Unit { get; init; }

    /// <summary>What line feeds become before the text is judged; the published default removes them. A folder brings its own.</summary>
    public string NewlineReplacement { get; init; } = "";

    /// <summary>Whether the text is judged in lower case. A folder brings its own.</summary>
    public bool LowerCase { get; init; }

    /// <summary>Whether scores are written into the metadata.</summary>
    public bool SaveScores { get; init; } = true;

    /// <summary>What cannot work.</summary>
    public IEnumerable<(string Property, string Message)> Validate()
    {
        if (KeepLabels.Count > 0 && RemoveLabels.Count > 0)
            yield return (nameof(RemoveLabels), "cannot be given together with keep_labels: use two filters");
        if (!File.Exists(Model) && !Directory.Exists(Model))
        {
            yield return (nameof(Model), $"names no file or folder: '{Model}'");
            yield break;
        }
        var resolved = s_resolved.GetValue(this, filter => filter.Load());
        foreach (var (label, _) in resolved.Keep.Concat(resolved.Remove))
            if (!resolved.Model.Labels.Contains(label))
                yield return (nameof(KeepLabels), $"names the label '{label}', which the model does not know; it knows " +
                    string.Join(", ", resolved.Model.Labels.Take(10)));
    }

    /// <inheritdoc/>
    public override void Apply(WorkingDocument document)
    {
        var resolved = s_resolved.GetValue(this, filter => filter.Load());
        var units = Split(document);
        var sums = new Dictionary<string, double>(StringComparer.Ordinal);
        var kept = new System.Text.StringBuilder();
        var text = document.Text;
        (double Score, double Threshold, bool IsTooMuch) worst = default;
        foreach (var unit in units)
        {
            var predictions = resolved.Model.Predict(resolved.Preparation.Apply(text[unit]), k: -1);
            foreach (var (label, probability) in predictions)
                sums[label] = sums.GetValueOrDefault(label) + probability;
            if (IsKept(resolved, predictions, ref worst))
                kept.Append(text, unit.Start.Value, unit.End.Value - unit.Start.Value);
        }
        if (SaveScores)
            foreach (var (label, sum) in sums)
                document.SetMetadata(label, JsonValue.Create(sum / units.Count));
        if (Unit == ClassifiedUnit.Document)
            State(document, worst);
        else if (!document.RejectIf(Rule, string.IsNullOrWhiteSpace(kept.ToString())))
            document.Rewrite(kept.Length == text.Length ? text : kept.ToString());
    }

    // With several labels the one that decides, or comes closest to it, is stated.
    private static bool IsKept(
        Resolved resolved, FastTextPrediction[] predictions, ref (double Score, double Threshold, bool IsTooMuch) decisive)
    {
        var isRemoval = resolved.Keep.Count == 0;
        var labels = isRemoval ? resolved.Remove : resolved.Keep;
        if (labels.Count == 0)
            return true;
        var lead = double.NegativeInfinity;
        foreach (var (label, threshold) in labels)
        {
            var score = predictions.FirstOrDefault(prediction => prediction.Label == label).Probability;
            if (score - threshold <= lead)
                continue;
            lead = score - threshold;
            decisive = (score, threshold, isRemoval);
        }
        return lead >= 0 != isRemoval;
    }

    private static void State(WorkingDocument document, (double Score, double Threshold, bool IsTooMuch) decisive)
    {
        // Dropped if at least the threshold is dropped if more than the number before it.
        if (decisive.IsTooMuch)
            document.RejectAbove(Rule, decisive.Score, Math.BitDecrement(decisive.Threshold));
        else
            document.RejectBelow(Rule, decisive.Score, decisive.Threshold);
    }

    private List<Range> Split(WorkingDocument document) => Unit switch
    {
        ClassifiedUnit.Paragraph => Paragraphs(document.Text),
        ClassifiedUnit.Sentence => document.View.Sentences,
        _ => [0..document.Text.Length],
    };

    private static List<Range> Paragraphs(string text)
    {
        var paragraphs = new List<Range>();
        var start = 0;
        var isBlank = true;
        for (var i = 0; i < text.Length; i++)
        {
            if (!isBlank && i > 0 && text[i - 1] == '\n' && !IsBlankLine(text, i))
            {
                paragraphs.Add(start..i);
                (start, isBlank) = (i, true);
            }
            isBlank &= char.IsWhiteSpace(text[i]);
        }
        if (start < text.Length)
            paragraphs.Add(start..text.Length);
        return paragraphs;
    }

    private static bool IsBlankLine(string text, int start)
    {
        var end = text.IndexOf('\n', start);
        return text.AsSpan(start..(end < 0 ? text.Length : end)).IsWhiteSpace();
    }

    private Resolved Load()
    {
        var description = Directory.Exists(Model) ? ClassifierDescription.Read(Model) : null;
        var model = LoadedModels.Get(description?.ModelPath(Model) ?? Model);
        var keep = KeepLabels.Count + RemoveLabels.Count == 0 && description is not null
            ? [new LabelThreshold { Label = description.Label, Threshold = description.Threshold }] : KeepLabels;
        return new(
            model, [.. keep.Select(Full)], [.. RemoveLabels.Select(Full)],
            description is null ? new(LowerCase, NewlineReplacement) : new(description.LowerCase, description.NewlineReplacement));

        static (string, double) Full(LabelThreshold item) => (FastTextTrainingSettings.DefaultLabelPrefix + item.Label, item.Threshold);
    }

    private sealed record Resolved(
        FastTextModel Model, IReadOnlyList<(string Label, double Threshold)> Keep,
        IReadOnlyList<(string Label, double Threshold)> Remove, TextPreparation Preparation);
}
