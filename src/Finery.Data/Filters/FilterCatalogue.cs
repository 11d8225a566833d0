using Finery.Data.Extraction;
using Finery.Data.Filters.Formatters;
using Finery.Data.Filters.Urls;

namespace Finery.Data.Filters;

/// <summary>Every filter by the name a recipe uses.</summary>
public static class FilterCatalogue
{
    /// <summary>Recipe name to record type.</summary>
    public static IReadOnlyDictionary<string, Type> Filters { get; } = new Dictionary<string, Type>
    {
        ["alphabetic"] = typeof(AlphabeticFilter),
        ["c4_bad_words"] = typeof(C4BadWordsFilter),
        ["c4_paragraph"] = typeof(C4ParagraphFilter),
        ["c4_quality"] = typeof(C4QualityFilter),
        ["extract"] = typeof(ExtractFilter),
        ["fineweb_quality"] = typeof(FineWebQualityFilter),
        ["ftfy"] = typeof(TextRepair),
        ["gopher_quality"] = typeof(GopherQualityFilter),
        ["gopher_repetition"] = typeof(GopherRepetitionFilter),
        ["language_url"] = typeof(LanguageUrlFilter),
        ["length"] = typeof(LengthFilter),
        ["pii"] = typeof(PiiFormatter),
        ["placeholder"] = typeof(PlaceholderFilter),
        ["prose"] = typeof(ProseFilter),
        ["symbol_lines"] = typeof(SymbolLinesFormatter),
        ["url"] = typeof(UrlFilter),
    };
}
