using Finery.Models;

namespace Finery.Training.Scaling;

/// <summary>What a law makes of a budget.</summary>
/// <param name="Parameters">N, as the law counts them.</param>
/// <param name="Tokens">D.</param>
/// <param name="Loss">Predicted, nats per token; NaN where the law says nothing of it.</param>
/// <param name="LearningRate">Peak.</param>
/// <param name="BatchTokens">Tokens of a step.</param>
public readonly record struct BudgetPlan(double Parameters, double Tokens, double Loss, double LearningRate, double BatchTokens);

/// <summary>A published law of what to make of C operations (reference 6), or a fitted one.</summary>
/// <param name="Name">Short.</param>
/// <param name="Source">Where it was published.</param>
/// <param name="Counting">What its N counts.</param>
/// <param name="LeastOperations">Of the runs it was fitted to; 0 if unknown.</param>
/// <param name="MostOperations">Of the runs it was fitted to; infinite if unknown.</param>
/// <param name="Plan">Size, tokens and loss for a budget; and, if the law has them, rate and batch.</param>
public sealed record BudgetLaw(
    string Name, string Source, string Counting, double LeastOperations, double MostOperations, Func<double, BudgetPlan> Plan)
{
    /// <summary>Peak learning rate for C operations, DeepSeek LLM; also that of laws that give none.</summary>
    public static PowerLaw DeepSeekRate { get; } = new(0.3118, -0.1250);

    /// <summary>Tokens of a batch for C operations, DeepSeek LLM; also that of laws that give none.</summary>
    public static PowerLaw DeepSeekBatch { get; } = new(0.2920, 0.3271);

    /// <summary>N of a shape as the law counts it, trained on rows of so many tokens.</summary>
    public Func<ModelConfig, int, double> SizeOf { get; init; } = (shape, _) => shape.ParameterCount;

    /// <summary>Hoffmann et al. 2022, approach 3.</summary>
    public static BudgetLaw Chinchilla { get; } = Of(
        ScalingLaw.Chinchilla, "chinchilla", "Hoffmann et al. 2022, approach 3", 6e18, 3e21);

    /// <summary>Besiroglu et al. 2024.</summary>
    public static BudgetLaw Refit { get; } = Of(ScalingLaw.Refit, "refit", "Besiroglu et al. 2024, same runs", 6e18, 3e21);

    /// <summary>DeepSeek LLM: sizes in operations per token without embeddings, M; N is given as M / 6.</summary>
    public static BudgetLaw DeepSeek { get; } = new(
        "deepseek", "DeepSeek LLM, arXiv 2401.02954", "non-embedding operations per token / 6", 1e17, 3e20,
        operations => new(ModelOperations(operations) / 6, new PowerLaw(5.8316, 0.4757).At(operations), double.NaN,
            DeepSeekRate.At(operations), DeepSeekBatch.At(operations)))
    {
        SizeOf = (shape, length) => shape.TrainingFlopsPerToken(length) / 6 - (double)shape.VocabSize * shape.EmbeddingSize,
    };

    /// <summary>Moonlight's law for AdamW.</summary>
    public static BudgetLaw Moonlight { get; } = new(
        "moonlight", "Moonlight, arXiv 2502.16982, AdamW", "without embeddings", 2e19, 4e20,
        operations => new(new PowerLaw(0.0483359, 0.5112684).At(operations), new PowerLaw(3.4480927, 0.4887316).At(operations),
            double.NaN,
            new PowerLaw(0.0127339, -0.0574752).At(operations), new PowerLaw(0.0065202, 0.4137915).At(operations)))
    {
        SizeOf = (shape, _) => shape.ParameterCount - (double)shape.VocabSize * shape.EmbeddingSize * (shape.TieEmbeddings ? 1 : 2),
    };

    /// <summary>All published ones.</summary>
    public static IReadOnlyList<BudgetLaw> Published => [Chinchilla, Refit, DeepSeek, Moonlight];

    /// <summary>DeepSeek's M: non-embedding operations per token.</summary>
    public static double ModelOperations(double operations) => new PowerLaw(0.1715, 0.5243).At(operations);

    /// <summary>A loss law; rate and batch are DeepSeek's.</summary>
    public static BudgetLaw Of(ScalingLaw law, string name, string source, double least, double most) =>
        new(name, source, "all parameters", least, most, operations =>
        {
            var (parameters, tokens) = law.Optimum(operations);
            return new(parameters, tokens, law.Loss(parameters, tokens), DeepSeekRate.At(operations),
                DeepSeekBatch.At(operations));
        });

    /// <summary>Why its answer for a budget is a guess; null if it is not.</summary>
    public string? Warning(double operations)
    {
        if (operations < LeastOperations)
            return FormattableString.Invariant($"{Name}: fitted from {LeastOperations:0.#e0} operations up");
        return operations > MostOperations
            ? FormattableString.Invariant($"{Name}: fitted up to {MostOperations:0.#e0} operations") : null;
    }
}
