namespace Finery.Data.Batches.Mixing;

/// <summary>The documents of a source packed whole into rows of T tokens, documents longer than T split into pieces of T and a
/// rest.</summary>
internal sealed class PackedDocuments
{
    // Packed by themselves: bounds the memory of packing, and loses next to nothing of a fit that has so many to choose from.
    private const int DocumentsAtOnce = 1 << 18;

    private readonly int _length;
    private readonly List<Piece> _pieces = []; // in order of rows
    private readonly List<int> _rowStarts = [0]; // index of each row's first piece, and one more

    /// <param name="lengths">Tokens of each document, in order of the corpus.</param>
    /// <param name="length">T.</param>
    public PackedDocuments(IEnumerable<long> lengths, int length)
    {
        _length = length;
        var pieces = new List<Piece>();
        long at = 0;
        foreach (long[] documents in lengths.Chunk(DocumentsAtOnce))
        {
            pieces.Clear();
            foreach (long tokens in documents)
            {
                for (long done = 0; done < tokens; done += length)
                    pieces.Add(new(at + done, (int)Math.Min(length, tokens - done), done + length < tokens, done > 0));
                if (tokens > length) SplitDocuments++;
                at += tokens;
            }
            foreach (var row in BestFitPacking.Pack([.. pieces.Select(piece => piece.Length)], length))
            {
                foreach (int piece in row) _pieces.Add(pieces[piece]);
                _rowStarts.Add(_pieces.Count);
            }
        }
        Tokens = at;
    }

    /// <summary>Tokens [Start, Start + Length) of the corpus.</summary>
    /// <param name="Start">First token.</param>
    /// <param name="Length">Tokens.</param>
    /// <param name="GoesOn">Whether the document does after the piece.</param>
    /// <param name="Continues">Whether it began before the piece.</param>
    private readonly record struct Piece(long Start, int Length, bool GoesOn, bool Continues);

    /// <summary>Rows of an epoch.</summary>
    public int Rows => _rowStarts.Count - 1;

    /// <summary>Tokens of the documents.</summary>
    public long Tokens { get; }

    /// <summary>Documents longer than T.</summary>
    public long SplitDocuments { get; private set; }

    /// <summary>Tokens whose row does not hold the beginning of their document.</summary>
    public long TokensCutOff => _pieces.Where(piece => piece.Continues).Sum(piece => (long)piece.Length);

    /// <summary>Fills a row of a batch with a packed row, padding at its end.</summary>
    public void Fill(TokenShards shards, long packedRow, PackedBatch batch, int row, bool masked)
    {
        int first = row * _length, at = first;
        for (int i = _rowStarts[(int)packedRow]; i < _rowStarts[(int)packedRow + 1]; i++)
        {
            Piece piece = _pieces[i];
            Span<int> ids = batch.Ids.AsSpan(at, piece.Length), targets = batch.Targets.AsSpan(at, piece.Length);
            shards.Read(piece.Start, ids);
            ids[1..].CopyTo(targets);
            if (piece.GoesOn) shards.Read(piece.Start + piece.Length, targets[^1..]);
            else targets[^1] = -1;
            if (masked) batch.SetSegment(at, at + piece.Length);
            at += piece.Length;
        }
        if (!masked) batch.SetSegment(first, at);
        batch.SetPadding(at, first + _length, padId: 0);
    }
}
