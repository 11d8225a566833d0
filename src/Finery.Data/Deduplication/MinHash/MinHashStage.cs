using Finery.Data.Curation;

namespace Finery.Data.Deduplication.MinHash;

/// <summary>
/// Drops near-duplicates: documents whose MinHash signatures agree in a whole bucket, directly or through others; one of each
/// cluster is kept. Texts with fewer words than a shingle have no signature and are always kept. Reason <c>near_duplicate</c>;
/// metadata <c>duplicate_of</c> (the kept one's id) and <c>minhash_cluster_size</c> (1 for a document alone).
/// </summary>
/// <remarks>
/// <para>Two texts of Jaccard similarity s share a bucket with probability 1-(1-s^r)^b for b buckets of r hashes: 0.56 at s =
/// 0.7, 0.92 at 0.8 with the defaults, which are FineWeb's but for the hash (it took SHA-1). Signature, duplicate and index
/// files are datatrove 0.10's, byte for byte.</para>
/// <para>Memory: 8 bytes for every document that has a near-duplicate and 1/7 byte for every document, in clustering, which
/// refuses what does not fit, and 4 KiB for every part in the merge of signatures. All else is sorted in files: 68 bytes for
/// every document and bucket with the defaults.</para>
/// </remarks>
public sealed record MinHashStage : CorpusStage
{
    private readonly int _hashBits = 64;

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

    /// <summary>Bits of a hash: 64, or 32 for signatures of half the size.</summary>
    /// <exception cref="ArgumentException">It is neither.</exception>
    public int HashBits
    {
        get => _hashBits;
        init => _hashBits = value is 32 or 64 ? value : throw new ArgumentException($"A hash has 32 or 64 bits, not {value}.");
    }

    /// <summary>Which document of a cluster is kept.</summary>
    public KeptCopy Keep { get; init; } = KeptCopy.First;

    /// <summary>Metadata key for <see cref="KeptCopy.Highest"/>.</summary>
    public string KeepKey { get; init; } = "date";

    /// <summary>
    /// Above zero, a candidate is dropped only if the exact Jaccard similarity of its shingles with those of a kept document of
    /// its cluster is at least this; chains of merely similar documents then no longer collapse into one. Costs another reading
    /// of the candidates and 12 bytes of memory for each member of the largest cluster.
    /// </summary>
    public double VerifiedJaccard { get; init; }

    /// <summary>Whether <c>minhash_cluster_id</c> is set: the number in the corpus of the document kept, -1 for a document
    /// alone, -2 for one that matches the index.</summary>
    public bool ClusterIds { get; init; }

    /// <summary>Folder of an index that an earlier run wrote: what matches it is dropped. Null for none.</summary>
    public string? Index { get; init; }

    /// <summary>Whether, with an index, only what matches it is dropped and duplicates among the documents stay.</summary>
    public bool OnlyIndex { get; init; } = true;

    /// <summary>Folder to write an index of all signatures to. Null for none.</summary>
    public string? SaveIndex { get; init; }

    /// <summary>Name of the index's files in that folder.</summary>
    public string IndexName { get; init; } = "index";

    internal int RecordBytes => HashesPerBucket * (HashBits / 8) + sizeof(uint);

    internal int HashesBytes => HashesPerBucket * (HashBits / 8);

    /// <summary>Reports settings that cannot work.</summary>
    public IEnumerable<(string Property, string Message)> Validate()
    {
        if (ShingleWords < 1)
            yield return (nameof(ShingleWords), $"a shingle has at least one word, not {ShingleWords}");
        if (Buckets is < 1 or > 10_000)
            yield return (nameof(Buckets), $"there are 1 to 10000 buckets, not {Buckets}");
        if (HashesPerBucket is < 1 or > 1000)
            yield return (nameof(HashesPerBucket), $"a bucket has 1 to 1000 hashes, not {HashesPerBucket}");
        if (VerifiedJaccard is < 0 or > 1)
            yield return (nameof(VerifiedJaccard), $"a similarity is 0 to 1, not {VerifiedJaccard}");
        if (VerifiedJaccard > 0 && Index is not null)
            yield return (nameof(VerifiedJaccard), "an index holds no shingles to verify: leave one of the two out");
        if (Index is not null && Index == SaveIndex)
            yield return (nameof(SaveIndex), "an index cannot be written to the folder another is read from");
    }

    /// <summary>Probability that two texts of a similarity share a bucket.</summary>
    public double MatchProbability(double similarity) =>
        1 - Math.Pow(1 - Math.Pow(similarity, HashesPerBucket), Buckets);

    /// <inheritdoc/>
    public override IEnumerable<Phase> Phases(Corpus corpus, string folder)
    {
        foreach (var (property, message) in Validate())
            throw new ArgumentException($"{property}: {message}.");
        yield return new(
            "signatures", corpus.Parts, (part, context) => new MinHashSignatures(this, folder).Run(corpus, part, context));
        var buckets = new MinHashBuckets(this, folder, corpus.Parts);
        yield return new("buckets", Buckets * buckets.Workers, buckets.Run);
        yield return new("clusters", 1, (_, context) => new MinHashClusters(this, folder, corpus.Parts).Run(buckets, context));
        if (VerifiedJaccard <= 0)
            yield break;
        var verification = new MinHashVerification(this, folder);
        yield return new("shingles", corpus.Parts, (part, context) => verification.Collect(corpus, part, context));
        yield return new("verification", verification.Tasks, verification.Verify);
    }

    /// <inheritdoc/>
    public override PartStage Open(Corpus corpus, string folder, int part) => new MinHashPart(
        this, folder, part,
        VerifiedJaccard > 0 ? new MinHashVerification(this, folder).Results : [MinHashClusters.MembersOf(folder)]);

    internal MinHasher CreateHasher() => new(
        ShingleWords, checked(Buckets * HashesPerBucket), Seed, Hash, HashBits, tokenize: true);

    internal static string SignaturesOf(string folder, int bucket, int part) =>
        Path.Combine(folder, "signatures", $"bucket_{bucket:000}", $"{part:00000}.minhash.sig");
}
