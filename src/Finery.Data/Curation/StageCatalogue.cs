using Finery.Data.Curation.Attributes;
using Finery.Data.Curation.Statistics;
using Finery.Data.Filters;

namespace Finery.Data.Curation;

/// <summary>Every stage by the name a recipe uses: the filters, and what looks across documents.</summary>
public static class StageCatalogue
{
    /// <summary>Recipe name to record type.</summary>
    public static IReadOnlyDictionary<string, Type> Stages { get; } = new Dictionary<string, Type>(FilterCatalogue.Filters)
    {
        ["attribute_join"] = typeof(AttributeJoinStage),
        ["mix"] = typeof(MixStage),
        ["statistics"] = typeof(StatisticsStage),
    };
}
