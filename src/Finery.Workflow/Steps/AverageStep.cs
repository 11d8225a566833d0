using System.ComponentModel;
using Finery.Data.Tokenizers;
using Finery.Models;
using Finery.Models.Weights;
using Finery.Training.Averaging;

namespace Finery.Workflow.Steps;

/// <summary>Averages the weights of models of one shape: checkpoints of an annealing, runs over other data, or a soup with shares
/// (pretraining reference 3; SmolLM3 is 0.9 of a soup and 0.1 of an earlier checkpoint).</summary>
[Description("Average the weights of models of one shape")]
public sealed record AverageStep : Step
{
    /// <summary>What is averaged; configuration, tokenizer and stored types are those of the first.</summary>
    [Input(ArtifactKind.Model), Description("models to average; all have one shape and one tokenizer")]
    public required IReadOnlyList<Artifact> Models { get; init; }

    /// <summary>Share of each model; equal shares where none are given.</summary>
    [Description("share of each model, summing to 1; default: equal shares")]
    public IReadOnlyList<double> Weights { get; init; } = [];

    /// <summary>How the average is stored.</summary>
    [Description("type weights are stored in; default: that of the first model")]
    public SafeTensorType? Type { get; init; }

    /// <inheritdoc/>
    public override IReadOnlyList<StepOutput> Outputs => [new("model", ArtifactKind.Model)];

    /// <inheritdoc/>
    public override IEnumerable<(string Property, string Message)> Validate()
    {
        if (Models.Count == 0) yield return (nameof(Models), "at least one model is needed.");
        if (Weights.Count == 0) yield break;
        if (Weights.Count != Models.Count)
            yield return (nameof(Weights), FormattableString.Invariant($"there are {Weights.Count} weights for {Models.Count} models."));
        if (Weights.Any(weight => !(weight >= 0))) yield return (nameof(Weights), "no weight may be negative.");
        else if (Math.Abs(Weights.Sum() - 1) > 1e-6)
            yield return (nameof(Weights), FormattableString.Invariant($"they sum to {Weights.Sum()}; they must sum to 1."));
    }

    /// <inheritdoc/>
    public override void Run(StepContext context)
    {
        var tokenizer = TokenizerFile.Load(Models[0].Path);
        foreach (var artifact in Models.Skip(1))
        {
            if (TokenizerFile.Load(artifact.Path).Fingerprint != tokenizer.Fingerprint)
                throw new RecipeException($"{artifact.Path} has another tokenizer than {Models[0].Path}: their weights do not mean the same.");
        }
        var weighted = Weights.Count == 0
            ? CheckpointAverage.Uniform([.. Models.Select(artifact => artifact.Path)])
            : [.. Models.Zip(Weights, (artifact, weight) => new WeightedModel(artifact.Path, weight))];
        string folder = context.Output("model");
        try
        {
            CheckpointAverage.Merge(
                weighted, folder, Type, new Dictionary<string, string> { ["format"] = "pt", ["finery.stage"] = "average" }, context.Stop);
        }
        catch (ArgumentException exception)
        {
            throw new RecipeException(exception.Message);
        }
        TokenizerFile.Save(tokenizer, folder);
        context.Summary["models"] = Models.Count;
        context.Summary["parameters"] = ModelConfig.Load(folder).ParameterCount;
        foreach (var model in weighted) context.Log(FormattableString.Invariant($"{model.Weight:0.####} x {model.Folder}"));
    }
}
