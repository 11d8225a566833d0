using System.Buffers;
using System.Runtime.InteropServices;
using System.Text;

namespace Finery.Data.Tokenizers;

/// <summary>
/// The Unigram model of SentencePiece as the Unigram of <c>tokenizer.json</c> defines it: of all ways to cut a chunk into pieces
/// the one of the highest summed score. Of equal sums the one whose last piece begins first wins, from the end backwards. A
/// character that is no piece costs the lowest score less 10; neighbouring unknowns are one.
/// </summary>
internal sealed class Unigram : ChunkModel
{
    private const double UnknownPenalty = 10;

    /// <summary>Bytes in the longest piece accepted: encoding takes time proportional to text times this.</summary>
    private const int LongestPiece = 1024;

    private readonly PieceTrie _trie;
    private readonly double[] _scores;
    private readonly double _unknownScore;
    private readonly int? _unknownId;
    private readonly int[]? _byteIds;

    /// <param name="pieces">The pieces with their log probabilities, by id.</param>
    /// <param name="unknownId">The id for what no piece covers, or null: such text is then an error.</param>
    /// <param name="byteFallback">Whether unknown text becomes the pieces <c>&lt;0x00&gt;</c> to <c>&lt;0xFF&gt;</c> of its bytes,
    /// where the vocabulary has all those it needs.</param>
    /// <exception cref="InvalidDataException">The id is not in the vocabulary, or a score is not a number.</exception>
    /// <exception cref="NotSupportedException">A piece is longer than 1,024 bytes.</exception>
    public Unigram(IReadOnlyList<(string Piece, double Score)> pieces, int? unknownId, bool byteFallback)
    {
        if (unknownId is { } id && (id < 0 || id >= pieces.Count))
            throw new InvalidDataException($"The unknown token's id is {id}; the Unigram vocabulary has {pieces.Count} pieces.");
        for (int i = 0; i < pieces.Count; i++)
        {
            if (!double.IsFinite(pieces[i].Score))
                throw new InvalidDataException($"Unigram piece {i} has the score {pieces[i].Score}; expected a finite number.");
            if (Encoding.UTF8.GetByteCount(pieces[i].Piece) is > LongestPiece and var length)
                throw new NotSupportedException($"Unigram piece {i} is {length:N0} bytes long; the most is {LongestPiece:N0}.");
        }
        _trie = new PieceTrie([.. pieces.Select(piece => piece.Piece)]);
        _scores = [.. pieces.Select(piece => piece.Score)];
        _unknownScore = _scores.DefaultIfEmpty(double.PositiveInfinity).Min() - UnknownPenalty;
        _unknownId = unknownId;
        if (byteFallback) _byteIds = [.. Enumerable.Range(0, 256).Select(b => _trie.Find(Encoding.ASCII.GetBytes($"<0x{b:X2}>")))];
    }

    /// <inheritdoc/>
    public override void Encode(ReadOnlySpan<byte> chunk, List<int> destination)
    {
        Step[] best = ArrayPool<Step>.Shared.Rent(chunk.Length + 1); // the best path that ends at each byte
        try
        {
            FindBestPath(chunk, best);
            AppendPath(chunk, best, destination);
        }
        finally
        {
            ArrayPool<Step>.Shared.Return(best);
        }
    }

    private void FindBestPath(ReadOnlySpan<byte> chunk, Step[] best)
    {
        best.AsSpan(0, chunk.Length + 1).Fill(new Step(0, Step.Unreached, 0));
        for (int start = 0, length; start < chunk.Length; start += length)
        {
            Rune.DecodeFromUtf8(chunk[start..], out _, out length);
            double before = best[start].Score;
            bool characterIsPiece = false;
            int node = PieceTrie.Root;
            for (int at = start; at < chunk.Length && (node = _trie.Next(node, chunk[at])) != PieceTrie.None; at++)
            {
                int id = _trie.IdAt(node);
                if (id == PieceTrie.None) continue;
                Offer(ref best[at + 1], before + _scores[id], start, id);
                characterIsPiece |= at + 1 - start == length;
            }
            if (!characterIsPiece) Offer(ref best[start + length], before + _unknownScore, start, UnknownId(chunk, start));
        }

        static void Offer(ref Step end, double score, int start, int id)
        {
            if (end.Start == Step.Unreached || score > end.Score) end = new Step(score, start, id);
        }
    }

    private void AppendPath(ReadOnlySpan<byte> chunk, Step[] best, List<int> destination)
    {
        int before = destination.Count;
        for (int end = chunk.Length, start; end > 0; end = start)
        {
            (_, start, int id) = best[end];
            if (id != _unknownId)
            {
                destination.Add(id);
                continue;
            }
            while (start > 0 && best[start].Id == id) start = best[start].Start;
            AppendUnknown(chunk[start..end], id, destination);
        }
        CollectionsMarshal.AsSpan(destination)[before..].Reverse();
    }

    /// <summary>Appends, last first, the ids of a run of unknown characters.</summary>
    private void AppendUnknown(ReadOnlySpan<byte> text, int unknownId, List<int> destination)
    {
        // with high scores a cheap piece loses to its single characters, all of them unknown: the joined run is that piece again
        if (_trie.Find(text) is not PieceTrie.None and var whole) destination.Add(whole);
        else if (!HasAllBytes(text)) destination.Add(unknownId);
        else for (int i = text.Length - 1; i >= 0; i--) destination.Add(_byteIds![text[i]]);
    }

    private bool HasAllBytes(ReadOnlySpan<byte> text)
    {
        if (_byteIds is null) return false;
        foreach (byte b in text)
        {
            if (_byteIds[b] == PieceTrie.None) return false;
        }
        return true;
    }

    private int UnknownId(ReadOnlySpan<byte> chunk, int at)
    {
        if (_unknownId is { } id) return id;
        Rune.DecodeFromUtf8(chunk[at..], out Rune rune, out _);
        throw new InvalidDataException(
            $"U+{rune.Value:X4} is no piece of the Unigram vocabulary, which has no unknown token either: give it one (unk_id).");
    }

    /// <summary>The best path to one place: its score, and where its last piece begins and which it is.</summary>
    private readonly record struct Step(double Score, int Start, int Id)
    {
        public const int Unreached = -1;
    }
}
