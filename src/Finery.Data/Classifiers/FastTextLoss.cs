namespace Finery.Data.Classifiers;

/// <summary>How the scores of the labels become probabilities, numbered as in fastText's file.</summary>
public enum FastTextLoss
{
    /// <summary>A binary decision at each node of a Huffman tree over the labels: fast with very many of them.</summary>
    HierarchicalSoftmax = 1,

    /// <summary>Each label a binary decision, trained against a few labels drawn at random.</summary>
    NegativeSampling = 2,

    /// <summary>Probabilities that add up to 1.</summary>
    Softmax = 3,

    /// <summary>Each label a binary decision, trained against all others: for texts with several labels.</summary>
    OneVsAll = 4,
}
