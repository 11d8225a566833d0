namespace Finery.Training.Optimizers;

/// <summary>Every optimizer by the name a recipe uses.</summary>
public static class OptimizerCatalogue
{
    /// <summary>Recipe name to record type.</summary>
    public static IReadOnlyDictionary<string, Type> Optimizers { get; } = new Dictionary<string, Type>
    {
        ["adamw"] = typeof(AdamWOptimizerSettings),
        ["muon"] = typeof(MuonOptimizerSettings),
        ["sgd"] = typeof(SgdOptimizerSettings),
    };
}
