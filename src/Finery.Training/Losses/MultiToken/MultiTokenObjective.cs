using System.ComponentModel;
using Finery.Models.Llama;

namespace Finery.Training.Losses.MultiToken;

/// <summary>What predicts the tokens further ahead.</summary>
public enum MultiTokenForm
{
    /// <summary>A decoder layer for each, beside the model's last one, on the same stream (Gloeckle et al. 2024). The model's final norm and
    /// output head follow each of them: they are shared, as the trunk is.</summary>
    Independent,

    /// <summary>A chain of modules behind the model's last layer, each reading the token before the one it predicts (DeepSeek-V3).</summary>
    Sequential,

    /// <summary>The output head itself: one softmax is compared with all tokens. No parameters.</summary>
    Shared,
}

/// <summary>Multi-token prediction (pretraining reference 4.1). The exported model is the one that predicts the next token; what predicts
/// the others is kept beside it as <c>mtp.safetensors</c>. Below about 3B parameters no gain is to be expected.</summary>
public sealed record MultiTokenObjective : TrainingObjective
{
    private const int Most = 16;

    /// <summary>What predicts them.</summary>
    [Description("what predicts the tokens further ahead")]
    public MultiTokenForm Form { get; init; } = MultiTokenForm.Sequential;

    /// <summary>Tokens predicted beyond the next one: n - 1 independent heads, or D modules.</summary>
    [Description("tokens predicted beyond the next one")]
    public int Ahead { get; init; } = 1;

    /// <summary>Factor on all weights; null for 0.3 of sequential modules, 1 otherwise. 0 trains as without them, to the bit.</summary>
    [Description("factor on all their weights; default 0.3 of sequential modules, otherwise 1")]
    public double? Lambda { get; init; }

    /// <summary>Weight of each token's mean cross-entropy beside that of the next token, which has 1; null for 1 each of independent heads,
    /// 1/D each of sequential modules, and 1/2, 1/4, ... of a shared head.</summary>
    [Description("weight of each, beside 1 of the next token")]
    public IReadOnlyList<double>? Weights { get; init; }

    /// <summary>Weights over the run, instead of <see cref="Weights"/> and <see cref="Lambda"/>.</summary>
    [Description("weights over the run, instead of weights and lambda")]
    public IReadOnlyList<WeightPoint>? Schedule { get; init; }

    /// <inheritdoc/>
    public override IEnumerable<(string Property, string Message)> Validate()
    {
        foreach (var fault in base.Validate()) yield return fault;
        if (Ahead is < 1 or > Most) yield return (nameof(Ahead), $"{Ahead} tokens ahead; expected 1 to {Most}.");
        if (Lambda is { } lambda && !(lambda >= 0 && double.IsFinite(lambda)))
            yield return (nameof(Lambda), $"{lambda} must be a finite number from 0.");
        if (Weights is { } weights && (weights.Count != Ahead || weights.Any(weight => !(weight >= 0 && double.IsFinite(weight)))))
            yield return (nameof(Weights), $"[{string.Join(", ", weights)}]; expected {Ahead} finite numbers from 0, one for each token ahead.");
        if (Schedule is null) yield break;
        if (Weights is not null || Lambda is not null)
            yield return (nameof(Schedule), "it gives the weights: leave out 'weights' and 'lambda'.");
        if (Schedule.Count == 0) yield return (nameof(Schedule), "it has no points.");
        foreach (string fault in WeightPoint.Faults(Schedule, Ahead)) yield return (nameof(Schedule), fault);
    }

    /// <summary>The weight of the token <paramref name="index"/> + 2 ahead: a function of the step alone.</summary>
    internal double WeightAt(int index, long step, long totalSteps)
    {
        if (Schedule is not null) return WeightPoint.Of(Schedule, index, step / (double)totalSteps);
        double lambda = Lambda ?? (Form == MultiTokenForm.Sequential ? 0.3 : 1);
        return lambda * (Weights?[index] ?? Form switch
        {
            MultiTokenForm.Sequential => 1.0 / Ahead,
            MultiTokenForm.Shared => 1 / Math.Pow(2, index + 1),
            _ => 1,
        });
    }

    /// <summary>All that decides results, in words.</summary>
    internal string Description => $"multi token {Form} ahead={Ahead} weights=" + (Schedule is null
        ? WeightPoint.Describe(Enumerable.Range(0, Ahead).Select(index => WeightAt(index, 0, 1)))
        : WeightPoint.Describe(Schedule));

    private protected override TrainingLoss Create(LlamaModel model, ulong seed) => new MultiTokenLoss(this, model, seed);
}
