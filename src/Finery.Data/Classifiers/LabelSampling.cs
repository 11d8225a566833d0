namespace Finery.Data.Classifiers;

/// <summary>What a loss needs to know of the frequencies of the labels; shared by all threads.</summary>
internal sealed class LabelSampling
{
    private const int TableSize = 1_000_000;

    public LabelSampling(FastTextLoss loss, ReadOnlySpan<long> counts)
    {
        if (loss == FastTextLoss.HierarchicalSoftmax)
            Tree = new HuffmanTree(counts);
        if (loss == FastTextLoss.NegativeSampling)
            Negatives = MakeTable(counts);
    }

    /// <summary>The tree of hierarchical softmax.</summary>
    public HuffmanTree? Tree { get; }

    /// <summary>Each label as often as the square root of its count asks for.</summary>
    public int[] Negatives { get; } = [];

    private static int[] MakeTable(ReadOnlySpan<long> counts)
    {
        var sum = 0.0;
        foreach (var count in counts)
            sum += Math.Sqrt(count);
        var table = new List<int>(TableSize + counts.Length);
        for (var label = 0; label < counts.Length; label++)
            for (var i = 0; i < Math.Sqrt(counts[label]) * TableSize / sum; i++)
                table.Add(label);
        return [.. table];
    }
}
