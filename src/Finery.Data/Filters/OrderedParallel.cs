namespace Finery.Data.Filters;

/// <summary>Maps a sequence on several threads, in order and in bounded memory.</summary>
internal static class OrderedParallel
{
    /// <summary>Applies a pure function to every item; results come in the order of the items, whatever the threads do.</summary>
    /// <param name="source">Enumerated on the calling thread.</param>
    /// <param name="map">Called on any thread.</param>
    /// <param name="threads">One runs everything on the calling thread.</param>
    /// <param name="batchCount">Items handed over at a time.</param>
    /// <param name="batchSize">A batch also ends when its sizes add up to this.</param>
    /// <param name="sizeOf">Size of an item.</param>
    public static IEnumerable<(T Item, R Result)> Map<T, R>(
        IEnumerable<T> source, Func<T, R> map, int threads, int batchCount, long batchSize, Func<T, long> sizeOf)
    {
        if (threads == 1)
        {
            foreach (var item in source)
                yield return (item, map(item));
            yield break;
        }
        var running = new Queue<Task<(T, R)[]>>();
        try
        {
            foreach (var batch in Batches(source, batchCount, batchSize, sizeOf))
            {
                if (running.Count == threads)
                    foreach (var pair in running.Dequeue().GetAwaiter().GetResult())
                        yield return pair;
                running.Enqueue(Task.Run(() => Array.ConvertAll(batch, item => (item, map(item)))));
            }
            while (running.TryDequeue(out var task))
                foreach (var pair in task.GetAwaiter().GetResult())
                    yield return pair;
        }
        finally
        {
            // Left early: what runs is waited for, so that nothing works on behind the caller's back.
            Task.WhenAll(running).ContinueWith(_ => { }, TaskScheduler.Default).Wait();
        }
    }

    private static IEnumerable<T[]> Batches<T>(IEnumerable<T> source, int batchCount, long batchSize, Func<T, long> sizeOf)
    {
        var batch = new List<T>(batchCount);
        long size = 0;
        foreach (var item in source)
        {
            batch.Add(item);
            size += sizeOf(item);
            if (batch.Count < batchCount && size < batchSize)
                continue;
            yield return [.. batch];
            batch.Clear();
            size = 0;
        }
        if (batch.Count > 0)
            yield return [.. batch];
    }
}
