using System.Buffers;
using System.Security.Cryptography;
using System.Text;
using System.Text.Unicode;

namespace Finery.Data.Tokenizers;

/// <summary>
/// Text to ids and back. With byte-level BPE nothing is lost of valid Unicode (a lone surrogate becomes U+FFFD). Immutable and
/// safe to use from many threads. Encoding adds no begin or end token unless asked: the caller, or
/// <see cref="ChatTemplate"/>, writes them.
/// </summary>
public sealed class Tokenizer
{
    private readonly Vocabulary _vocabulary;
    private readonly TextPipeline _pipeline;
    private readonly TokenDecoder _decoder;
    private readonly PostProcessor _postProcessor;
    private readonly Lazy<string> _fingerprint;

    internal Tokenizer(TokenizerModel model)
    {
        _decoder = TokenDecoder.Read(model.Layout.Component("decoder"));
        _vocabulary = new Vocabulary(model, _decoder.Bytes);
        _pipeline = TextPipeline.Create(model, _vocabulary);
        _postProcessor = PostProcessor.Read(model.Layout.Component("post_processor"), _vocabulary);
        Model = model with { Pattern = _pipeline.Pattern };
        // the file without tokenizer_config.json: what decides the ids
        _fingerprint = new(() => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(TokenizerFile.ToJson(this)))));
    }

    private Tokenizer(Tokenizer other, TokenizerConfig config)
    {
        (_vocabulary, _pipeline, _decoder) = (other._vocabulary, other._pipeline, other._decoder);
        (_postProcessor, _fingerprint) = (other._postProcessor, other._fingerprint);
        Model = other.Model with { Config = config };
    }

    internal TokenizerModel Model { get; }

    /// <summary>One more than the largest id. Below it there may be ids without a token.</summary>
    public int VocabSize => _vocabulary.Size;

    /// <summary>How text is cut before merging, if in one of the ways that have a scanner; else null.</summary>
    public SplitPattern? Pattern => Model.Pattern;

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
    public int? IdOf(string token) => _vocabulary.Ids.TryGetValue(token, out int id) ? id : null;

    /// <summary>Whether there is a token with this id: ids may have holes.</summary>
    public bool HasToken(int id) => _vocabulary.Has(id);

    /// <summary>Text of an id as in the file: mapped characters (a space is Ġ) for byte-level tokens.</summary>
    /// <exception cref="ArgumentOutOfRangeException">There is no such id.</exception>
    public string TokenText(int id) => Model.Tokens[_vocabulary.Checked(id)];

    /// <summary>Whether an id is a control token.</summary>
    /// <exception cref="ArgumentOutOfRangeException">There is no such id.</exception>
    public bool IsSpecial(int id) => _vocabulary.IsSpecial(id);

    /// <summary>Bytes of text an id stands for: empty for a control token.</summary>
    /// <exception cref="ArgumentOutOfRangeException">There is no such id.</exception>
    public ReadOnlySpan<byte> TokenBytes(int id) => IsSpecial(id) ? [] : _vocabulary.Bytes(id);

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

    /// <summary>Ids put before a text encoded with special tokens: those of the file's template, with or without the begin token
    /// where the config says so.</summary>
    private int[] Prefix => Adjusted(_postProcessor.Prefix, Config.AddBosToken, BosId, first: true);

    /// <summary>Ids put behind it.</summary>
    private int[] Suffix => Adjusted(_postProcessor.Suffix, Config.AddEosToken, EosId, first: false);

    /// <summary>Ids of <paramref name="text"/>. Text that looks like a control token is ordinary text unless
    /// <paramref name="allowSpecial"/>: text of users must never become control. With <paramref name="addSpecialTokens"/> the ids which
    /// the file puts around a text by itself, such as a begin token, are added.</summary>
    public int[] Encode(ReadOnlySpan<char> text, bool allowSpecial = false, bool addSpecialTokens = false)
    {
        var ids = new List<int>(text.Length / 3 + 8);
        Encode(text, ids, allowSpecial, addSpecialTokens);
        return [.. ids];
    }

    /// <summary>Appends the ids of <paramref name="text"/> to <paramref name="destination"/>: nothing is allocated once that
    /// list and this tokenizer's buffers have grown.</summary>
    public void Encode(ReadOnlySpan<char> text, List<int> destination, bool allowSpecial = false, bool addSpecialTokens = false)
    {
        if (addSpecialTokens) destination.AddRange(Prefix);
        Encode(text, destination, null, allowSpecial);
        if (addSpecialTokens) destination.AddRange(Suffix);
    }

    /// <summary>Appends the ids of UTF-8 text to <paramref name="destination"/>; bytes that are not UTF-8 count as
    /// U+FFFD.</summary>
    public void Encode(ReadOnlySpan<byte> utf8, List<int> destination, bool allowSpecial = false)
    {
        if (Utf8.IsValid(utf8)) _pipeline.Encode(utf8, destination, null, allowSpecial);
        else Encode(Encoding.UTF8.GetString(utf8), destination, allowSpecial);
    }

    /// <summary>Appends ids and, for each, the range of bytes of the text (as UTF-8) that it covers; a control token covers
    /// the white space it takes in, too.</summary>
    /// <exception cref="NotSupportedException">The tokenizer rewrites the text, so that ranges are not known.</exception>
    internal void Encode(ReadOnlySpan<char> text, List<int> ids, List<(int Start, int End)>? ranges, bool allowSpecial)
    {
        int size = text.Length < 1 << 20 ? Encoding.UTF8.GetMaxByteCount(text.Length) : Encoding.UTF8.GetByteCount(text);
        byte[] utf8 = ArrayPool<byte>.Shared.Rent(size);
        _pipeline.Encode(utf8.AsSpan(0, Encoding.UTF8.GetBytes(text, utf8)), ids, ranges, allowSpecial);
        ArrayPool<byte>.Shared.Return(utf8);
    }

    /// <summary>Text of <paramref name="ids"/>; bytes that are not UTF-8 become U+FFFD.</summary>
    /// <exception cref="ArgumentOutOfRangeException">There is no such id.</exception>
    public string Decode(ReadOnlySpan<int> ids, bool skipSpecial = true)
    {
        if (DecodesByteLevel) return Encoding.UTF8.GetString(DecodeBytes(ids, skipSpecial));
        var text = new StringBuilder();
        DecodingStep decoding = StartDecoding(text);
        foreach (int id in ids)
        {
            if (!(IsSpecial(id) && skipSpecial)) decoding.Push(TokenText(id));
        }
        decoding.Finish();
        return text.ToString();
    }

    /// <summary>Bytes of <paramref name="ids"/>, control tokens as their own text unless skipped.</summary>
    /// <exception cref="ArgumentOutOfRangeException">There is no such id.</exception>
    public byte[] DecodeBytes(ReadOnlySpan<int> ids, bool skipSpecial = true)
    {
        if (!DecodesByteLevel) return Encoding.UTF8.GetBytes(Decode(ids, skipSpecial));
        var bytes = new ArrayBufferWriter<byte>(Math.Max(16, ids.Length * 4));
        foreach (int id in ids) bytes.Write(DecodedBytes(id, skipSpecial));
        return bytes.WrittenSpan.ToArray();
    }

    /// <summary>Whether text is split and then merged from bytes.</summary>
    internal bool IsByteLevelBpe => _pipeline.IsByteLevelBpe;

    /// <summary>Whether the bytes of a text are those of its tokens, one after the other.</summary>
    internal bool DecodesByteLevel => _decoder.IsByteLevel;

    internal DecodingStep StartDecoding(StringBuilder output) => _decoder.Start(output);

    internal ReadOnlySpan<byte> DecodedBytes(int id, bool skipSpecial) => skipSpecial ? TokenBytes(id) : _vocabulary.Bytes(id);

    private static int[] Adjusted(int[] ids, bool? adds, int? role, bool first) => (adds, role) switch
    {
        (true, { } id) when !ids.Contains(id) => first ? [id, .. ids] : [.. ids, id],
        (false, { } id) => [.. ids.Where(other => other != id)],
        _ => ids,
    };
}
