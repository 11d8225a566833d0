using System.Diagnostics;
using System.Text;

namespace Finery.Data.Tokenizers;

/// <summary>How far a training has come.</summary>
/// <param name="Characters">UTF-16 units of text counted so far.</param>
/// <param name="Bytes">UTF-8 bytes of text counted so far.</param>
/// <param name="DistinctChunks">Different chunks found; 0 while counting.</param>
/// <param name="Tokens">Vocabulary entries so far; 0 while counting.</param>
/// <param name="TargetTokens">Vocabulary entries wanted.</param>
public readonly record struct BpeProgress(long Characters, long Bytes, long DistinctChunks, int Tokens, int TargetTokens);

/// <summary>Which ids the parts of a vocabulary get. Between equally frequent pairs the ids decide, so the two orders differ in
/// their merges as well.</summary>
public enum TokenIdOrder
{
    /// <summary>Control tokens, the 256 bytes in order of their mapped characters, merges: as HF's byte-level trainer.</summary>
    SpecialFirst,

    /// <summary>Bytes 0 to 255, merges, control tokens: as tiktoken and rustbpe.</summary>
    BytesFirst,
}

/// <summary>A trained tokenizer, and what it was trained on.</summary>
/// <param name="Tokenizer">The tokenizer.</param>
/// <param name="Texts">Texts read.</param>
/// <param name="Bytes">UTF-8 bytes used of them.</param>
/// <param name="Chunks">Chunks, repetitions included.</param>
/// <param name="DistinctChunks">Different chunks merged.</param>
/// <param name="DroppedChunks">Chunks forgotten to stay within <see cref="BpeTrainer.MaxMemory"/>.</param>
/// <param name="DroppedOccurrences">How often those had occurred.</param>
/// <param name="Counting">Time of reading and counting.</param>
/// <param name="Merging">Time of merging.</param>
public sealed record BpeTraining(
    Tokenizer Tokenizer, long Texts, long Bytes, long Chunks, long DistinctChunks, long DroppedChunks, long DroppedOccurrences,
    TimeSpan Counting, TimeSpan Merging);

/// <summary>
/// Trains byte-level BPE as HF tokenizers does: chunks of <see cref="PreTokenizer"/> are counted, then the most frequent
/// adjacent pair is merged until the vocabulary is full; ties go to the smaller (left id, right id). The result does not depend
/// on <see cref="Threads"/>, nor, as long as nothing is dropped for <see cref="MaxMemory"/>, on the order of the texts.
/// </summary>
public sealed record BpeTrainer
{
    /// <summary>Entries wanted, special tokens and the 256 bytes included. Training ends earlier when pairs run out.</summary>
    public int VocabSize { get; init; } = 32_768;

    /// <summary>A pair seen less often than this is never merged.</summary>
    public long MinFrequency { get; init; } = 2;

    /// <summary>A merge is considered only if its two parts together have fewer bytes than this (HF's strict
    /// comparison).</summary>
    public int MaxTokenLength { get; init; } = int.MaxValue;

    /// <summary>Control tokens. No token learned contains the text of one.</summary>
    public IReadOnlyList<string> SpecialTokens { get; init; } = ControlTokens.All;

    /// <summary>Where control tokens and bytes stand.</summary>
    public TokenIdOrder IdOrder { get; init; }

    /// <summary>How text is cut into chunks.</summary>
    public SplitPattern Pattern { get; init; } = SplitPattern.Llama3;

    /// <summary>Threads that count chunks; 0 = one per processor.</summary>
    public int Threads { get; init; }

    /// <summary>UTF-16 units used of each text; the rest is ignored.</summary>
    public int MaxDocumentChars { get; init; } = int.MaxValue;

    /// <summary>UTF-16 units used of the whole corpus (nanochat: 2e9); texts after that are not read.</summary>
    public long MaxCorpusChars { get; init; } = 10_000_000_000;

    /// <summary>Bytes that counting and merging may take, estimated from the distinct chunks. When they would take more, the
    /// rarest chunks are forgotten until half of that is left; <see cref="BpeTraining.DroppedChunks"/> says how many.</summary>
    public long MaxMemory { get; init; } = 8L << 30;

    internal int EpochBatches { get; init; } = ChunkCounts.DefaultEpochBatches;

    /// <summary>Trains on <paramref name="texts"/>, which is read once and never held as a whole.</summary>
    /// <exception cref="ArgumentException">A setting is impossible.</exception>
    /// <exception cref="InvalidDataException">The texts are empty, or need more than <see cref="MaxMemory"/>.</exception>
    public Tokenizer Train(IEnumerable<string> texts, IProgress<BpeProgress>? progress = null) => Run(texts, progress).Tokenizer;

