using System.Runtime.CompilerServices;
using System.Text;

namespace Finery.Data.Classifiers;

/// <summary> Words, then labels, of a fastText model, in the order of their rows, and the way from a token to rows of the input
/// matrix: its own row if the word is known, and those of its character n-grams, which follow the words. Immutable.
/// </summary>
internal sealed class ModelDictionary
{
    private const ulong WordNgramPrime = 116049371;

    // Beyond it the n-grams of known words are hashed anew each time instead of being remembered (4 bytes each).
    private const long MostRememberedRows = 64 << 20;

    private readonly byte[] _text;
    private readonly int[] _starts;
    private readonly long[] _counts;
    private readonly uint[] _hashes;
    private readonly int[] _slots;
    private readonly (int Bucket, int Row)[]? _prunePairs;
    private readonly PruneTable? _pruned;
    private readonly BucketHash _bucket;
    private readonly int _minN;
    private readonly int _maxN;
    private readonly int[]? _rows;
    private readonly int[]? _rowStarts;

    /// <summary>A dictionary of words and labels.</summary>
    /// <param name="arguments">What n-grams are used.</param>
    /// <param name="text">All entries without separators.</param>
    /// <param name="starts">Where each entry starts, and where the last ends.</param>
    /// <param name="counts">How often each occurs in the training text.</param>
    /// <param name="wordCount">Words; what follows is labels.</param>
    /// <param name="tokenCount">Tokens of the training text.</param>
    /// <param name="prunePairs">Buckets that survived pruning with their row after the words; null for all.</param>
    public ModelDictionary(
        ModelArguments arguments, byte[] text, int[] starts, long[] counts, int wordCount, long tokenCount,
        (int Bucket, int Row)[]? prunePairs)
    {
        (_text, _starts, _counts, _prunePairs) = (text, starts, counts, prunePairs);
        (WordCount, TokenCount) = (wordCount, tokenCount);
        _bucket = new BucketHash(arguments.Bucket);
        (_minN, _maxN) = (arguments.MinN, arguments.MaxN);
        WordNgrams = arguments.WordNgrams;
        _pruned = prunePairs is { Length: > 0 } ? new PruneTable(prunePairs) : null;
        _hashes = new uint[counts.Length];
        _slots = new int[System.Numerics.BitOperations.RoundUpToPowerOf2((uint)(counts.Length + counts.Length / 2 + 2))];
        _slots.AsSpan().Fill(-1);
        for (var id = 0; id < counts.Length; id++)
        {
            _hashes[id] = TokenScanner.HashOf(Word(id));
            // Of equal words the last counts, as in fastText.
            _slots[Slot(Word(id), _hashes[id])] = id;
        }
        Labels = new string[LabelCount];
        for (var label = 0; label < LabelCount; label++)
            Labels[label] = Encoding.UTF8.GetString(Word(WordCount + label));
        if (_maxN > 0)
            (_rows, _rowStarts) = RememberRows();
    }

    public int WordCount { get; }

    public int LabelCount => _counts.Length - WordCount;

    public long TokenCount { get; }

    public int WordNgrams { get; }

    /// <summary>The labels with their prefix.</summary>
    public string[] Labels { get; }

    /// <summary>Whether only some buckets have a row.</summary>
    public bool IsPruned => _prunePairs is not null;

    /// <summary>Counts of the labels.</summary>
    public ReadOnlySpan<long> LabelCounts => _counts.AsSpan(WordCount);

    public long CountOf(int id) => _counts[id];

    /// <summary>Bytes of a word or label.</summary>
    public ReadOnlySpan<byte> Word(int id) => _text.AsSpan(_starts[id], _starts[id + 1] - _starts[id]);

    /// <summary>Number of a word or, after the words, a label; -1 if unknown.</summary>
    public int Find(ReadOnlySpan<byte> token, uint hash) => _slots[Slot(token, hash)];

    /// <summary>Fewest rows an input matrix must have for every row number to exist.</summary>
    public long RequiredRows(ModelArguments arguments)
    {
        if (_prunePairs is null)
            return WordCount + (arguments.HasNgrams ? (long)arguments.Bucket : 0);
        var highest = -1;
        foreach (var (_, row) in _prunePairs)
            highest = Math.Max(highest, row);
        return WordCount + highest + 1L;
    }

