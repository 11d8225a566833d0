namespace Finery.Data.Filters;

/// <summary>
/// Repeats documents by how many duplicates they had, as FineWeb-2 does: the copies of the largest cluster size in the table
/// that is not above <c>minhash_cluster_size</c>. A document without that metadata counts as a cluster of one.
/// </summary>
public sealed record RehydrateFilter : DocumentFilter
{
    private readonly SortedList<long, int> _weights = new() { [1] = 1, [2] = 2, [3] = 3, [5] = 5, [100] = 8, [1000] = 1 };

    /// <summary>Cluster size to copies, as <c>size:copies</c>.</summary>
    /// <exception cref="ArgumentException">An entry is none, sizes repeat, or the list is empty.</exception>
    public IReadOnlyList<string> Weights
    {
        get => [.. _weights.Select(w => $"{w.Key}:{w.Value}")];
        init => _weights = Parse(value);
    }

    /// <summary>Key of the cluster size.</summary>
    public string Key { get; init; } = "minhash_cluster_size";

    /// <inheritdoc/>
    public override void Apply(WorkingDocument document) => document.Copies *= CopiesOf(
        (long)Math.Max(1, MetadataFilter.NumberOf(document.Document.Metadata[Key]) ?? 1));

    /// <summary>Copies for a cluster size; 1 below the smallest in the table.</summary>
    internal int CopiesOf(long size)
    {
        var copies = 1;
        foreach (var (least, weight) in _weights)
        {
            if (least > size)
                break;
            copies = weight;
        }
        return copies;
    }

    private static SortedList<long, int> Parse(IReadOnlyList<string> entries)
    {
        var weights = new SortedList<long, int>();
        foreach (var entry in entries)
            if (entry.Split(':') is not [var size, var copies] || !long.TryParse(size, out var least) || least < 1
                || !int.TryParse(copies, out var weight) || weight < 0 || !weights.TryAdd(least, weight))
                throw new ArgumentException(
                    $"weights: '{entry}' is not a new cluster size and its copies, such as 5:5.", nameof(entries));
        return weights.Count > 0 ? weights : throw new ArgumentException("weights needs at least one entry.", nameof(entries));
    }
}
