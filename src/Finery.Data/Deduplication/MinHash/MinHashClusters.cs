using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json.Nodes;
using Finery.Data.Curation;
using Finery.Data.Deduplication.Sorting;

namespace Finery.Data.Deduplication.MinHash;

/// <summary>
/// Third phase, one task on all its threads: joins the pairs to clusters, picks the document of each that is kept, and writes
/// what became of every member, sorted by position.
/// </summary>
internal sealed class MinHashClusters(MinHashStage stage, string folder, int parts)
{
    public static string MembersOf(string folder) => Path.Combine(folder, "clusters", "members");

    /// <summary>Members by cluster, for verification.</summary>
    public static string CandidatesOf(string folder) => Path.Combine(folder, "clusters", "candidates");

    public static string OffsetsOf(string folder) => Path.Combine(folder, "clusters", "offsets");

    public void Run(MinHashBuckets buckets, TaskContext context)
    {
        var offsets = DocumentIds.Offsets(folder, parts);
        var (participants, sets, pairs) = Join(buckets, offsets, context);
        var used = Participants.MemoryBytes(offsets[^1]) + DisjointSets.MemoryBytes(participants.Count + 1);
        var sorting = Math.Max(1 << 20, (context.MemoryBytes - used) / 3);
        using var candidates = new RecordSorter<Candidate>(sorting, folder);
        foreach (var candidate in Candidates(participants, sets, offsets, context.Stop))
            candidates.Add(candidate);
        using var members = new RecordSorter<Member>(sorting, folder);
        using var list = stage.VerifiedJaccard > 0 ? new RecordWriter(CandidatesOf(folder)) : null;
        long clusters = 0, dropped = 0;
        using (var sorted = candidates.Sorted())
        {
            uint root = uint.MaxValue;
            ulong kept = 0;
            while (sorted.MoveNext())
            {
                list?.Write(sorted.Current);
                var candidate = sorted.Read<Candidate>();
                if (candidate.Root != root)
                {
                    root = candidate.Root;
                    kept = root == 0 ? DocumentPosition.None : candidate.Position;
                    clusters++;
                }
                if (candidate.Position != kept)
                    dropped++;
                members.Add(new(candidate.Position, kept, candidate.Size));
            }
        }
        list?.Commit();
        members.WriteTo(MembersOf(folder));
        using (var writer = new RecordWriter(OffsetsOf(folder)))
        {
            foreach (var offset in offsets)
                writer.Write(offset);
            writer.Commit();
        }
        WriteReport(offsets[^1], buckets.Signed, pairs, participants.Count, clusters, dropped);
    }

    private (Participants Participants, DisjointSets Sets, long Pairs) Join(
        MinHashBuckets buckets, long[] offsets, TaskContext context)
    {
        CheckMemory(Participants.MemoryBytes(offsets[^1]), context.MemoryBytes);
        var participants = new Participants(offsets[^1]);
        long pairs = 0;
        var parallel = new ParallelOptions { MaxDegreeOfParallelism = context.Threads, CancellationToken = context.Stop };
        Parallel.ForEach(buckets.PairFiles, parallel, path =>
        {
            long count = 0;
            foreach (var (a, b) in Pairs(path, offsets))
            {
                if (a >= 0)
                    participants.Add(a);
                participants.Add(b);
                count++;
            }
            Interlocked.Add(ref pairs, count);
        });
        participants.Number();
        CheckMemory(
            Participants.MemoryBytes(offsets[^1]) + DisjointSets.MemoryBytes(participants.Count + 1), context.MemoryBytes);
        var sets = new DisjointSets(participants.Count + 1);
        parallel.MaxDegreeOfParallelism = stage.Keep == KeptCopy.Root ? 1 : context.Threads;
        if (stage.Keep == KeptCopy.Root)
            foreach (var path in buckets.PairFiles)
                foreach (var (a, b) in Pairs(path, offsets))
                    sets.UnionBySize(Number(a), Number(b));
        else
            Parallel.ForEach(buckets.PairFiles, parallel, path =>
            {
                foreach (var (a, b) in Pairs(path, offsets))
                    sets.Union(Number(a), Number(b));
            });
        sets.CountSizes();
        return (participants, sets, pairs);

        uint Number(long document) => document < 0 ? 0 : (uint)participants.NumberOf(document);
    }

    /// <summary>Pairs of numbers of documents in the corpus; the first is negative for a match with the index.</summary>
    private static IEnumerable<(long A, long B)> Pairs(string path, long[] offsets)
    {
        foreach (var (partA, indexA, partB, indexB) in RecordFile.ReadAll<Pair>(path))
            yield return (partA == MinHashBuckets.Sentinel ? -1 : offsets[partA] + indexA, offsets[partB] + indexB);
    }

    private IEnumerable<Candidate> Candidates(
        Participants participants, DisjointSets sets, long[] offsets, CancellationToken stop)
    {
        var part = 0;
        uint number = 0;
        RecordSource? preferences = null;
        long read = -1;
        try
        {
            foreach (var document in participants.All())
            {
                if ((++number & 0xFFFF) == 0)
                    stop.ThrowIfCancellationRequested();
                while (document >= offsets[part + 1])
                {
                    part++;
                    preferences?.Close();
                    preferences = null;
                }
                var index = document - offsets[part];
                var root = sets.Find(number);
                var position = DocumentPosition.Pack(part, index);
                var avoidance = stage.Keep switch
                {
                    KeptCopy.First => 0UL,
                    KeptCopy.Root => root == number ? 0 : 1UL,
                    KeptCopy.Last => ~position,
                    _ => ~Read(index),
                };
                yield return new(avoidance, position, root, sets.SizeOf(root));
            }
        }
        finally
        {
            preferences?.Close();
        }

        ulong Read(long index)
        {
            if (preferences is null)
            {
                preferences = new RecordSource(MinHashSignatures.PreferencesOf(folder, part), sizeof(ulong));
                preferences.Prepare(1 << 16);
                read = -1;
            }
            while (read < index && preferences.MoveNext(keepOpen: true))
                read++;
            return MemoryMarshal.Read<ulong>(preferences.Current);
        }
    }

    private static void CheckMemory(long needed, long allowed)
    {
        if (needed > allowed)
            throw new InvalidOperationException(
                $"Clustering near-duplicates takes {(needed >> 20) + 1} MiB and {allowed >> 20} MiB are allowed. Allow more "
                + "memory, or deduplicate the corpus in several pieces.");
    }

    private void WriteReport(long documents, long signed, long pairs, long members, long clusters, long dropped)
    {
        var curve = new JsonObject();
        foreach (var percent in Enumerable.Range(10, 11).Select(i => 5 * i))
            curve[(percent / 100.0).ToString("0.00", CultureInfo.InvariantCulture)] =
                Math.Round(stage.MatchProbability(percent / 100.0), 6);
        StageReport.Write(Path.Combine(folder, "minhash.json"), stage, new JsonObject
        {
            ["match_probability_by_similarity"] = curve,
            ["documents"] = documents,
            ["documents_with_signature"] = signed,
            ["pairs"] = pairs,
            ["documents_in_clusters"] = members,
            ["clusters"] = clusters,
            ["duplicates"] = dropped,
        });
    }

    private readonly record struct Pair(uint PartA, uint IndexA, uint PartB, uint IndexB);
}
