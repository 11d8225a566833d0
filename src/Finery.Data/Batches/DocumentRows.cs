namespace Finery.Data.Batches;

/// <summary>Fills rows from token shards. Targets are the next token of the same document, also the one after the row's
/// end.</summary>
internal static class DocumentRows
{
    /// <summary>Fills a row with the tokens from <paramref name="start"/> on, the corpus taken as a circle. Each document is a
    /// segment, one that is cut by the row's start begins anew there; or, without <paramref name="masked"/>, the row is one
    /// segment.</summary>
    public static void FillWindow(TokenShards shards, long start, PackedBatch batch, int row, bool masked)
    {
        int first = row * batch.Length, end = first + batch.Length;
        Span<int> ids = batch.Ids.AsSpan(first, batch.Length), targets = batch.Targets.AsSpan(first, batch.Length);
        int untilWrap = (int)Math.Min(ids.Length, shards.TokenCount - start);
        shards.Read(start, ids[..untilWrap]);
        if (untilWrap < ids.Length) shards.Read(0, ids[untilWrap..]);
        ids[1..].CopyTo(targets);

        var documents = shards.Walk(start);
        long token = start;
        for (int at = first; at < end;)
        {
            long available = documents.End - token; // to the end of this document
            int count = (int)Math.Min(available, end - at);
            if (available > count) shards.Read(token + count, targets[^1..]);
            else batch.Targets[at + count - 1] = -1;
            if (masked) batch.SetSegment(at, at + count);
            at += count;
            token = documents.End == shards.TokenCount ? 0 : documents.End;
            documents.MoveNext();
        }
        if (!masked) batch.SetSegment(first, end);
    }
}
