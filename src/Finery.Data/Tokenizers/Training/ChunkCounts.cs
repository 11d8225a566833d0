using System.Text;

namespace Finery.Data.Tokenizers;

/// <summary>
/// The distinct chunks of a corpus and how often each occurs. Each thread counts into a small table that stays in its
/// processor's cache, and empties it into tables they share, one for each value of the hash's upper bits: so memory is that
/// of one copy, for any number of threads.
/// </summary>
/// <remarks>Where the tables outgrow the cap, the rarest chunks are forgotten. That is looked at only after every
/// so many batches, when all threads have emptied their tables, so that it does not depend on them.</remarks>
internal sealed class ChunkCounts
{
    /// <summary>Memory of training for each distinct chunk and for each of its bytes, from measurements of the whole of it:
    /// tables, then symbols, lists of words, pairs and heap.</summary>
    public const int MemoryPerChunk = 128, MemoryPerByte = 12;

    /// <summary>64 M characters.</summary>
    public const int DefaultEpochBatches = 256;

    private const int BatchChars = 1 << 18, ShardBits = 6, LocalChunks = 24_000, LocalBytes = 1 << 18, HighestDropped = 1 << 12;

    private readonly ChunkTable[] _shards = [.. Enumerable.Range(0, 1 << ShardBits).Select(_ => new ChunkTable())];
    private readonly SplitPattern _pattern;
    private readonly Lock _gate = new();
    private long _chunks;

    private ChunkCounts(SplitPattern pattern) => _pattern = pattern;

    /// <summary>The tables, one after the other; their order of entries means nothing.</summary>
    public IReadOnlyList<ChunkTable> Shards => _shards;

    /// <summary>Texts read.</summary>
    public long Texts { get; private set; }

    /// <summary>UTF-16 units counted.</summary>
    public long Characters { get; private set; }

    /// <summary>UTF-8 bytes counted.</summary>
    public long Bytes { get; private set; }

    /// <summary>Chunks counted, repetitions included.</summary>
    public long Chunks => _chunks;

    /// <summary>Distinct chunks kept.</summary>
    public long Distinct => _shards.Sum(shard => (long)shard.Count);

    /// <summary>Bytes of the distinct chunks kept.</summary>
    public long DistinctBytes => _shards.Sum(shard => (long)shard.Bytes);

    /// <summary>Chunks (one that came back after being forgotten counts again) and occurrences forgotten to stay within the
    /// cap.</summary>
    public (long Chunks, long Occurrences) Dropped { get; private set; }

    /// <summary>Counts the chunks of texts.</summary>
    /// <param name="texts">Read by one thread at a time, once.</param>
    /// <param name="pattern">How texts are cut.</param>
    /// <param name="threads">At least 1.</param>
    /// <param name="maxMemory">Bytes that training may take, by estimate.</param>
    /// <param name="epochBatches">Batches between two looks at the memory.</param>
    /// <param name="report">Told after each batch, never by two threads at once.</param>
    /// <param name="stop">Ends the counting.</param>
    public static ChunkCounts Count(
        IEnumerable<string> texts, SplitPattern pattern, int threads, long maxMemory, int epochBatches = DefaultEpochBatches,
        Action<ChunkCounts>? report = null, CancellationToken stop = default)
    {
        var counts = new ChunkCounts(pattern);
        var workers = Enumerable.Range(0, threads).Select(_ => new Worker(counts)).ToArray();
        using var source = Batches(texts).GetEnumerator();
        for (bool more = true; more;)
        {
            int left = epochBatches;
            List<string>? Next()
            {
                stop.ThrowIfCancellationRequested();
                lock (counts._gate)
                {
                    if (left == 0 || !more) return null;
                    left--;
                    return (more = source.MoveNext()) ? source.Current : null;
                }
            }
            void Done(List<string> batch, long bytes)
            {
                lock (counts._gate)
                {
                    counts.Texts += batch.Count;
                    foreach (string text in batch) counts.Characters += text.Length;
                    counts.Bytes += bytes;
                    report?.Invoke(counts);
                }
            }
            InParallel(workers, worker => worker.CountAll(Next, Done));
            counts.Shrink(maxMemory);
        }
        return counts;
    }

    /// <summary>Chunks that have been counted elsewhere.</summary>
    public static ChunkCounts Of(IEnumerable<KeyValuePair<byte[], long>> counted)
    {
        var counts = new ChunkCounts(default);
        foreach (var (chunk, count) in counted)
        {
            if (chunk.Length == 0) continue;
            uint hash = ChunkTable.HashOf(chunk);
            counts._shards[hash >> (32 - ShardBits)].Add(chunk, hash, count);
            counts._chunks += count;
            counts.Bytes += count * chunk.Length;
        }
        return counts;
    }

    /// <summary>Gives the memory of a table back once its chunks have been copied.</summary>
    public void Release(int shard) => _shards[shard] = new ChunkTable();

    private static void InParallel(Worker[] workers, Action<Worker> work)
    {
        if (workers.Length == 1)
        {
            work(workers[0]);
            return;
        }
        try
        {
            Parallel.ForEach(workers, new ParallelOptions { MaxDegreeOfParallelism = workers.Length }, work);
        }
        catch (AggregateException failures)
        {
            throw failures.Flatten().InnerExceptions[0];
        }
    }

