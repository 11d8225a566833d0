namespace Finery.Data.Tokenizers;

/// <summary>The merges of a tokenizer, indexed for encoding. Immutable.</summary>
internal sealed class MergeTable
{
    private readonly TokenTable? _wholeChunks;

    private MergeTable(int[] byteIds, Merge[] merges, TokenTable? wholeChunks) =>
        (ByteIds, Pairs, _wholeChunks) = (byteIds, new PairTable(merges), wholeChunks);

    /// <summary>Id of each single byte.</summary>
    public int[] ByteIds { get; }

    /// <summary>The merges by their pairs.</summary>
    public PairTable Pairs { get; }

    /// <summary>Id of a chunk that is a whole vocabulary entry, where the tokenizer takes such chunks without merging.</summary>
    public bool TryGetWhole(ReadOnlySpan<byte> chunk, out int id)
    {
        id = 0;
        return _wholeChunks is not null && _wholeChunks.TryGet(chunk, out id);
    }

    /// <exception cref="InvalidDataException">A byte or the result of a merge is missing from the vocabulary.</exception>
    public static MergeTable Create(TokenizerModel model, Dictionary<string, int> ids, bool[] special)
    {
        var byteIds = new int[256];
        for (int b = 0; b < 256; b++)
        {
            string text = ByteAlphabet.ToChar((byte)b).ToString();
            if (!ids.TryGetValue(text, out byteIds[b]))
                throw new InvalidDataException(
                    $"The vocabulary lacks \"{text}\", the character of byte 0x{b:X2}: byte-level BPE needs all 256.");
        }
        var merges = new Merge[model.Merges.Length];
        for (int rank = 0; rank < merges.Length; rank++)
        {
            (int left, int right) = model.Merges[rank];
            string text = model.Tokens[left] + model.Tokens[right];
            if (!ids.TryGetValue(text, out int merged))
                throw new InvalidDataException(
                    $"Merge {rank}, \"{model.Tokens[left]}\" + \"{model.Tokens[right]}\", makes \"{text}\", " +
                    "which is not in the vocabulary.");
            if (special[merged])
                throw new InvalidDataException($"Merge {rank} makes the control token \"{text}\" out of ordinary text.");
            merges[rank] = new Merge(left, right, merged);
        }
        TokenTable? wholeChunks = model.IgnoreMerges
            ? new TokenTable([.. model.Tokens.Select((token, id) => special[id] ? null : ByteAlphabet.ToBytes(token))])
            : null;
        return new MergeTable(byteIds, merges, wholeChunks);
    }
}
