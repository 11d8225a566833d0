using System.Buffers;
using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;

namespace Finery.Data.Tokenizers;

/// <summary>
/// Byte-level BPE: text to ids and back, without loss for valid Unicode (a lone surrogate becomes U+FFFD). Immutable and
/// safe to use from many threads. Encoding never adds a begin or end token by itself: the caller, or
/// <see cref="ChatTemplate"/>, writes them.
/// </summary>
public sealed class Tokenizer
{
    private readonly byte[][] _bytes; // by id
    private readonly bool[] _special; // by id
    private readonly Dictionary<string, int> _ids;
    private readonly MergeTable _merges;
    private readonly AddedToken[] _addedLongestFirst;
    private readonly SearchValues<char> _plainStarts, _allStarts;
    private readonly ConcurrentBag<TextEncoder> _encoders = [];
    private readonly Lazy<string> _fingerprint;

    internal Tokenizer(TokenizerModel model)
    {
        Model = model;
        int count = model.Tokens.Length;
        _ids = new Dictionary<string, int>(count, StringComparer.Ordinal);
        _bytes = new byte[count][];
        _special = new bool[count];
        for (int id = 0; id < count; id++)
        {
            if (!_ids.TryAdd(model.Tokens[id], id))
                throw new InvalidDataException(
                    $"The vocabulary has \"{model.Tokens[id]}\" twice: ids {_ids[model.Tokens[id]]} and {id}.");
            _bytes[id] = ByteAlphabet.ToBytes(model.Tokens[id]);
        }
        foreach (AddedToken added in model.Added)
        {
            _bytes[added.Id] = Encoding.UTF8.GetBytes(added.Content);
            _special[added.Id] = added.Special;
        }
        _merges = MergeTable.Create(model, _ids, _special);
        _addedLongestFirst = [.. model.Added.OrderByDescending(added => added.Content.Length).ThenBy(added => added.Id)];
        _plainStarts = Starts(_addedLongestFirst.Where(added => !added.Special));
        _allStarts = Starts(_addedLongestFirst);
        // the file without tokenizer_config.json: what decides the ids
        _fingerprint = new(() => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(TokenizerFile.ToJson(this)))));
    }

    private Tokenizer(Tokenizer other, TokenizerConfig config)
    {
        (_bytes, _special, _ids, _merges) = (other._bytes, other._special, other._ids, other._merges);
        (_addedLongestFirst, _plainStarts, _allStarts) = (other._addedLongestFirst, other._plainStarts, other._allStarts);
        (_fingerprint, Model) = (other._fingerprint, other.Model with { Config = config });
    }

    internal TokenizerModel Model { get; }

    /// <summary>Number of ids; they run from 0 without a gap.</summary>
    public int VocabSize => _bytes.Length;

    /// <summary>How text is cut before merging.</summary>
    public SplitPattern Pattern => Model.Pattern;

    /// <summary>Whether a chunk that is itself a vocabulary entry is taken whole, without merging (Llama-3's file).</summary>
    public bool IgnoreMerges => Model.IgnoreMerges;

    /// <summary>Control tokens and other additions, by id.</summary>
    public IReadOnlyList<AddedToken> SpecialTokens => Model.Added;

    /// <summary>What stands in <c>tokenizer_config.json</c>.</summary>
    public TokenizerConfig Config => Model.Config;

    /// <summary>Id of <see cref="TokenizerConfig.BosToken"/>, or null.</summary>
    public int? BosId => Config.BosToken is { } token ? IdOf(token) : null;

    /// <summary>Id of <see cref="TokenizerConfig.EosToken"/>, or null.</summary>
    public int? EosId => Config.EosToken is { } token ? IdOf(token) : null;

    /// <summary>Id of <see cref="TokenizerConfig.PadToken"/>, or null.</summary>
    public int? PadId => Config.PadToken is { } token ? IdOf(token) : null;

    /// <summary>SHA-256 of <c>tokenizer.json</c> as written here, in hexadecimal: equal means the same ids for any
    /// text.</summary>
    public string Fingerprint => _fingerprint.Value;

    /// <summary>The same tokenizer with other settings beside it (control tokens' roles, template, maximum length).</summary>
    public Tokenizer WithConfig(TokenizerConfig config) => new(this, config);

    /// <summary>Id of a vocabulary entry by its text in the file (mapped characters), or of an added token; null if
    /// none.</summary>
    public int? IdOf(string token) => _ids.TryGetValue(token, out int id) ? id : null;

    /// <summary>Text of an id as in the file: mapped characters (a space is Ġ) for byte-level tokens.</summary>
    /// <exception cref="ArgumentOutOfRangeException">There is no such id.</exception>
    public string TokenText(int id) => Model.Tokens[Checked(id)];

    /// <summary>Whether an id is a control token.</summary>
    /// <exception cref="ArgumentOutOfRangeException">There is no such id.</exception>
    public bool IsSpecial(int id) => _special[Checked(id)];

    /// <summary>Bytes of text an id stands for: empty for a control token.</summary>
    /// <exception cref="ArgumentOutOfRangeException">There is no such id.</exception>
    public ReadOnlySpan<byte> TokenBytes(int id) => _special[Checked(id)] ? [] : _bytes[id];

    /// <summary>Number of bytes of text an id stands for: 0 for a control token, so that bits per byte count text only.</summary>
    /// <exception cref="ArgumentOutOfRangeException">There is no such id.</exception>
    public int ByteLength(int id) => TokenBytes(id).Length;

    /// <summary>UTF-8 bytes of <paramref name="text"/> for each token of its encoding: the compression achieved (0 if
    /// empty).</summary>
    public double BytesPerToken(ReadOnlySpan<char> text)
    {
        var ids = new List<int>();
        Encode(text, ids);
        return ids.Count == 0 ? 0 : (double)Encoding.UTF8.GetByteCount(text) / ids.Count;
    }

    /// <summary>Ids of <paramref name="text"/>. Text that looks like a control token is ordinary text unless
    /// <paramref name="allowSpecial"/>: text of users must never become control.</summary>
    public int[] Encode(ReadOnlySpan<char> text, bool allowSpecial = false)
    {
        var ids = new List<int>(text.Length / 3 + 8);
        Encode(text, ids, allowSpecial);
        return [.. ids];
    }

    /// <summary>Appends the ids of <paramref name="text"/> to <paramref name="destination"/>: nothing is allocated once that
    /// list and this tokenizer's buffers have grown.</summary>
    public void Encode(ReadOnlySpan<char> text, List<int> destination, bool allowSpecial = false)
    {
        if (!_encoders.TryTake(out TextEncoder? encoder)) encoder = new BpeEncoder(_merges, Pattern);
        SearchValues<char> starts = allowSpecial ? _allStarts : _plainStarts;
        int from = 0, at = 0;
        while (at < text.Length && text[at..].IndexOfAny(starts) is >= 0 and int offset)
        {
            at += offset;
            AddedToken? added = AddedAt(text[at..], allowSpecial);
            if (added is null)
            {
                at++;
                continue;
            }
            EncodePlain(encoder, text[from..at], destination);
            destination.Add(added.Id);
            from = at += added.Content.Length;
        }
        EncodePlain(encoder, text[from..], destination);
        _encoders.Add(encoder);
    }

    private static void EncodePlain(TextEncoder encoder, ReadOnlySpan<char> text, List<int> destination)
    {
        if (text.IsEmpty) return;
        byte[] utf8 = ArrayPool<byte>.Shared.Rent(Encoding.UTF8.GetMaxByteCount(text.Length));
        encoder.Encode(utf8.AsSpan(0, Encoding.UTF8.GetBytes(text, utf8)), destination);
        ArrayPool<byte>.Shared.Return(utf8);
    }

    /// <summary>Text of <paramref name="ids"/>; bytes that are not UTF-8 become U+FFFD.</summary>
    /// <exception cref="ArgumentOutOfRangeException">There is no such id.</exception>
    public string Decode(ReadOnlySpan<int> ids, bool skipSpecial = true) =>
        Encoding.UTF8.GetString(DecodeBytes(ids, skipSpecial));

    /// <summary>Bytes of <paramref name="ids"/>, control tokens as their own text unless skipped.</summary>
    /// <exception cref="ArgumentOutOfRangeException">There is no such id.</exception>
    public byte[] DecodeBytes(ReadOnlySpan<int> ids, bool skipSpecial = true)
    {
        var bytes = new ArrayBufferWriter<byte>(Math.Max(16, ids.Length * 4));
        foreach (int id in ids) bytes.Write(DecodedBytes(id, skipSpecial));
        return bytes.WrittenSpan.ToArray();
    }

    internal ReadOnlySpan<byte> DecodedBytes(int id, bool skipSpecial) => skipSpecial ? TokenBytes(id) : _bytes[Checked(id)];

    private AddedToken? AddedAt(ReadOnlySpan<char> text, bool allowSpecial)
    {
        foreach (AddedToken added in _addedLongestFirst)
        {
            if ((allowSpecial || !added.Special) && text.StartsWith(added.Content, StringComparison.Ordinal)) return added;
        }
        return null;
    }

    private int Checked(int id) => (uint)id < (uint)_bytes.Length
        ? id
        : throw new ArgumentOutOfRangeException(nameof(id), id, $"The vocabulary has ids 0 to {_bytes.Length - 1}.");

    private static SearchValues<char> Starts(IEnumerable<AddedToken> tokens) =>
        SearchValues.Create([.. tokens.Select(added => added.Content[0]).Distinct()]);
}
