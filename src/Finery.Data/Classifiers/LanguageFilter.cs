using System.Runtime.CompilerServices;
using System.Text.Json.Nodes;
using Finery.Data.Filters;

namespace Finery.Data.Classifiers;

/// <summary>
/// Names the language of a document by a fastText model and drops those in other languages, as datatrove's language filter does. Writes
/// <c>language</c> and <c>language_score</c>, and <c>language_script</c> where labels carry one (GlotLID's <c>eng_Latn</c>). Reason
/// <c>language</c>; the published code gives none.
/// </summary>
/// <remarks>Without <see cref="Languages"/> every language passes that the model is sure of: FineWeb asks for <c>en</c>.</remarks>
public sealed record LanguageFilter : DocumentFilter
{
    private const string Rule = "language";

    // Beside the record and not in it: a copy with other settings must not inherit what these stand for.
    private static readonly ConditionalWeakTable<LanguageFilter, Resolved> s_resolved = [];

    /// <summary>A fastText language identifier such as <c>lid.176.bin</c>, <c>lid.176.ftz</c> or GlotLID's; null for the one that comes
    /// with Finery (38 languages).</summary>
    public string? Model { get; init; }

    /// <summary>Languages to keep, as ISO 639-1 or 639-3, with or without script or region: <c>en</c> also means <c>eng_Latn</c>, and
    /// <c>pt</c> both <c>pt_BR</c> and <c>pt_PT</c>, whose scores add up. Empty: whatever the model is sure of.</summary>
    public IReadOnlyList<string> Languages { get; init; } = [];

    /// <summary>Kept if the score of a language asked for, or without any the best score, is greater than this: a score equal to it
    /// is dropped.</summary>
    public double LanguageThreshold { get; init; } = 0.65;

    /// <summary>Whether documents are only labelled and all kept.</summary>
    public bool LabelOnly { get; init; }

    /// <summary>Labels of greater score are written as <c>top_language_{label}_score</c>; null for none.</summary>
    public double? KeepTopLanguagesAbove { get; init; }

    /// <summary>What cannot work.</summary>
    public IEnumerable<(string Property, string Message)> Validate()
    {
        if (!(LanguageThreshold is >= 0 and <= 1))
            yield return (nameof(LanguageThreshold), "is from 0 to 1");
        if (Model is not null && !File.Exists(Model))
            yield return (nameof(Model), $"names no file: '{Model}'");
        else
            foreach (var language in UnknownLanguages())
                yield return (nameof(Languages), $"asks for '{language}', which the model does not know");
    }

    /// <inheritdoc/>
    public override void Apply(WorkingDocument document)
    {
        var resolved = s_resolved.GetValue(this, filter => filter.Load());
        var predictions = resolved.Model.Predict(document.Text, k: -1);
        Annotate(document, resolved, predictions);
        if (LabelOnly)
            return;
        var score = 0.0;
        foreach (var group in resolved.Wanted)
        {
            var sum = 0.0;
            foreach (var (label, probability) in predictions)
                sum += group.Contains(label) ? probability : 0;
            score = Math.Max(score, sum);
        }
        if (Languages.Count == 0 && predictions.Length > 0)
            score = predictions[0].Probability;
        // Greater than the threshold is at least the next number after it.
        document.RejectBelow(Rule, score, Math.BitIncrement(LanguageThreshold));
    }

    private void Annotate(WorkingDocument document, Resolved resolved, FastTextPrediction[] predictions)
    {
        if (predictions.Length == 0)
            return;
        var best = resolved.Labels[predictions[0].Label];
        document.SetMetadata("language", best.Script is null ? best.Name : best.Language);
        document.SetMetadata("language_score", JsonValue.Create(predictions[0].Probability));
        if (best.Script is not null)
            document.SetMetadata("language_script", best.Script);
        if (KeepTopLanguagesAbove is not { } threshold)
            return;
        foreach (var (label, probability) in predictions)
            if (probability > threshold)
                document.SetMetadata($"top_language_{resolved.Labels[label].Name}_score", JsonValue.Create(probability));
    }

    private IEnumerable<string> UnknownLanguages()
    {
        if (Languages.Count == 0)
            return [];
        var labels = s_resolved.GetValue(this, filter => filter.Load()).Labels.Values;
        return Languages.Where(language => !labels.Any(label => label.Matches(LanguageLabel.Parse(language))));
    }

    private Resolved Load()
    {
        var model = Model is null ? LoadedModels.Language : LoadedModels.Get(Model);
        var labels = model.Labels.Distinct().ToDictionary(label => label, LanguageLabel.Parse, StringComparer.Ordinal);
        var wanted = Languages.Select(language => LanguageLabel.Parse(language)).Select(
            language => labels.Where(label => label.Value.Matches(language)).Select(label => label.Key).ToHashSet());
        return new(model, labels, [.. wanted]);
    }

    // For each language asked for, the labels that match it.
    private sealed record Resolved(
        FastTextModel Model, Dictionary<string, LanguageLabel> Labels, IReadOnlyList<HashSet<string>> Wanted);
}
