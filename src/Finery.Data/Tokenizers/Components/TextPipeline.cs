using System.Collections.Concurrent;
using System.Text;
using System.Text.Json;

namespace Finery.Data.Tokenizers;

/// <summary>
/// Text to ids, from one end to the other: added tokens of the raw text, normaliser, added tokens of the normalised text, then
/// what lies between them through a <see cref="TextEncoder"/>. Thread-safe: each call borrows an encoder of its own.
/// </summary>
internal sealed class TextPipeline
{
    private readonly Vocabulary _vocabulary;
    private readonly Normalizer? _normalizer;
    private readonly Func<TextEncoder> _createEncoder;
    private readonly Matchers _all, _plain;
    private readonly ConcurrentBag<TextEncoder> _encoders = [];

    private TextPipeline(
        IReadOnlyList<AddedToken> added, Vocabulary vocabulary, Normalizer? normalizer, Func<TextEncoder> createEncoder)
    {
        (_vocabulary, _normalizer, _createEncoder) = (vocabulary, normalizer, createEncoder);
        _all = Matchers.Create(added, normalizer);
        _plain = Matchers.Create([.. added.Where(token => !token.Special)], normalizer);
        _encoders.Add(createEncoder());
    }

    /// <summary>The pipeline that a model's layout describes.</summary>
    /// <exception cref="NotSupportedException">A component is not supported; the message names it.</exception>
    public static TextPipeline Create(TokenizerModel model, Vocabulary vocabulary)
    {
        Splitter[] steps = Splitter.Read(model.Layout.Component("pre_tokenizer"));
        return new TextPipeline(model.Added, vocabulary, Normalizer.Read(model.Layout.Component("normalizer")),
            steps is [.., ByteLevelSplitter] ? OfBytes(model, vocabulary, steps) : OfCharacters(model, vocabulary, steps))
        {
            Pattern = Splitter.PatternOf(steps),
            IsByteLevelBpe = steps is [.., ByteLevelSplitter],
        };
    }

    /// <summary>The scanner that cuts the text, if one does.</summary>
    public SplitPattern? Pattern { get; private init; }

    /// <summary>Whether text is split and then merged from bytes.</summary>
    public bool IsByteLevelBpe { get; private init; }

    /// <summary>Appends the ids of <paramref name="text"/>.</summary>
    /// <param name="text">Valid UTF-8.</param>
    /// <param name="ids">Appended to.</param>
    /// <param name="ranges">If given, gets for each id the bytes of <paramref name="text"/> it covers.</param>
    /// <param name="allowSpecial">Whether control tokens in the text count as such.</param>
    public void Encode(ReadOnlySpan<byte> text, List<int> ids, List<(int Start, int End)>? ranges, bool allowSpecial)
    {
        if (text.IsEmpty) return;
        if (!_encoders.TryTake(out TextEncoder? encoder)) encoder = _createEncoder();
        var target = new Target(encoder, ids, ranges);
        Matchers matchers = allowSpecial ? _all : _plain;
        int at = 0, done = 0;
        while (matchers.Raw.Next(text, ref at, done, out int start, out int end) is { } token)
        {
            EncodePiece(text[done..Math.Max(done, start)], done, matchers.Normalized, target);
            ids.Add(token.Id);
            ranges?.Add((start, end));
            done = end;
        }
        EncodePiece(text[done..], done, matchers.Normalized, target);
        _encoders.Add(encoder);
    }

    private static Func<TextEncoder> OfBytes(TokenizerModel model, Vocabulary vocabulary, Splitter[] steps)
    {
        if (model.Scores is not null) throw new NotSupportedException("model Unigram with pre_tokenizer ByteLevel is not supported");
        foreach (string name in new[] { "continuing_subword_prefix", "end_of_word_suffix" })
        {
            if (model.Layout.Text(name) is { Length: > 0 } value)
                throw new NotSupportedException($"model {name} \"{value}\" is not supported with pre_tokenizer ByteLevel");
        }
        var merges = MergeTable.Create(model, vocabulary.Ids, vocabulary.IsOutsideModel);
        if (Splitter.PatternOf(steps) is { } pattern) return () => new BpeEncoder(merges, pattern);
        // of this encoder only the part for chunks is used, which no pattern changes
        return () => new GeneralEncoder(steps, new BpeEncoder(merges, default).EncodeChunk);
    }

