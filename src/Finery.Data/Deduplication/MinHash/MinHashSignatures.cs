using System.Buffers.Binary;
using Finery.Data.Curation;
using Finery.Data.Deduplication.Sorting;
using Finery.Data.Filters;

namespace Finery.Data.Deduplication.MinHash;

/// <summary>
/// First phase: the signatures of a part, one sorted file per bucket. Rows of whole signatures are collected in memory; when it
/// is full, each bucket's column is sorted and spilled.
/// </summary>
internal sealed class MinHashSignatures(MinHashStage stage, string folder)
{
    // The other half is room for the documents being read.
    private const int MemoryShare = 2;

    private readonly int _hashBytes = stage.HashBits / 8;
    private readonly int _rowBytes = stage.Buckets * stage.HashesBytes;

    internal static string PreferencesOf(string folder, int part) => Path.Combine(folder, "preferences", $"{part:00000}.u64");

    public void Run(Corpus corpus, int part, TaskContext context)
    {
        var rows = new SignatureRows(stage, context.MemoryBytes / MemoryShare);
        var spills = new SpillFile[stage.Buckets];
        for (var bucket = 0; bucket < spills.Length; bucket++)
            spills[bucket] = new SpillFile(folder);
        using var ids = new DocumentIds.Writer(folder, part);
        using var preferences = stage.Keep is KeptCopy.Longest or KeptCopy.Highest
            ? new RecordWriter(PreferencesOf(folder, part)) : null;
        try
        {
            foreach (var (document, row) in Sign(corpus.Read(part), context))
            {
                if (ids.Count == uint.MaxValue)
                    throw new InvalidOperationException(
                        $"Part {part} has more than {uint.MaxValue} documents; cut it into several.");
                ids.Add(document.Id);
                preferences?.Write(stage.Keep == KeptCopy.Longest
                    ? (ulong)CharacterSets.Length(document.Text) : Preference.Of(document.Metadata[stage.KeepKey]));
                if (row is null)
                    continue;
                if (rows.IsFull)
                    Spill(rows, spills);
                rows.Add((uint)(ids.Count - 1), row);
            }
            Write(rows, spills, part, context);
        }
        finally
        {
            foreach (var spill in spills)
                spill.Dispose();
        }
        preferences?.Commit();
        ids.Commit();
    }

    private IEnumerable<(Document Document, byte[]? Row)> Sign(IEnumerable<Document> documents, TaskContext context)
    {
        var hasher = stage.CreateHasher();
        return OrderedParallel.Map(
            Checked(documents), d => Row(hasher, d.Text), context.Threads, 256, 1 << 20, d => d.Text.Length);

        IEnumerable<Document> Checked(IEnumerable<Document> source)
        {
            foreach (var document in source)
            {
                context.Stop.ThrowIfCancellationRequested();
                yield return document;
            }
        }
    }

    private byte[]? Row(MinHasher hasher, string text)
    {
        var shingles = hasher.Hash(text);
        if (shingles.Length == 0)
            return null;
        var signature = new ulong[hasher.Count];
        hasher.Sign(shingles, signature);
        var row = new byte[_rowBytes];
        for (var k = 0; k < signature.Length; k++)
            if (_hashBytes == 8)
                BinaryPrimitives.WriteUInt64LittleEndian(row.AsSpan(k * 8), signature[k]);
            else
                BinaryPrimitives.WriteUInt32LittleEndian(row.AsSpan(k * 4), (uint)signature[k]);
        return row;
    }

    private static void Spill(SignatureRows rows, SpillFile[] spills)
    {
        for (var bucket = 0; bucket < spills.Length; bucket++)
        {
            rows.Emit(bucket, spills[bucket].Write);
            spills[bucket].EndRun();
        }
        rows.Clear();
    }

    private void Write(SignatureRows rows, SpillFile[] spills, int part, TaskContext context)
    {
        var spilled = spills[0].Runs.Count > 0;
        if (spilled)
        {
            Spill(rows, spills);
            rows.Free();
        }
        for (var bucket = 0; bucket < stage.Buckets; bucket++)
        {
            context.Stop.ThrowIfCancellationRequested();
            using var writer = new RecordWriter(MinHashStage.SignaturesOf(folder, bucket, part));
            if (spilled)
            {
                // Runs are of ascending documents, so that equal signatures come in the order of their documents.
                using var merge = new RecordMerge<SignatureOrder>(
                    new(stage.HashesPerBucket, _hashBytes, stage.RecordBytes), spills[bucket].Sources(stage.RecordBytes),
                    context.MemoryBytes / MemoryShare);
                while (merge.MoveNext())
                    writer.Write(merge.Current);
            }
            else
                rows.Emit(bucket, writer.Write);
            writer.Commit(verify: true);
        }
    }
}
