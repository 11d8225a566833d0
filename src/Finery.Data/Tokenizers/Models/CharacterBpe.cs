using System.Runtime.InteropServices;
using System.Text;

namespace Finery.Data.Tokenizers;

/// <summary>What a <see cref="CharacterBpe"/> does beside merging; the names in <c>tokenizer.json</c> are in brackets.</summary>
internal sealed record CharacterBpeOptions
{
    /// <summary>Id for characters outside the vocabulary [unk_token]; where null they vanish, as they do in the format.</summary>
    public int? UnknownId { get; init; }

    /// <summary>Whether neighbouring unknown characters are one token [fuse_unk].</summary>
    public bool FuseUnknown { get; init; }

    /// <summary>Whether unknown characters become the tokens <c>&lt;0x00&gt;</c> to <c>&lt;0xFF&gt;</c> of their bytes, where the
    /// vocabulary has all those of the character [byte_fallback].</summary>
    public bool ByteFallback { get; init; }

    /// <summary>Text put before every character but a chunk's first; a merge drops it from its right part
    /// [continuing_subword_prefix].</summary>
    public string? ContinuingSubwordPrefix { get; init; }

    /// <summary>Text put after a chunk's last character [end_of_word_suffix].</summary>
    public string? EndOfWordSuffix { get; init; }

    /// <summary>Whether a chunk that is a whole token is that token, whatever the merges make of it [ignore_merges].</summary>
    public bool IgnoreMerges { get; init; }
}

/// <summary>Byte-pair encoding that begins with code points, as in Llama 2 and Gemma: pairs of tokens merge by lowest rank,
/// leftmost first. Takes n log n for a chunk of any length, since these models often see a whole document as one chunk.</summary>
internal sealed class CharacterBpe : ChunkModel
{
    private const int None = -1;

    /// <summary>Bytes in a prefix or suffix at most: the prefix is put before every character.</summary>
    private const int LongestAffix = 256;

    private readonly Dictionary<byte[], int>.AlternateLookup<ReadOnlySpan<byte>> _ids;
    private readonly PairTable _pairs;
    private readonly CharacterBpeOptions _options;
    private readonly byte[] _prefix, _suffix;
    private readonly int[] _byteIds = new int[256];

    /// <param name="tokens">The tokens by id; null where an id is not in use.</param>
    /// <param name="merges">Pairs of ids, lowest rank first.</param>
    /// <param name="options">What else the model does.</param>
    /// <exception cref="InvalidDataException">An id, or what a merge makes, is not in the vocabulary.</exception>
    /// <exception cref="NotSupportedException">The prefix or suffix is longer than 256 bytes.</exception>
    public CharacterBpe(string?[] tokens, (int Left, int Right)[] merges, CharacterBpeOptions options)
    {
        if (options.UnknownId is { } unknown && (unknown < 0 || unknown >= tokens.Length))
            throw new InvalidDataException($"The unknown token's id is {unknown}; the vocabulary has {tokens.Length} tokens.");
        _options = options;
        _prefix = Encoding.UTF8.GetBytes(options.ContinuingSubwordPrefix ?? "");
        _suffix = Encoding.UTF8.GetBytes(options.EndOfWordSuffix ?? "");
        if (Math.Max(_prefix.Length, _suffix.Length) is > LongestAffix and var length)
            throw new NotSupportedException(
                $"A continuing prefix or end-of-word suffix of {length:N0} bytes; the most is {LongestAffix}.");
        var ids = new Dictionary<byte[], int>(tokens.Length, ByteComparer.Instance);
        for (int id = 0; id < tokens.Length; id++)
        {
            if (tokens[id] is { } token) ids[Encoding.UTF8.GetBytes(token)] = id;
        }
        _ids = ids.GetAlternateLookup<ReadOnlySpan<byte>>();
        for (int b = 0; b < 256; b++)
            _byteIds[b] = _ids.TryGetValue(Encoding.ASCII.GetBytes($"<0x{b:X2}>"), out int id) ? id : None;
        var table = new Merge[merges.Length];
        var ranks = new Dictionary<(int Left, int Right), int>(merges.Length);
        for (int rank = 0; rank < merges.Length; rank++)
        {
            // of a pair listed twice the later rank counts: the earlier one stands for no pair
            if (ranks.TryGetValue(merges[rank], out int earlier)) table[earlier] = new Merge(None, None, None);
            ranks[merges[rank]] = rank;
            table[rank] = new Merge(merges[rank].Left, merges[rank].Right, Merged(tokens, merges[rank], rank));
        }
        _pairs = new PairTable(table);
    }

