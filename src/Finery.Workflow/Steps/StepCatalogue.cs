namespace Finery.Workflow.Steps;

/// <summary>Every step by the name that recipes and the command line use.</summary>
public static class StepCatalogue
{
    /// <summary>Name to record type.</summary>
    public static IReadOnlyDictionary<string, Type> Steps { get; } = new Dictionary<string, Type>
    {
    };
}
