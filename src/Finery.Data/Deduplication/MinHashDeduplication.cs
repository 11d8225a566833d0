using System.Runtime.InteropServices;
using Finery.Data.Filters;

namespace Finery.Data.Deduplication;

/// <summary>
/// Drops near-duplicates: documents whose MinHash signatures agree in a whole bucket, directly or through others; the first of
/// each cluster is kept. Texts with fewer words than a shingle have no signature and are always kept. Reason
/// <c>near_duplicate</c>; metadata <c>duplicate_of</c> and <c>minhash_cluster_size</c>.
/// </summary>
/// <remarks>
/// Two texts of Jaccard similarity s share a bucket with probability 1-(1-s^r)^b for b buckets of r hashes: 0.56 at s = 0.7, 0.92
/// at 0.8 with the defaults. Signatures equal datatrove's; it keeps the root of its union-find, Finery the first by position.
/// </remarks>
public sealed record MinHashDeduplication
{
    /// <summary>Words per shingle.</summary>
    public int ShingleWords { get; init; } = 5;

    /// <summary>Buckets, b.</summary>
    public int Buckets { get; init; } = 14;

    /// <summary>Hashes per bucket, r.</summary>
    public int HashesPerBucket { get; init; } = 8;

    /// <summary>Of the hash functions.</summary>
    public uint Seed { get; init; } = 1;

    /// <summary>Hash of the shingles.</summary>
    public ShingleHash Hash { get; init; } = ShingleHash.XxHash64;

    /// <summary>
    /// Above zero, a candidate is dropped only if the exact Jaccard similarity of its shingles with those of a kept document
    /// is at least this; chains of merely similar documents then no longer collapse into one.
    /// </summary>
    public double VerifiedJaccard { get; init; }

    /// <summary>For sorting keys; beyond it, sorted runs go to <see cref="TemporaryFolder"/>.</summary>
    public long MemoryBytes { get; init; } = 512L << 20;

    /// <summary>Null for the system's.</summary>
    public string? TemporaryFolder { get; init; }

    /// <summary>Finds and marks duplicates. Lazy, ordered, and the same for any number of threads.</summary>
    /// <param name="documents">Enumerated twice (three times when verifying); must be the same each time.</param>
    /// <param name="threads">For signatures.</param>
    /// <param name="report">Where to count; complete once the enumeration ends.</param>
    /// <returns>Every document with the reason to drop it, or null to keep it.</returns>
    /// <exception cref="InvalidOperationException">The second enumeration differs from the first.</exception>
    public IEnumerable<(Document Document, string? Reason)> Run(
        IEnumerable<Document> documents, int threads, FilterReport? report = null)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(threads, 1);
        var hasher = CreateHasher();
        var clusters = new DuplicateClusters();
        using (var sorter = new KeySorter(MemoryBytes, TemporaryFolder))
        {
            foreach (var (document, keys) in Map(documents, d => KeysOf(hasher, hasher.Shingles(d.Text)), threads))
            {
                var index = clusters.Add(document);
                foreach (var key in keys)
                    sorter.Add(new((ulong)(key >> 64), (ulong)key, index));
            }
            clusters.UnionEqual(sorter.Sorted());
        }
        if (VerifiedJaccard > 0)
            Verify(documents, threads, hasher, clusters);
        foreach (var (document, reason) in clusters.Apply(documents, "near_duplicate", "minhash_cluster_size"))
        {
            report?.Count(document, reason);
            yield return (document, reason);
        }
    }

    internal MinHasher CreateHasher()
    {
        if (Buckets < 1 || HashesPerBucket < 1)
            throw new ArgumentException($"MinHash needs at least one bucket and one hash, not {Buckets} and {HashesPerBucket}.");
        return new(ShingleWords, checked(Buckets * HashesPerBucket), Seed, Hash);
    }

    /// <summary>One key per bucket: 128 bits of its hashes, mixed with its number. None for a text without shingles.</summary>
    internal UInt128[] KeysOf(MinHasher hasher, List<ulong> shingles)
    {
        if (shingles.Count == 0)
            return [];
        var signature = new ulong[hasher.Count];
        hasher.Sign(CollectionsMarshal.AsSpan(shingles), signature);
        var keys = new UInt128[Buckets];
        for (var bucket = 0; bucket < Buckets; bucket++)
        {
            var bytes = MemoryMarshal.AsBytes(signature.AsSpan(bucket * HashesPerBucket, HashesPerBucket));
            keys[bucket] = new(XxHash64.Hash(bytes, (ulong)bucket * 2), XxHash64.Hash(bytes, (ulong)bucket * 2 + 1));
        }
        return keys;
    }

    /// <summary>Exact Jaccard similarity of two ascending lists without repeats.</summary>
    internal static double Jaccard(ReadOnlySpan<ulong> a, ReadOnlySpan<ulong> b)
    {
        int common = 0, i = 0, j = 0;
        while (i < a.Length && j < b.Length)
        {
            if (a[i] == b[j])
            {
                common++;
                i++;
                j++;
            }
            else if (a[i] < b[j])
                i++;
            else
                j++;
        }
        return a.Length + b.Length == 0 ? 0 : (double)common / (a.Length + b.Length - common);
    }

    /// <summary>Distinct shingles, ascending.</summary>
    internal static ulong[] Distinct(List<ulong> shingles) => Distinct(CollectionsMarshal.AsSpan(shingles));

    /// <inheritdoc cref="Distinct(List{ulong})"/>
    internal static ulong[] Distinct(ReadOnlySpan<ulong> shingles)
    {
        var sorted = shingles.ToArray();
        Array.Sort(sorted);
        var count = 0;
        foreach (var shingle in sorted)
            if (count == 0 || sorted[count - 1] != shingle)
                sorted[count++] = shingle;
        return sorted[..count];
    }

    /// <summary>
    /// Leader clustering among candidates: in order, each joins the first kept document that shares a bucket and is similar
    /// enough, or is kept itself.
    /// </summary>
    private void Verify(IEnumerable<Document> documents, int threads, MinHasher hasher, DuplicateClusters clusters)
    {
        var sizes = clusters.CountSizes();
        var isCandidate = new bool[clusters.Count];
        for (var i = 0; i < isCandidate.Length; i++)
            isCandidate[i] = sizes[clusters.Root(i)] > 1;
        clusters.Reset();
        var leaders = new Dictionary<UInt128, List<(int Index, ulong[] Shingles)>>();
        var candidates = documents.Index().Take(isCandidate.Length).Where(d => isCandidate[d.Index]);
        foreach (var ((index, _), shingles) in OrderedParallel.Map(
            candidates, d => hasher.Shingles(d.Item.Text), threads, 256, 1 << 20, d => d.Item.Text.Length))
        {
            var keys = KeysOf(hasher, shingles);
            var distinct = Distinct(shingles);
            var leader = keys.SelectMany(k => leaders.GetValueOrDefault(k, [])).DistinctBy(l => l.Index).OrderBy(l => l.Index)
                .Where(l => Jaccard(l.Shingles, distinct) >= VerifiedJaccard).Select(l => l.Index).FirstOrDefault(-1);
            if (leader >= 0)
                clusters.Union(leader, index);
            else
                foreach (var key in keys)
                {
                    if (!leaders.TryGetValue(key, out var known))
                        leaders[key] = known = [];
                    known.Add((index, distinct));
                }
        }
    }

    private static IEnumerable<(Document Item, R Result)> Map<R>(
        IEnumerable<Document> documents, Func<Document, R> map, int threads) =>
        OrderedParallel.Map(documents, map, threads, 256, 1 << 20, d => d.Text.Length);
}