    /// <inheritdoc/>
    public override void Encode(ReadOnlySpan<byte> chunk, List<int> destination)
    {
        if (chunk.IsEmpty) return;
        if (_options.IgnoreMerges && _ids.TryGetValue(chunk, out int whole))
        {
            destination.Add(whole);
            return;
        }
        // a character gives at most one symbol or, with byte fallback, one for each byte of it and what was put around it
        var symbols = new List<int>(Math.Min(chunk.Length, 1 << 20));
        AppendSymbols(chunk, symbols);
        Span<int> ids = CollectionsMarshal.AsSpan(symbols);
        destination.AddRange(ids[..HeapMerge.Merge(ids, _pairs)]);
    }

    /// <summary>Id of what a merge makes: the left token and the right one, of which as many bytes as the continuing prefix has
    /// are dropped.</summary>
    private int Merged(string?[] tokens, (int Left, int Right) pair, int rank)
    {
        string? left = pair.Left >= 0 && pair.Left < tokens.Length ? tokens[pair.Left] : null;
        string? right = pair.Right >= 0 && pair.Right < tokens.Length ? tokens[pair.Right] : null;
        if (left is null || right is null)
            throw new InvalidDataException(
                $"Merge {rank} joins the ids {pair.Left} and {pair.Right}; the vocabulary has no token for one of them.");
        byte[] end = Encoding.UTF8.GetBytes(right);
        if (end.Length < _prefix.Length)
            throw new InvalidDataException(
                $"Merge {rank}, \"{left}\" + \"{right}\": the right part is shorter than the continuing prefix " +
                $"\"{_options.ContinuingSubwordPrefix}\".");
        byte[] text = [.. Encoding.UTF8.GetBytes(left), .. end[_prefix.Length..]];
        return _ids.TryGetValue(text, out int id)
            ? id
            : throw new InvalidDataException(
                $"Merge {rank}, \"{left}\" + \"{right}\", makes \"{Encoding.UTF8.GetString(text)}\", " +
                "which is not in the vocabulary.");
    }

    /// <summary>The ids of the chunk's characters before any merge.</summary>
    private void AppendSymbols(ReadOnlySpan<byte> chunk, List<int> symbols)
    {
        byte[] spelling = _prefix.Length + _suffix.Length == 0 ? [] : new byte[_prefix.Length + 4 + _suffix.Length];
        bool pendingUnknown = false;
        for (int at = 0, length; at < chunk.Length; at += length)
        {
            Rune.DecodeFromUtf8(chunk[at..], out _, out length);
            bool isLast = at + length == chunk.Length;
            ReadOnlySpan<byte> text = Spell(chunk.Slice(at, length), isFirst: at == 0, isLast, spelling);
            if (_ids.TryGetValue(text, out int id))
            {
                if (pendingUnknown) symbols.Add(_options.UnknownId!.Value);
                pendingUnknown = false;
                symbols.Add(id);
            }
            else if (_options.ByteFallback && HasAllBytes(text))
            {
                // an unknown before these bytes stays pending and so comes after them: the format's order, odd as it is
                foreach (byte b in text) symbols.Add(_byteIds[b]);
            }
            else if (_options.UnknownId is { } unknown)
            {
                if (pendingUnknown && !_options.FuseUnknown) symbols.Add(unknown);
                pendingUnknown = true;
            }
        }
        if (pendingUnknown) symbols.Add(_options.UnknownId!.Value);
    }

    private ReadOnlySpan<byte> Spell(ReadOnlySpan<byte> character, bool isFirst, bool isLast, byte[] spelling)
    {
        ReadOnlySpan<byte> prefix = isFirst ? [] : _prefix, suffix = isLast ? _suffix : [];
        if (prefix.IsEmpty && suffix.IsEmpty) return character;
        prefix.CopyTo(spelling);
        character.CopyTo(spelling.AsSpan(prefix.Length));
        suffix.CopyTo(spelling.AsSpan(prefix.Length + character.Length));
        return spelling.AsSpan(0, prefix.Length + character.Length + suffix.Length);
    }

    private bool HasAllBytes(ReadOnlySpan<byte> text)
    {
        foreach (byte b in text)
        {
            if (_byteIds[b] == None) return false;
        }
        return true;
    }
}
