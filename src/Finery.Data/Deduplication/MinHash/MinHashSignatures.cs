using System.Buffers.Binary;
using Finery.Data.Curation;
using Finery.Data.Deduplication.Sorting;
using Finery.Data.Filters;

namespace Finery.Data.Deduplication.MinHash;

/// <summary>
/// First phase: the signatures of a part, one sorted file per bucket. Rows of whole signatures are collected in memory; when it is
/// full, each bucket's column is sorted and spilled.
/// </summary>
internal sealed class MinHashSignatures(MinHashStage stage, string folder)
{
    // Of the memory: rows, the keys to sort them by, and room for the documents being read.
    private const int MemoryShare = 2;

    private readonly int _hashBytes = stage.HashBits / 8;
    private readonly int _rowBytes = stage.Buckets * stage.HashesBytes;

    internal static string PreferencesOf(string folder, int part) => Path.Combine(folder, "preferences", $"{part:00000}.u64");

    public void Run(Corpus corpus, int part, TaskContext context)
    {
        var capacity = (int)Math.Clamp(context.MemoryBytes / MemoryShare / (_rowBytes + 24), 64, (1 << 30) / _rowBytes);
        var rows = new byte[Math.Min(capacity, 64) * _rowBytes];
        var documents = new uint[rows.Length / _rowBytes];
        var spills = new SpillFile[stage.Buckets];
        for (var bucket = 0; bucket < spills.Length; bucket++)
            spills[bucket] = new SpillFile(folder);
        var count = 0;
        using var ids = new DocumentIds.Writer(folder, part);
        using var preferences = stage.Keep is KeptCopy.Longest or KeptCopy.Highest
            ? new RecordWriter(PreferencesOf(folder, part)) : null;
        try
        {
            foreach (var (document, row) in Sign(corpus.Read(part), context))
            {
                if (ids.Count == uint.MaxValue)
                    throw new InvalidOperationException($"Part {part} has more than {uint.MaxValue} documents; cut it into several.");
                ids.Add(document.Id);
                preferences?.Write(stage.Keep == KeptCopy.Longest
                    ? (ulong)CharacterSets.Length(document.Text) : Preference.Of(document.Metadata[stage.KeepKey]));
                if (row is null)
                    continue;
                if (count == capacity)
                {
                    Spill(rows, documents, count, spills);
                    count = 0;
                }
                if (count == documents.Length)
                {
                    Array.Resize(ref documents, Math.Min(capacity, count * 2));
                    Array.Resize(ref rows, documents.Length * _rowBytes);
                }
                row.CopyTo(rows, count * _rowBytes);
                documents[count++] = (uint)(ids.Count - 1);
            }
            Write(rows, documents, count, spills, part, context);
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
        return OrderedParallel.Map(Checked(documents), d => Row(hasher, d.Text), context.Threads, 256, 1 << 20, d => d.Text.Length);

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

    private void Spill(byte[] rows, uint[] documents, int count, SpillFile[] spills)
    {
        for (var bucket = 0; bucket < stage.Buckets; bucket++)
        {
            Emit(rows, documents, count, bucket, spills[bucket].Write);
            spills[bucket].EndRun();
        }
    }

    private void Write(byte[] rows, uint[] documents, int count, SpillFile[] spills, int part, TaskContext context)
    {
        var spilled = spills[0].Runs.Count > 0;
        if (spilled)
        {
            Spill(rows, documents, count, spills);
            rows = [];
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
                Emit(rows, documents, count, bucket, writer.Write);
            writer.Commit(verify: true);
        }
    }

    private delegate void Sink(ReadOnlySpan<byte> records);

    /// <summary>One bucket's records in order.</summary>
    private void Emit(byte[] rows, uint[] documents, int count, int bucket, Sink sink)
    {
        var keys = new (ulong First, int Row)[count];
        for (var i = 0; i < count; i++)
            keys[i] = (SignatureOrder.Read(rows.AsSpan(i * _rowBytes), bucket * stage.HashesPerBucket, _hashBytes), i);
        keys.AsSpan().Sort(new ByColumn(
            rows, _rowBytes, bucket * stage.HashesBytes, new(stage.HashesPerBucket, _hashBytes, stage.RecordBytes)));
        var block = new byte[stage.RecordBytes * 1024];
        var filled = 0;
        foreach (var (_, row) in keys)
        {
            var record = block.AsSpan(filled, stage.RecordBytes);
            rows.AsSpan(row * _rowBytes + bucket * stage.HashesBytes, stage.HashesBytes).CopyTo(record);
            BinaryPrimitives.WriteUInt32LittleEndian(record[stage.HashesBytes..], documents[row]);
            if ((filled += record.Length) < block.Length)
                continue;
            sink(block);
            filled = 0;
        }
        sink(block.AsSpan(0, filled));
    }

    private readonly struct ByColumn(byte[] rows, int rowBytes, int column, SignatureOrder order)
        : IComparer<(ulong First, int Row)>
    {
        public int Compare((ulong First, int Row) a, (ulong First, int Row) b)
        {
            if (a.First != b.First)
                return a.First < b.First ? -1 : 1;
            var compared = order.Compare(rows.AsSpan(a.Row * rowBytes + column), rows.AsSpan(b.Row * rowBytes + column));
            return compared != 0 ? compared : a.Row.CompareTo(b.Row);
        }
    }
}
