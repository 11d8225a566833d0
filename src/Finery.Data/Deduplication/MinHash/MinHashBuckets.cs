using System.Buffers.Binary;
using Finery.Data.Curation;
using Finery.Data.Deduplication.Sorting;

namespace Finery.Data.Deduplication.MinHash;

/// <summary>
/// Second phase: each task merges one bucket's signatures of all parts within a range of the first hash, and writes pairs of
/// neighbours that are equal as <c>.dups</c>: 4 x u32, part and index of the one and of the other. A match with an index has
/// 2^32-1 twice for the first.
/// </summary>
internal sealed class MinHashBuckets
{
    public const uint Sentinel = uint.MaxValue;

    private const long DocumentsPerTask = 2_000_000;
    private const int MostWorkers = 64;
    private const int SampledFiles = 64;
    private const int SampledRecords = 256;

    private readonly MinHashStage _stage;
    private readonly string _folder;
    private readonly int _parts;
    private readonly int _hashBytes;

    /// <param name="stage">Settings.</param>
    /// <param name="folder">Where the signatures are, all of them finished.</param>
    /// <param name="parts">Number of parts.</param>
    public MinHashBuckets(MinHashStage stage, string folder, int parts)
    {
        (_stage, _folder, _parts, _hashBytes) = (stage, folder, parts, stage.HashBits / 8);
        Signed = Enumerable.Range(0, parts)
            .Sum(p => RecordFile.Count(MinHashStage.SignaturesOf(folder, 0, p), stage.RecordBytes));
        Workers = (int)Math.Clamp(Signed / DocumentsPerTask + 1, 1, MostWorkers);
    }

    /// <summary>Documents that have a signature.</summary>
    public long Signed { get; }

    /// <summary>Tasks per bucket.</summary>
    public int Workers { get; }

    public IEnumerable<string> PairFiles =>
        Enumerable.Range(0, _stage.Buckets * Workers).Select(task => PairsOf(task / Workers, task % Workers));

    public void Run(int task, TaskContext context)
    {
        var (bucket, worker) = (task / Workers, task % Workers);
        var bounds = Bounds(bucket);
        ulong? from = worker == 0 ? null : bounds[worker - 1], to = worker == Workers - 1 ? null : bounds[worker];
        var indexes = IndexFolder.Files(
            _stage.Index is null ? null : Path.Combine(_stage.Index, $"bucket_{bucket:000}"), "*.minhash.index");
        var sources = indexes.Select(path => Slice(path, _stage.HashesBytes, from, to))
            .Concat(Enumerable.Range(0, _parts)
                .Select(p => Slice(MinHashStage.SignaturesOf(_folder, bucket, p), _stage.RecordBytes, from, to))).ToList();
        using var merge = new RecordMerge<SignatureOrder>(
            new(_stage.HashesPerBucket, _hashBytes, _stage.RecordBytes), sources, context.MemoryBytes / 2);
        using var pairs = new RecordWriter(PairsOf(bucket, worker));
        using var index = _stage.SaveIndex is { } folder
            ? new RecordWriter(Path.Combine(folder, $"bucket_{bucket:000}", $"{_stage.IndexName}_{worker:00}.minhash.index"))
            : null;
        Match(merge, indexes.Count, pairs, index, context.Stop);
        index?.Commit();
        pairs.Commit();
    }

    private void Match(
        RecordMerge<SignatureOrder> merge, int indexes, RecordWriter pairs, RecordWriter? index, CancellationToken stop)
    {
        var last = new byte[_stage.HashesBytes];
        bool hasLast = false, lastOfIndex = false;
        uint lastPart = 0, lastDocument = 0;
        Span<byte> pair = stackalloc byte[16];
        for (long n = 0; merge.MoveNext(); n++)
        {
            if ((n & 0xFFFF) == 0)
                stop.ThrowIfCancellationRequested();
            var hashes = merge.Current[.._stage.HashesBytes];
            var equal = hasLast && hashes.SequenceEqual(last);
            if (!equal)
            {
                hashes.CopyTo(last);
                (hasLast, lastOfIndex) = (true, merge.Source < indexes);
            }
            if (merge.Source < indexes)
                continue;
            if (!equal)
                index?.Write(hashes);
            var part = (uint)(merge.Source - indexes);
            var document = BinaryPrimitives.ReadUInt32LittleEndian(merge.Current[_stage.HashesBytes..]);
            if (equal && (lastOfIndex || indexes == 0 || !_stage.OnlyIndex))
            {
                BinaryPrimitives.WriteUInt32LittleEndian(pair, lastOfIndex ? Sentinel : lastPart);
                BinaryPrimitives.WriteUInt32LittleEndian(pair[4..], lastOfIndex ? Sentinel : lastDocument);
                BinaryPrimitives.WriteUInt32LittleEndian(pair[8..], part);
                BinaryPrimitives.WriteUInt32LittleEndian(pair[12..], document);
                pairs.Write(pair);
            }
            (lastPart, lastDocument) = (part, document);
        }
    }

    private string PairsOf(int bucket, int worker) => Path.Combine(_folder, "buckets", $"{bucket:00000}_{worker:00}.dups");

    /// <summary>First hashes that divide a bucket into ranges of about equal size: quantiles of a sample.</summary>
    private ulong[] Bounds(int bucket)
    {
        if (Workers == 1)
            return [];
        var sample = new List<ulong>();
        var record = new byte[8];
        var step = Math.Max(1, _parts / SampledFiles);
        for (var part = 0; part < _parts; part += step)
        {
            var path = MinHashStage.SignaturesOf(_folder, bucket, part);
            var count = RecordFile.Count(path, _stage.RecordBytes);
            using var handle = File.OpenHandle(path, options: FileOptions.RandomAccess);
            var taken = Math.Min(count, SampledRecords);
            for (long i = 0; i < taken; i++)
            {
                RecordFile.ReadExactly(handle, record, (2 * i + 1) * count / (2 * taken) * _stage.RecordBytes, path);
                sample.Add(SignatureOrder.Read(record, 0, _hashBytes));
            }
        }
        sample.Sort();
        return [.. Enumerable.Range(1, Workers - 1).Select(w => sample[(int)((long)w * sample.Count / Workers)])];
    }

    private RecordSource Slice(string path, int recordBytes, ulong? from, ulong? to)
    {
        return new(
            path, recordBytes, from is { } low ? LowerBound(low) : 0,
            to is { } high ? LowerBound(high) : RecordFile.Count(path, recordBytes));

        long LowerBound(ulong bound) =>
            RecordFile.LowerBound(path, recordBytes, record => SignatureOrder.Read(record, 0, _hashBytes) < bound);
    }
}
