using Finery.Data.Curation.Attributes;
using Finery.Data.Curation.Statistics;
using Finery.Data.Deduplication.Bloom;
using Finery.Data.Deduplication.Exact;
using Finery.Data.Deduplication.MinHash;
using Finery.Data.Deduplication.Spans;
using Finery.Data.Deduplication.Substrings;
using Finery.Data.Filters;

namespace Finery.Data.Curation;

/// <summary>Every stage by the name a recipe uses: the filters, and what looks across documents.</summary>
public static class StageCatalogue
{
    /// <summary>Recipe name to record type.</summary>
    public static IReadOnlyDictionary<string, Type> Stages { get; } = new Dictionary<string, Type>(FilterCatalogue.Filters)
    {
        ["attribute_join"] = typeof(AttributeJoinStage),
        ["attribute_write"] = typeof(AttributeWriteStage),
        ["bloom_dedup"] = typeof(BloomStage),
        ["ccnet_lines"] = typeof(CcNetStage),
        ["exact"] = typeof(ExactStage),
        ["line_dedup"] = typeof(LineStage),
        ["minhash"] = typeof(MinHashStage),
        ["mix"] = typeof(MixStage),
        ["paragraph_dedup"] = typeof(ParagraphStage),
        ["sentence_dedup"] = typeof(SentenceStage),
        ["statistics"] = typeof(StatisticsStage),
        ["substring_dedup"] = typeof(SubstringStage),
        ["url_dedup"] = typeof(UrlDeduplicationStage),
    };

    /// <summary>Recipe name of a stage; of one that is not listed, its type's name.</summary>
    public static string NameOf(CurationStage stage) =>
        Stages.FirstOrDefault(pair => pair.Value == stage.GetType()).Key ?? stage.GetType().Name;
}
