using Finery.Data.Classifiers;

namespace Finery.Data.Filters;

/// <summary>Every filter by the name a recipe uses.</summary>
public static class FilterCatalogue
{
    /// <summary>Recipe name to record type.</summary>
    public static IReadOnlyDictionary<string, Type> Filters { get; } = new Dictionary<string, Type>
    {
        ["alphabetic"] = typeof(AlphabeticFilter),
        ["classifier"] = typeof(ClassifierFilter),
        ["fineweb_quality"] = typeof(FineWebQualityFilter),
        ["gopher_quality"] = typeof(GopherQualityFilter),
        ["gopher_repetition"] = typeof(GopherRepetitionFilter),
        ["language"] = typeof(LanguageFilter),
        ["length"] = typeof(LengthFilter),
        ["placeholder"] = typeof(PlaceholderFilter),
        ["prose"] = typeof(ProseFilter),
    };
}
