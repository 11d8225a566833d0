namespace Finery.Data.Tokenizers;

/// <summary>The merges of a tokenizer, indexed for encoding.</summary>
internal sealed class MergeTable
{
    private readonly Dictionary<ulong, Merge> _merges = [];
    private readonly Dictionary<byte[], int>.AlternateLookup<ReadOnlySpan<byte>>? _wholeChunks;

    private MergeTable(TokenizerModel model, bool[] special)
    {
        if (!model.IgnoreMerges) return;
        var chunks = new Dictionary<byte[], int>(model.Tokens.Length, ByteComparer.Instance);
        for (int id = 0; id < model.Tokens.Length; id++)
        {
            if (!special[id]) chunks.TryAdd(ByteAlphabet.ToBytes(model.Tokens[id]), id);
        }
        _wholeChunks = chunks.GetAlternateLookup<ReadOnlySpan<byte>>();
    }

    /// <summary>Id of each single byte.</summary>
    public int[] ByteIds { get; } = new int[256];

    public bool TryGet(int left, int right, out Merge merge) =>
        _merges.TryGetValue(((ulong)(uint)left << 32) | (uint)right, out merge);

    /// <summary>Id of a chunk that is a whole vocabulary entry, where the tokenizer takes such chunks without merging.</summary>
    public bool TryGetWhole(ReadOnlySpan<byte> chunk, out int id)
    {
        id = 0;
        return _wholeChunks is { } chunks && chunks.TryGetValue(chunk, out id);
    }

    /// <exception cref="InvalidDataException">A byte or the result of a merge is missing from the vocabulary.</exception>
    public static MergeTable Create(TokenizerModel model, Dictionary<string, int> ids, bool[] special)
    {
        var table = new MergeTable(model, special);
        for (int b = 0; b < 256; b++)
        {
            string text = ByteAlphabet.ToChar((byte)b).ToString();
            if (!ids.TryGetValue(text, out table.ByteIds[b]))
                throw new InvalidDataException(
                    $"The vocabulary lacks \"{text}\", the character of byte 0x{b:X2}: byte-level BPE needs all 256.");
        }
        for (int rank = 0; rank < model.Merges.Length; rank++)
        {
            (int left, int right) = model.Merges[rank];
            string text = model.Tokens[left] + model.Tokens[right];
            if (!ids.TryGetValue(text, out int merged))
                throw new InvalidDataException(
                    $"Merge {rank}, \"{model.Tokens[left]}\" + \"{model.Tokens[right]}\", makes \"{text}\", " +
                    "which is not in the vocabulary.");
            if (special[merged])
                throw new InvalidDataException($"Merge {rank} makes the control token \"{text}\" out of ordinary text.");
            table._merges.TryAdd(((ulong)(uint)left << 32) | (uint)right, new Merge(rank, merged));
        }
        return table;
    }

    internal readonly record struct Merge(int Rank, int Id);
}