    /// <summary>Appends the rows of a token that is no label.</summary>
    /// <param name="text">Holds the token with at least one byte on either side, which are overwritten.</param>
    /// <param name="start">Where the token starts.</param>
    /// <param name="end">Where it ends.</param>
    /// <param name="id">Its number, or -1.</param>
    /// <param name="rows">Where to.</param>
    public void AddRows(Span<byte> text, int start, int end, int id, RowList rows)
    {
        if (id >= 0 && _maxN == 0)
            rows.Add(id);
        else if (id >= 0 && _rows is not null)
            rows.AddRange(_rows.AsSpan(_rowStarts![id], _rowStarts[id + 1] - _rowStarts[id]));
        else
            ComputeRows(text, start, end, id, rows);
    }

    /// <summary>Appends the rows of the word n-grams of a line.</summary>
    /// <param name="hashes">Hashes of its words.</param>
    /// <param name="rows">Where to.</param>
    public void AddWordNgrams(ReadOnlySpan<int> hashes, RowList rows)
    {
        for (var i = 0; i < hashes.Length; i++)
        {
            // Both are sign-extended: the hashes are kept in 32 signed bits.
            var hash = (ulong)hashes[i];
            for (var j = i + 1; j < hashes.Length && j < i + WordNgrams; j++)
            {
                hash = hash * WordNgramPrime + (ulong)hashes[j];
                AddBucket(_bucket.Of(hash), rows);
            }
        }
    }

    /// <summary>Reads the part of a model file that follows the settings.</summary>
    public static ModelDictionary Read(ModelReader reader, ModelArguments arguments)
    {
        int size = reader.ReadInt32(), words = reader.ReadInt32(), labels = reader.ReadInt32();
        long tokens = reader.ReadInt64(), pruned = reader.ReadInt64();
        if (words < 0 || labels <= 0 || size != (long)words + labels)
            throw reader.Bad($"its dictionary of {size} entries cannot have {words} words and {labels} labels");
        // A zero byte, a count and a type.
        reader.Require(size, 10, "dictionary entries");
        var text = new List<byte>();
        var starts = new int[size + 1];
        var counts = new long[size];
        for (var i = 0; i < size; i++)
        {
            reader.ReadTerminated(text);
            starts[i + 1] = text.Count;
            counts[i] = reader.ReadInt64();
            var type = reader.ReadByte();
            if (type != (i < words ? 0 : 1))
                throw reader.Bad(
                    $"entry {i} of its dictionary has type {type}, where a {(i < words ? "word" : "label")} is expected");
        }
        return new(arguments, [.. text], starts, counts, words, tokens, ReadPrunePairs(reader, pruned));
    }

    public void Write(BinaryWriter writer)
    {
        writer.Write(_counts.Length);
        writer.Write(WordCount);
        writer.Write(LabelCount);
        writer.Write(TokenCount);
        writer.Write(_prunePairs?.LongLength ?? -1);
        for (var id = 0; id < _counts.Length; id++)
        {
            writer.Write(Word(id));
            writer.Write((byte)0);
            writer.Write(_counts[id]);
            writer.Write((byte)(id < WordCount ? 0 : 1));
        }
        foreach (var (bucket, row) in _prunePairs ?? [])
        {
            writer.Write(bucket);
            writer.Write(row);
        }
    }

    /// <summary>The dictionary that keeps some rows of the input matrix only.</summary>
    /// <param name="arguments">What n-grams are used.</param>
    /// <param name="rows">The rows kept: words ascending, then buckets in the order of their new rows.</param>
    public ModelDictionary Prune(ModelArguments arguments, ReadOnlySpan<int> rows)
    {
        var words = 0;
        while (words < rows.Length && rows[words] < WordCount)
            words++;
        var pairs = new (int, int)[rows.Length - words];
        for (var i = 0; i < pairs.Length; i++)
            pairs[i] = (rows[words + i] - WordCount, i);
        int[] kept = [.. rows[..words], .. Enumerable.Range(WordCount, LabelCount)];
        var text = new List<byte>();
        var starts = new int[kept.Length + 1];
        var counts = new long[kept.Length];
        for (var i = 0; i < kept.Length; i++)
        {
            CollectionExtensions.AddRange(text, Word(kept[i]));
            starts[i + 1] = text.Count;
            counts[i] = _counts[kept[i]];
        }
        return new(arguments, [.. text], starts, counts, words, TokenCount, pairs);
    }

