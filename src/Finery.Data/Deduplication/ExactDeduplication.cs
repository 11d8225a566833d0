using System.Text;
using Finery.Data.Filters;

namespace Finery.Data.Deduplication;

/// <summary>
/// Drops every document whose text equals an earlier one's but for white space. Reason <c>exact_duplicate</c>; metadata
/// <c>duplicate_of</c> (id of the one kept) and <c>exact_cluster_size</c>.
/// </summary>
public sealed record ExactDeduplication
{
    /// <summary>For sorting keys; beyond it, sorted runs go to <see cref="TemporaryFolder"/>.</summary>
    public long MemoryBytes { get; init; } = 512L << 20;

    /// <summary>Null for the system's.</summary>
    public string? TemporaryFolder { get; init; }

    /// <summary>Two passes over the documents, which must be enumerable twice with the same result.</summary>
    /// <inheritdoc cref="MinHashDeduplication.Run"/>
    public IEnumerable<(Document Document, string? Reason)> Run(
        IEnumerable<Document> documents, int threads, FilterReport? report = null)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(threads, 1);
        var clusters = new DuplicateClusters();
        using (var sorter = new KeySorter(MemoryBytes, TemporaryFolder))
        {
            foreach (var (document, key) in OrderedParallel.Map(
                documents, d => KeyOf(d.Text), threads, 256, 1 << 20, d => d.Text.Length))
                sorter.Add(new((ulong)(key >> 64), (ulong)key, clusters.Add(document)));
            clusters.UnionEqual(sorter.Sorted());
        }
        foreach (var (document, reason) in clusters.Apply(documents, "exact_duplicate", "exact_cluster_size"))
        {
            report?.Count(document, reason);
            yield return (document, reason);
        }
    }

    /// <summary>128 bits of the text with runs of white space made one space: equal by chance once in 10^38 pairs.</summary>
    internal static UInt128 KeyOf(string text) => HashOf(Normalise(text));

    /// <summary>Runs of white space made one space, none at either end.</summary>
    internal static string Normalise(string text)
    {
        var normalised = new StringBuilder(text.Length);
        foreach (var c in text)
        {
            if (!CharacterSets.IsSpace(c))
                normalised.Append(c);
            else if (normalised.Length > 0 && normalised[^1] != ' ')
                normalised.Append(' ');
        }
        return normalised.Length > 0 && normalised[^1] == ' '
            ? normalised.ToString(0, normalised.Length - 1) : normalised.ToString();
    }

    internal static UInt128 HashOf(ReadOnlySpan<char> text)
    {
        var bytes = new byte[Encoding.UTF8.GetByteCount(text)];
        Encoding.UTF8.GetBytes(text, bytes);
        return new(XxHash64.Hash(bytes), XxHash64.Hash(bytes, seed: 1));
    }
}