    /// <summary>As <see cref="Train(IEnumerable{string}, IProgress{BpeProgress})"/>, with figures.</summary>
    /// <exception cref="OperationCanceledException"><paramref name="stop"/> was signalled.</exception>
    public BpeTraining Run(IEnumerable<string> texts, IProgress<BpeProgress>? progress = null, CancellationToken stop = default)
    {
        Validate();
        long start = Stopwatch.GetTimestamp();
        var counts = ChunkCounts.Count(
            Capped(texts), Pattern, Threads == 0 ? Environment.ProcessorCount : Threads, MaxMemory, EpochBatches,
            counts => progress?.Report(new BpeProgress(counts.Characters, counts.Bytes, 0, 0, VocabSize)), stop);
        return Merge(counts, Stopwatch.GetElapsedTime(start), progress, stop);
    }

    /// <summary>Trains on chunks already counted.</summary>
    internal Tokenizer Train(IReadOnlyDictionary<byte[], long> counts)
    {
        Validate();
        return Merge(ChunkCounts.Of(counts), default, null, default).Tokenizer;
    }

    private BpeTraining Merge(ChunkCounts counts, TimeSpan counting, IProgress<BpeProgress>? progress, CancellationToken stop)
    {
        if (counts.Chunks == 0)
            throw new InvalidDataException("Cannot train a tokenizer: the texts are empty. Give it at least one document.");
        long start = Stopwatch.GetTimestamp(), distinct = counts.Distinct;
        bool bytesFirst = IdOrder == TokenIdOrder.BytesFirst;
        byte[] bytes = bytesFirst ? [.. Enumerable.Range(0, 256).Select(value => (byte)value)] : ByteAlphabet.SortedBytes;
        List<string> tokens = bytesFirst ? [] : [.. SpecialTokens];
        int firstByte = tokens.Count;
        foreach (byte value in bytes) tokens.Add(ByteAlphabet.ToChar(value).ToString());

        var merges = new PairMerger(counts, tokens, firstByte, bytes, SpecialTokens, MaxTokenLength)
            .Merge(bytesFirst ? VocabSize - SpecialTokens.Count : VocabSize, Math.Max(1, MinFrequency), made => progress?.Report(
                new BpeProgress(counts.Characters, counts.Bytes, distinct, bytesFirst ? made + SpecialTokens.Count : made, VocabSize)),
                stop);
        int firstSpecial = bytesFirst ? tokens.Count : 0;
        if (bytesFirst) tokens.AddRange(SpecialTokens);
        return new BpeTraining(
            Build([.. tokens], [.. merges], firstSpecial), counts.Texts, counts.Bytes, counts.Chunks, distinct,
            counts.Dropped.Chunks, counts.Dropped.Occurrences, counting, Stopwatch.GetElapsedTime(start));
    }

    private Tokenizer Build(string[] tokens, (int, int)[] merges, int firstSpecial)
    {
        string? Named(string name) => SpecialTokens.Contains(name) ? name : null;
        string? bos = Named(ControlTokens.BeginOfText);
        bool chat = ChatTemplate.Fits(SpecialTokens);
        return new Tokenizer(new TokenizerModel
        {
            Tokens = tokens,
            Merges = merges,
            Added = [.. SpecialTokens.Select((content, index) => new AddedToken(firstSpecial + index, content))],
            Pattern = Pattern,
            Layout = TokenizerLayout.Create(Pattern, bos, bos is null ? 0 : Array.IndexOf(tokens, bos)),
            Config = new TokenizerConfig
            {
                BosToken = bos,
                EosToken = Named(ControlTokens.EndOfText),
                PadToken = Named(ControlTokens.Pad),
                ChatTemplate = chat ? ChatTemplate.Jinja : null,
            },
        });
    }

    private IEnumerable<string> Capped(IEnumerable<string> texts)
    {
        long left = MaxCorpusChars;
        foreach (string text in texts)
        {
            int length = (int)Math.Min(Math.Min(text.Length, MaxDocumentChars), left);
            if (length < text.Length && length > 0 && char.IsHighSurrogate(text[length - 1])) length--;
            if (length > Array.MaxLength / 3)
                throw new InvalidDataException($"A text has {length} characters; set MaxDocumentChars to at most {Array.MaxLength / 3}.");
            yield return length == text.Length ? text : text[..length];
            if ((left -= length) <= 0) yield break;
        }
    }

    private void Validate()
    {
        int least = SpecialTokens.Count + 256;
        if (VocabSize < least)
            throw new ArgumentException(
                $"{nameof(VocabSize)} {VocabSize} is too small: special tokens and the 256 bytes already take {least}.");
        if (MaxTokenLength < 2) throw new ArgumentException($"{nameof(MaxTokenLength)} {MaxTokenLength} must be at least 2.");
        if (Threads < 0) throw new ArgumentException($"{nameof(Threads)} {Threads} must not be negative.");
        if (MaxDocumentChars <= 0 || MaxCorpusChars <= 0 || MaxMemory <= 0)
            throw new ArgumentException("MaxDocumentChars, MaxCorpusChars and MaxMemory must be positive.");
        var seen = new HashSet<string>(StringComparer.Ordinal);
        foreach (string token in SpecialTokens)
        {
            if (token.Length < 2 || Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(token)) != token)
                throw new ArgumentException($"Special token \"{token}\" must have at least two characters and be valid Unicode.");
            if (!seen.Add(token)) throw new ArgumentException($"Special token \"{token}\" is listed twice.");
        }
    }
}
