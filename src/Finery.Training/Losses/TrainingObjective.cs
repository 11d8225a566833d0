using System.ComponentModel;
using Finery.Models.Llama;
using Finery.Training.Losses.Distillation;
using Finery.Training.Losses.MultiToken;

namespace Finery.Training.Losses;

/// <summary>What a run minimises, as a recipe says it; the key <c>objective</c> tells the kinds apart.</summary>
public abstract record TrainingObjective
{
    /// <summary>lambda of a z-loss, <c>lambda logsumexp(z)^2</c> of the next token's logits (usually 1e-4), added to its cross-entropy;
    /// 0 for none.</summary>
    [Description("factor of logsumexp^2 of the logits, added to the cross-entropy of the next token; usually 1e-4, 0 for none")]
    public double ZLoss { get; init; }

    /// <summary>Everything wrong with these settings, with the property each belongs to; empty where nothing is.</summary>
    public virtual IEnumerable<(string Property, string Message)> Validate()
    {
        if (!(ZLoss >= 0 && double.IsFinite(ZLoss))) yield return (nameof(ZLoss), $"{ZLoss} must be a finite number from 0.");
    }

    /// <summary>The loss for a model, with the parameters it has of its own.</summary>
    /// <param name="model">To be trained.</param>
    /// <param name="seed">Of those parameters' initial values.</param>
    /// <exception cref="ArgumentException">The settings are wrong, or do not fit the model; the message lists every fault.</exception>
    /// <exception cref="IOException">A file that the settings name cannot be read.</exception>
    /// <exception cref="InvalidDataException">A file that the settings name is corrupt or does not fit the model.</exception>
    public TrainingLoss CreateLoss(LlamaModel model, ulong seed)
    {
        string[] faults = [.. Validate().Select(fault => $"{fault.Property}: {fault.Message}")];
        if (faults.Length > 0) throw new ArgumentException("Objective: " + string.Join(" ", faults));
        return Create(model, seed);
    }

    /// <summary>The loss, once the settings are known to be right.</summary>
    private protected abstract TrainingLoss Create(LlamaModel model, ulong seed);
}

/// <summary>Cross-entropy of the next token.</summary>
public sealed record NextTokenObjective : TrainingObjective
{
    private protected override TrainingLoss Create(LlamaModel model, ulong seed) => new NextTokenLoss((float)ZLoss);
}

/// <summary>Every objective by the name a recipe uses.</summary>
public static class ObjectiveCatalogue
{
    /// <summary>Recipe name to record type.</summary>
    public static IReadOnlyDictionary<string, Type> Objectives { get; } = new Dictionary<string, Type>
    {
        ["next_token"] = typeof(NextTokenObjective),
        ["multi_token"] = typeof(MultiTokenObjective),
        ["distillation"] = typeof(DistillationObjective),
    };
}
