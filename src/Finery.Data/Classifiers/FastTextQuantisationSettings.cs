namespace Finery.Data.Classifiers;

/// <summary>How a model is made small (Joulin et al., "FastText.zip", arXiv 1612.03651); defaults of fastText's
/// <c>quantize</c>.</summary>
public sealed record FastTextQuantisationSettings
{
    /// <summary>Components that share one byte.</summary>
    public int PartSize { get; init; } = 2;

    /// <summary>Whether the lengths of the vectors are quantised apart from their directions.</summary>
    public bool QuantiseNorms { get; init; }

    /// <summary>Whether the output matrix is quantised too; it needs at least 256 labels.</summary>
    public bool QuantiseOutput { get; init; }

    /// <summary>Vectors of words and n-grams that are kept, the longest; 0 for all.</summary>
    public int Cutoff { get; init; }

    /// <summary>Passes over the training examples with the vectors that were kept, before they are quantised; 0 for
    /// none.</summary>
    public int RetrainEpochs { get; init; }

    /// <summary>Step size of those passes.</summary>
    public double RetrainLearningRate { get; init; } = 0.05;

    /// <summary>Seed of the choice of centroids.</summary>
    public int Seed { get; init; } = 1234;
}
