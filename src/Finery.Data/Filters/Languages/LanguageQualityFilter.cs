using System.Text.Json.Nodes;
using Finery.Data.Classifiers;

namespace Finery.Data.Filters.Languages;

/// <summary>
/// FineWeb-2's rules with the thresholds of each document's own language (metadata <c>language</c> and <c>language_script</c>, or
/// a label such as <c>fra_Latn</c>): the identifier's least score, reason <c>language_score</c>, then Gopher repetition, FineWeb
/// quality and Gopher quality. A language without settings: <c>no_language_settings</c>.
/// </summary>
public sealed record LanguageQualityFilter : DocumentFilter
{
    private OnDemand<IReadOnlyList<Route>> _routes;

    /// <summary>JSON file of settings by label; null for those that come with Finery (Arabic, English, French, Thai).</summary>
    public string? SettingsFile { get; init; }

    /// <summary>What cannot work.</summary>
    public IEnumerable<(string Property, string Message)> Validate()
    {
        if (SettingsFile is not null && !File.Exists(SettingsFile))
            yield return (nameof(SettingsFile), $"names no file: '{SettingsFile}'");
    }

    /// <inheritdoc/>
    public override void Apply(WorkingDocument document)
    {
        var language = document.GetMetadata("language") ?? "";
        var label = LanguageLabel.Parse(
            document.GetMetadata("language_script") is { } script ? $"{language}_{script}" : language);
        var route = _routes.Get(this, filter => filter.Load()).FirstOrDefault(route => label.Matches(route.Label));
        if (document.RejectIf("no_language_settings", route is null) || route is null)
            return;
        var score = document.Document.Metadata["language_score"] is JsonValue value && value.TryGetValue(out double number)
            ? number : 0;
        if (document.RejectBelow("language_score", score, route.LeastScore))
            return;
        foreach (var filter in route.Filters)
        {
            filter.Apply(document);
            if (document is { Reason: not null, MeasureAll: false })
                return;
        }
    }

    private IReadOnlyList<Route> Load() =>
    [
        .. (SettingsFile is null ? LanguageSettings.Bundled : LanguageSettings.Load(SettingsFile)).Select(settings =>
            new Route(LanguageLabel.Parse(settings.Key), settings.Value.LanguageScore,
                settings.Value.QualityFilters(settings.Key))),
    ];

    private sealed record Route(LanguageLabel Label, double LeastScore, IReadOnlyList<DocumentFilter> Filters);
}