    private static Func<TextEncoder> OfCharacters(TokenizerModel model, Vocabulary vocabulary, Splitter[] steps)
    {
        TokenizerLayout layout = model.Layout;
        bool byteFallback = layout.Flag("byte_fallback");
        ChunkModel chunks;
        if (model.Scores is { } scores)
        {
            int? unknown = layout.Option("unk_id") is { ValueKind: not JsonValueKind.Null } id ? id.AsNumber("model unk_id") : null;
            // A control token's piece is never found in text: only the matcher gives its id.
            chunks = new Unigram([.. scores.Select((score, i) => (vocabulary.IsSpecial(i) ? "" : model.Tokens[i], score))],
                unknown, byteFallback);
        }
        else
        {
            string? unknown = layout.Text("unk_token");
            if (unknown is not null && !vocabulary.Ids.ContainsKey(unknown))
                throw new InvalidDataException($"model unk_token \"{unknown}\" is not in the vocabulary");
            chunks = new CharacterBpe(
                [.. model.Tokens.Select((token, i) => vocabulary.Has(i) && !vocabulary.IsOutsideModel[i] ? token : null)],
                model.Merges, new CharacterBpeOptions
                {
                    UnknownId = unknown is null ? null : vocabulary.Ids[unknown],
                    FuseUnknown = layout.Flag("fuse_unk"),
                    ByteFallback = byteFallback,
                    ContinuingSubwordPrefix = layout.Text("continuing_subword_prefix"),
                    EndOfWordSuffix = layout.Text("end_of_word_suffix"),
                    IgnoreMerges = model.IgnoreMerges,
                });
        }
        return () => new GeneralEncoder(steps, chunks.Encode);
    }

    private void EncodePiece(ReadOnlySpan<byte> text, int offset, AddedTokenMatcher matcher, Target target)
    {
        if (text.IsEmpty) return;
        if (_normalizer?.Apply(text) is { } normalized)
        {
            if (target.Ranges is not null)
                throw new NotSupportedException("This tokenizer's normaliser rewrites the text at byte " + offset +
                    ", so the bytes that each token covers are not known.");
            text = normalized;
        }
        int at = 0, done = 0;
        while (matcher.Next(text, ref at, done, out int start, out int end) is { } token)
        {
            EncodeChunks(text[done..Math.Max(done, start)], offset + done, target);
            target.Ids.Add(token.Id);
            target.Ranges?.Add((offset + start, offset + end));
            done = end;
        }
        EncodeChunks(text[done..], offset + done, target);
    }

    private void EncodeChunks(ReadOnlySpan<byte> text, int offset, Target target)
    {
        if (text.IsEmpty) return;
        int before = target.Ids.Count;
        if (target.Encoder is GeneralEncoder general) general.Encode(text, beginsInput: offset == 0, target.Ids);
        else target.Encoder.Encode(text, target.Ids);
        if (target.Ranges is null) return;
        int start = offset;
        for (int i = before; i < target.Ids.Count; i++)
        {
            int end = start + _vocabulary.Bytes(target.Ids[i]).Length;
            target.Ranges.Add((start, end));
            start = end;
        }
        if (start != offset + text.Length)
            throw new NotSupportedException(
                "This tokenizer's tokens do not add up to the bytes of the text, so what each of them covers is not known.");
    }

    private readonly record struct Target(TextEncoder Encoder, List<int> Ids, List<(int Start, int End)>? Ranges);

    private sealed record Matchers(AddedTokenMatcher Raw, AddedTokenMatcher Normalized)
    {
        public static Matchers Create(IReadOnlyList<AddedToken> added, Normalizer? normalizer) => new(
            new(added.Where(token => !token.Normalized).Select(token => (token, Encoding.UTF8.GetBytes(token.Content)))),
            new(added.Where(token => token.Normalized).Select(token => (token, NormalizedContent(token, normalizer)))));

        private static byte[] NormalizedContent(AddedToken token, Normalizer? normalizer)
        {
            byte[] content = Encoding.UTF8.GetBytes(token.Content);
            return normalizer?.Apply(content) ?? content;
        }
    }
}
