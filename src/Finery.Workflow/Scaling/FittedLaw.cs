using System.Text.Json;
using System.Text.Json.Nodes;
using Finery.Training.Scaling;
using Finery.Workflow.Runs;
using Finery.Workflow.Steps;

namespace Finery.Workflow.Scaling;

/// <summary>Reads a law that was fitted and kept, for planning.</summary>
public static class FittedLaw
{
    /// <summary>A loss law, or power laws through IsoFLOP minima.</summary>
    /// <exception cref="RecipeException">The file is not there or holds neither.</exception>
    public static BudgetLaw Load(string path)
    {
        try
        {
            var json = JsonNode.Parse(File.ReadAllText(path)) as JsonObject ?? [];
            if (json.ContainsKey("law") && json.Deserialize<LossStudy>(RunJson.Indented) is { } study)
                return BudgetLaw.Of(study.Law, "fitted", path, study.LeastOperations, study.MostOperations) with { Counting = study.Counting };
            if (json.ContainsKey("budgets") && json.Deserialize<IsoFlopFit>(RunJson.Indented) is { } minima) return Of(minima, path);
        }
        catch (Exception e) when (e is JsonException or IOException or UnauthorizedAccessException or NotSupportedException)
        {
            throw new RecipeException($"{path} is not a law written by 'finery scaling fit --out': {e.Message}");
        }
        throw new RecipeException($"{path} is not a law of loss or of budgets written by 'finery scaling fit --out'.");
    }

    private static BudgetLaw Of(IsoFlopFit fit, string path) => new(
        "fitted", path, "6 N D = C", fit.Budgets.Min(budget => budget.Operations), fit.Budgets.Max(budget => budget.Operations),
        operations => new(fit.Parameters.At(operations), fit.Tokens.At(operations), double.NaN,
            BudgetLaw.DeepSeekRate.At(operations), BudgetLaw.DeepSeekBatch.At(operations)));
}
