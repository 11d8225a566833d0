using System.Text;

namespace Finery.Data.Tokenizers;

/// <summary>How far a training has come.</summary>
/// <param name="Characters">UTF-16 units of text counted so far.</param>
/// <param name="DistinctChunks">Different chunks found; 0 while counting.</param>
/// <param name="Tokens">Vocabulary entries so far; 0 while counting.</param>
/// <param name="TargetTokens">Vocabulary entries wanted.</param>
public readonly record struct BpeProgress(long Characters, int DistinctChunks, int Tokens, int TargetTokens);

/// <summary>
/// Trains byte-level BPE as HF tokenizers does: chunks of <see cref="PreTokenizer"/> are counted, then the most frequent
/// adjacent pair is merged until the vocabulary is full; ties go to the smaller (left id, right id). Ids: special tokens,
/// the 256 byte characters in order of their mapped code point, then merges. The result does not depend on
/// <see cref="Threads"/> or on the order of the texts.
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

    /// <summary>Control tokens, from id 0.</summary>
    public IReadOnlyList<string> SpecialTokens { get; init; } = ControlTokens.All;

    /// <summary>How text is cut into chunks.</summary>
    public SplitPattern Pattern { get; init; } = SplitPattern.Llama3;

    /// <summary>Threads that count chunks; 0 = one per processor.</summary>
    public int Threads { get; init; }

    /// <summary>UTF-16 units used of each text; the rest is ignored.</summary>
    public int MaxDocumentChars { get; init; } = int.MaxValue;

    /// <summary>UTF-16 units used of the whole corpus (nanochat: 2e9); texts after that are not read.</summary>
    public long MaxCorpusChars { get; init; } = 10_000_000_000;

    /// <summary>More different chunks than this are refused, as they would exhaust memory (about 100 bytes each).</summary>
    public int MaxDistinctChunks { get; init; } = 100_000_000;

    /// <summary>Trains on <paramref name="texts"/>, which is read once and never held as a whole.</summary>
    /// <exception cref="ArgumentException">A setting is impossible.</exception>
    /// <exception cref="InvalidDataException">The texts are empty or have more than <see cref="MaxDistinctChunks"/>.</exception>
    public Tokenizer Train(IEnumerable<string> texts, IProgress<BpeProgress>? progress = null)
    {
        Validate();
        long characters = 0;
        var counts = ChunkCounts.Count(Capped(texts), Pattern, Threads, MaxDistinctChunks,
            total => progress?.Report(new BpeProgress(characters = total, 0, 0, VocabSize)));
        return Train(counts, (chunks, tokens) => progress?.Report(new BpeProgress(characters, chunks, tokens, VocabSize)));
    }

    /// <summary>Trains on chunks already counted.</summary>
    internal Tokenizer Train(IReadOnlyDictionary<byte[], long> counts, Action<int, int>? progress = null)
    {
        if (counts.Count == 0)
            throw new InvalidDataException("Cannot train a tokenizer: the texts are empty. Give it at least one document.");
        var tokens = new List<string>(SpecialTokens);
        foreach (byte value in ByteAlphabet.SortedBytes) tokens.Add(ByteAlphabet.ToChar(value).ToString());

        var merges = new PairMerger(counts, tokens, SpecialTokens, MaxTokenLength)
            .Merge(VocabSize, Math.Max(1, MinFrequency), count => progress?.Invoke(counts.Count, count));

        string? Named(string name) => SpecialTokens.Contains(name) ? name : null;
        string? bos = Named(ControlTokens.BeginOfText);
        bool chat = ChatTemplate.Fits(SpecialTokens);
        return new Tokenizer(new TokenizerModel
        {
            Tokens = [.. tokens],
            Merges = [.. merges],
            Added = [.. SpecialTokens.Select((content, id) => new AddedToken(id, content))],
            Pattern = Pattern,
            Layout = TokenizerLayout.Create(Pattern, bos, bos is null ? 0 : tokens.IndexOf(bos)),
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
        if (MaxDocumentChars <= 0 || MaxCorpusChars <= 0 || MaxDistinctChunks <= 0)
            throw new ArgumentException("MaxDocumentChars, MaxCorpusChars and MaxDistinctChunks must be positive.");
        var seen = new HashSet<string>(StringComparer.Ordinal);
        foreach (string token in SpecialTokens)
        {
            if (token.Length < 2 || Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(token)) != token)
                throw new ArgumentException($"Special token \"{token}\" must have at least two characters and be valid Unicode.");
            if (!seen.Add(token)) throw new ArgumentException($"Special token \"{token}\" is listed twice.");
        }
    }
}
