using Finery.Data.Classifiers;
using Finery.Data.Curation.Attributes;
using Finery.Data.Extraction;
using Finery.Data.Filters.Decontamination;
using Finery.Data.Filters.Formatters;
using Finery.Data.Filters.Unigrams;
using Finery.Data.Filters.Languages;
using Finery.Data.Filters.Urls;

namespace Finery.Data.Filters;

/// <summary>Every filter by the name a recipe uses.</summary>
public static class FilterCatalogue
{
    /// <summary>Recipe name to record type.</summary>
    public static IReadOnlyDictionary<string, Type> Filters { get; } = new Dictionary<string, Type>
    {
        ["alphabetic"] = typeof(AlphabeticFilter),
        ["attribute"] = typeof(AttributeFilter),
        ["c4_bad_words"] = typeof(C4BadWordsFilter),
        ["c4_paragraph"] = typeof(C4ParagraphFilter),
        ["c4_quality"] = typeof(C4QualityFilter),
        ["classifier"] = typeof(ClassifierFilter),
        ["decontamination"] = typeof(DecontaminationFilter),
        ["dirty_words"] = typeof(DirtyWordsFilter),
        ["extract"] = typeof(ExtractFilter),
        ["fineweb_quality"] = typeof(FineWebQualityFilter),
        ["ftfy"] = typeof(TextRepair),
        ["gopher_quality"] = typeof(GopherQualityFilter),
        ["gopher_repetition"] = typeof(GopherRepetitionFilter),
        ["integer_score"] = typeof(IntegerScoreAnnotator),
        ["language"] = typeof(LanguageFilter),
        ["language_quality"] = typeof(LanguageQualityFilter),
        ["language_url"] = typeof(LanguageUrlFilter),
        ["length"] = typeof(LengthFilter),
        ["metadata"] = typeof(MetadataFilter),
        ["ngram_coverage"] = typeof(NGramCoverageFilter),
        ["pii"] = typeof(PiiFormatter),
        ["placeholder"] = typeof(PlaceholderFilter),
        ["prose"] = typeof(ProseFilter),
        ["regex"] = typeof(RegexFilter),
        ["rehydrate"] = typeof(RehydrateFilter),
        ["sampler"] = typeof(SamplerFilter),
        ["symbol_lines"] = typeof(SymbolLinesFormatter),
        ["token_count"] = typeof(TokenCountFilter),
        ["token_distribution"] = typeof(TokenDistributionFilter),
        ["unigram_log_prob"] = typeof(UnigramLogProbabilityFilter),
        ["url"] = typeof(UrlFilter),
    };
}