    private static (int, int)[]? ReadPrunePairs(ModelReader reader, long count)
    {
        if (count < 0)
            return null;
        reader.Require(count, 8, "pruned n-grams");
        if (count > Array.MaxLength / 4)
            throw reader.Bad($"{count} pruned n-grams are more than can be held");
        var pairs = new (int Bucket, int Row)[count];
        for (var i = 0; i < pairs.Length; i++)
        {
            pairs[i] = (reader.ReadInt32(), reader.ReadInt32());
            if (pairs[i].Bucket < 0 || pairs[i].Row < 0)
                throw reader.Bad($"pruned n-gram {i} has a negative bucket or row");
        }
        return pairs;
    }

    private (int[]?, int[]?) RememberRows()
    {
        // A word of b bytes has at most b + 2 starts of maxN - minN + 1 n-grams.
        var most = (_text.LongLength + 2L * WordCount) * Math.Max(0, _maxN - _minN + 1) + WordCount;
        if (most > MostRememberedRows)
            return (null, null);
        var rows = new RowList();
        var starts = new int[WordCount + 1];
        var buffer = new byte[64];
        for (var id = 0; id < WordCount; id++)
        {
            var word = Word(id);
            if (buffer.Length < word.Length + 2)
                buffer = new byte[2 * word.Length + 2];
            word.CopyTo(buffer.AsSpan(1));
            ComputeRows(buffer, 1, word.Length + 1, id, rows);
            starts[id + 1] = rows.Count;
        }
        return (rows.Span.ToArray(), starts);
    }

    /// <summary>Rows of a word and the n-grams of <c>&lt;word&gt;</c>: every run of minN to maxN UTF-8 characters, except a
    /// single one at either edge.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void ComputeRows(Span<byte> text, int start, int end, int id, RowList rows)
    {
        if (id >= 0)
            rows.Add(id);
        if (text[start..end].SequenceEqual(TokenScanner.EndOfLine) || IsWithoutBuckets)
            return;
        text[start - 1] = (byte)'<';
        text[end] = (byte)'>';
        var word = text[(start - 1)..(end + 1)];
        for (var i = 0; i < word.Length; i++)
        {
            if ((word[i] & 0xC0) == 0x80)
                continue;
            var hash = TokenScanner.Seed;
            for (int j = i, n = 1; j < word.Length && n <= _maxN; n++)
            {
                do
                    hash = TokenScanner.Step(hash, word[j++]);
                while (j < word.Length && (word[j] & 0xC0) == 0x80);
                if (n >= _minN && !(n == 1 && (i == 0 || j == word.Length)))
                    AddBucket(_bucket.Of(hash), rows);
            }
        }
    }

    // Pruned down to words alone: no n-gram has a row.
    private bool IsWithoutBuckets => _prunePairs is { Length: 0 };

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void AddBucket(int bucket, RowList rows)
    {
        if (_pruned is null)
        {
            if (!IsWithoutBuckets)
                rows.Add(WordCount + bucket);
            return;
        }
        var row = _pruned.Find(bucket);
        if (row >= 0)
            rows.Add(WordCount + row);
    }

    private int Slot(ReadOnlySpan<byte> token, uint hash)
    {
        var mask = _slots.Length - 1;
        // The low bits of FNV serve both tables and buckets; spreading them keeps chains short.
        var slot = (int)((hash * 2654435769u) >> 8) & mask;
        while (_slots[slot] >= 0 && (_hashes[_slots[slot]] != hash || !Word(_slots[slot]).SequenceEqual(token)))
            slot = (slot + 1) & mask;
        return slot;
    }
}
