namespace Finery.Data.Filters;

/// <summary>Every filter by the name a recipe uses.</summary>
public static class FilterCatalogue
{
    /// <summary>Recipe name to record type.</summary>
    public static IReadOnlyDictionary<string, Type> Filters { get; } = new Dictionary<string, Type>
    {
    };
}
