using System.Runtime.InteropServices;
using System.Text;

namespace Finery.Data.Tokenizers;

/// <summary>Counts the distinct chunks of a corpus: a table per thread, summed at the end.</summary>
internal static class ChunkCounts
{
    private const int BatchChars = 1 << 18;

    /// <summary>Chunk (UTF-8) to occurrences. Counts are 64-bit: 32 bits overflow on corpora of a few hundred GB.</summary>
    /// <param name="texts">Read by one thread at a time.</param>
    /// <param name="pattern">How texts are cut.</param>
    /// <param name="threads">0 = one per processor.</param>
    /// <param name="maxDistinct">Refuses more distinct chunks than this.</param>
    /// <param name="report">Told the characters counted so far, never by two threads at once.</param>
    public static Dictionary<byte[], long> Count(
        IEnumerable<string> texts, SplitPattern pattern, int threads, int maxDistinct, Action<long>? report = null)
    {
        var total = new Dictionary<byte[], long>(ByteComparer.Instance);
        var gate = new Lock();
        long characters = 0;
        try
        {
            Parallel.ForEach(
                Batches(texts),
                new ParallelOptions { MaxDegreeOfParallelism = threads == 0 ? Environment.ProcessorCount : threads },
                () => new Dictionary<byte[], long>(ByteComparer.Instance),
                (batch, _, counts) =>
                {
                    foreach (string text in batch) Add(text, pattern, counts);
                    ThrowIfMore(counts.Count, maxDistinct);
                    lock (gate) report?.Invoke(characters += batch.Sum(text => (long)text.Length));
                    return counts;
                },
                counts =>
                {
                    lock (gate)
                    {
                        foreach (var (chunk, count) in counts)
                            CollectionsMarshal.GetValueRefOrAddDefault(total, chunk, out _) += count;
                    }
                });
        }
        catch (AggregateException failures)
        {
            throw failures.Flatten().InnerExceptions[0];
        }
        ThrowIfMore(total.Count, maxDistinct);
        return total;
    }

    private static void Add(string text, SplitPattern pattern, Dictionary<byte[], long> counts)
    {
        var lookup = counts.GetAlternateLookup<ReadOnlySpan<byte>>();
        byte[] utf8 = Encoding.UTF8.GetBytes(text);
        for (int start = 0, end; start < utf8.Length; start = end)
        {
            end = PreTokenizer.ChunkEnd(utf8, start, pattern);
            CollectionsMarshal.GetValueRefOrAddDefault(lookup, utf8.AsSpan(start, end - start), out _)++;
        }
    }

    private static IEnumerable<List<string>> Batches(IEnumerable<string> texts)
    {
        var batch = new List<string>();
        int characters = 0;
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

    private static void ThrowIfMore(int distinct, int limit)
    {
        if (distinct > limit)
            throw new InvalidDataException($"The corpus has more than {limit} distinct chunks. Lower MaxCorpusChars or " +
                "MaxDocumentChars, or raise MaxDistinctChunks if there is memory for it.");
    }
}
