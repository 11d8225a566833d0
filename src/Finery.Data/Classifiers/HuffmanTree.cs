namespace Finery.Data.Classifiers;

/// <summary> The tree of hierarchical softmax. Leaves are the labels; node i of the inner ones has row i of the output matrix. Of
/// two equal counts the inner node is taken, the label only if it is rarer.
/// </summary>
internal sealed class HuffmanTree
{
    private readonly int[] _parents;
    private readonly bool[] _isRight;

    /// <summary>Builds it.</summary>
    /// <param name="counts">Counts of the labels as stored, most frequent first.</param>
    public HuffmanTree(ReadOnlySpan<long> counts)
    {
        LeafCount = counts.Length;
        var size = 2 * LeafCount - 1;
        _parents = new int[size];
        _isRight = new bool[size];
        Children = new (int, int)[LeafCount - 1];
        var weights = new long[size];
        counts.CopyTo(weights);
        // What is not made yet weighs more than any label.
        weights.AsSpan(LeafCount).Fill(1_000_000_000_000_000);
        _parents.AsSpan().Fill(-1);
        var (leaf, node) = (LeafCount - 1, LeafCount);
        for (var i = LeafCount; i < size; i++)
        {
            var left = Lightest(weights, i, ref leaf, ref node);
            var right = Lightest(weights, i, ref leaf, ref node);
            Children[i - LeafCount] = (left, right);
            weights[i] = unchecked(weights[left] + weights[right]);
            _parents[left] = _parents[right] = i;
            _isRight[right] = true;
        }
    }

    /// <summary>Labels.</summary>
    public int LeafCount { get; }

    /// <summary>Both children of each inner node; from <see cref="LeafCount"/> on they are inner nodes themselves.</summary>
    public (int Left, int Right)[] Children { get; }

    /// <summary>Parent of a node; -1 for the root.</summary>
    public int Parent(int node) => _parents[node];

    /// <summary>Whether a node is the right child.</summary>
    public bool IsRight(int node) => _isRight[node];

    // Counts beyond the weight of an unmade node come from a damaged file: an inner node that does not exist yet is not taken.
    private static int Lightest(long[] weights, int made, ref int leaf, ref int node) =>
        leaf >= 0 && (node >= made || weights[leaf] < weights[node]) ? leaf-- : node++;
}