    /// <summary>Texts in groups large enough to be worth a turn at the source.</summary>
    private static IEnumerable<List<string>> Batches(IEnumerable<string> texts)
    {
        var batch = new List<string>();
        long characters = 0;
        foreach (string text in texts)
        {
            batch.Add(text);
            if ((characters += text.Length) < BatchChars) continue;
            yield return batch;
            batch = [];
            characters = 0;
        }
        if (batch.Count > 0) yield return batch;
    }

    /// <summary>Forgets the rarest chunks, down to half the cap, once the estimate is above it.</summary>
    private void Shrink(long maxMemory)
    {
        if (Memory(Distinct, DistinctBytes) <= maxMemory) return;
        var chunks = new long[HighestDropped + 1]; // by count
        var bytes = new long[HighestDropped + 1];
        foreach (var shard in _shards)
        {
            foreach (ref readonly var entry in shard.Slots)
            {
                if (entry.Length == 0 || entry.Count > HighestDropped) continue;
                chunks[entry.Count]++;
                bytes[entry.Count] += entry.Length;
            }
        }
        long keptChunks = Distinct, keptBytes = DistinctBytes, occurrences = 0, dropped = 0;
        int highest = 0;
        while (Memory(keptChunks, keptBytes) > maxMemory / 2 && highest < HighestDropped)
        {
            highest++;
            keptChunks -= chunks[highest];
            keptBytes -= bytes[highest];
            dropped += chunks[highest];
            occurrences += chunks[highest] * highest;
        }
        if (keptChunks == 0 || Memory(keptChunks, keptBytes) > maxMemory / 2)
            throw new InvalidDataException(
                $"Training needs more than MaxMemory, {maxMemory >> 20} MiB, even without the chunks that occur up to {highest} " +
                $"times. Raise MaxMemory, or lower MaxDocumentChars or MaxCorpusChars.");
        for (int i = 0; i < _shards.Length; i++) _shards[i] = _shards[i].MoreFrequentThan(highest);
        Dropped = (Dropped.Chunks + dropped, Dropped.Occurrences + occurrences);

        static long Memory(long chunks, long bytes) => (chunks * MemoryPerChunk) + (bytes * MemoryPerByte);
    }

    /// <summary>One thread's part.</summary>
    private sealed class Worker(ChunkCounts total)
    {
        private readonly ChunkTable _table = new(LocalChunks, LocalBytes);
        private readonly int[] _order = new int[LocalChunks];
        private byte[] _utf8 = [];
        private long _chunks;

        public void CountAll(Func<List<string>?> next, Action<List<string>, long> done)
        {
            while (next() is { } batch)
            {
                long bytes = 0;
                foreach (string text in batch) bytes += Count(text);
                done(batch, bytes);
            }
            Flush();
        }

        private int Count(string text)
        {
            int length = Encoding.UTF8.GetByteCount(text);
            if (length > _utf8.Length) _utf8 = new byte[Math.Max(length, Math.Min(2L * _utf8.Length, Array.MaxLength))];
            ReadOnlySpan<byte> utf8 = _utf8.AsSpan(0, Encoding.UTF8.GetBytes(text, _utf8));
            switch (total._pattern)
            {
                case SplitPattern.Gpt2: Count(utf8, new Gpt2Scanner(singleNumbers: false)); break;
                case SplitPattern.SmolLm: Count(utf8, new Gpt2Scanner(singleNumbers: true)); break;
                case SplitPattern.Qwen2: Count(utf8, new Llama3Scanner(mostDigits: 1)); break;
                case SplitPattern.Nanochat: Count(utf8, new Llama3Scanner(mostDigits: 2)); break;
                default: Count(utf8, new Llama3Scanner(mostDigits: 3)); break;
            }
            return length;
        }

        private void Count<TScanner>(ReadOnlySpan<byte> utf8, TScanner scanner)
            where TScanner : struct, IScanner
        {
            for (int start = 0, end; start < utf8.Length; start = end)
            {
                end = scanner.ChunkEnd(utf8, start);
                var chunk = utf8[start..end];
                _chunks++;
                _table.Add(chunk, ChunkTable.HashOf(chunk), 1);
                if (_table.Count >= LocalChunks || _table.Bytes >= LocalBytes) Flush();
            }
        }

        /// <summary>Moves what was counted to the shared tables, each locked once.</summary>
        private void Flush()
        {
            Span<int> ends = stackalloc int[1 << ShardBits];
            var slots = _table.Slots;
            foreach (ref readonly var entry in slots)
            {
                if (entry.Length > 0) ends[(int)(entry.Hash >> (32 - ShardBits))]++;
            }
            for (int shard = 0, sum = 0; shard < ends.Length; shard++) (ends[shard], sum) = (sum, sum + ends[shard]);
            for (int slot = 0; slot < slots.Length; slot++)
            {
                if (slots[slot].Length > 0) _order[ends[(int)(slots[slot].Hash >> (32 - ShardBits))]++] = slot;
            }
            for (int shard = 0, from = 0; shard < ends.Length; from = ends[shard++])
            {
                if (ends[shard] == from) continue;
                var table = total._shards[shard];
                lock (table)
                {
                    foreach (int slot in _order.AsSpan(from..ends[shard]))
                        table.Add(_table.ChunkOf(slots[slot]), slots[slot].Hash, slots[slot].Count);
                }
            }
            _table.Clear();
            Interlocked.Add(ref total._chunks, _chunks);
            _chunks = 0;
        }
    }
}
