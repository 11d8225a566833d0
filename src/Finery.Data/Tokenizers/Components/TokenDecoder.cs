using System.Globalization;
using System.Text;
using System.Text.Json;

namespace Finery.Data.Tokenizers;

/// <summary>
/// A decoder of <c>tokenizer.json</c>: texts of tokens to text, in steps. Each step takes tokens one at a time and passes on
/// what is settled, so that decoding a whole sequence and streaming are the same. Immutable and thread-safe; what a decoding
/// remembers is in its <see cref="DecodingStep"/>s.
/// </summary>
internal sealed class TokenDecoder
{
    private readonly DecoderPart[] _parts;

    private TokenDecoder(DecoderPart[] parts) => _parts = parts;

    /// <summary>Whether it is byte-level alone, where each token's bytes are known without what stands beside it.</summary>
    public bool IsByteLevel => _parts is [{ Kind: DecoderKind.ByteLevel }];

    /// <summary>Reads the <c>decoder</c> of <c>tokenizer.json</c>; null joins tokens with spaces.</summary>
    public static TokenDecoder Read(JsonElement json)
    {
        var parts = new List<DecoderPart>();
        if (json.IsNull()) parts.Add(new DecoderPart(DecoderKind.Spaced));
        else Add(json);
        if (parts.FindIndex(part => part.Kind == DecoderKind.ByteLevel) is >= 0 and var at && at < parts.Count - 1)
            throw new NotSupportedException("decoder ByteLevel is supported only as the last of a sequence");
        return new TokenDecoder([.. parts]);

        void Add(JsonElement part)
        {
            if (part.Text("type") != "Sequence") parts.Add(DecoderPart.Read(part));
            else foreach (JsonElement item in part.Items("decoders")) Add(item);
        }
    }

    /// <summary>A decoding from the start; what is settled goes to <paramref name="output"/>.</summary>
    public DecodingStep Start(StringBuilder output)
    {
        DecodingStep step = new AppendingStep(output);
        for (int i = _parts.Length - 1; i >= 0; i--)
        {
            bool isLast = i == _parts.Length - 1;
            DecoderPart part = _parts[i];
            step = part.Kind switch
            {
                DecoderKind.Fuse when isLast => step, // appending fuses
                DecoderKind.Fuse when i == _parts.Length - 2 && _parts[i + 1] is { Kind: DecoderKind.Strip, Stop: 0 } strip =>
                    new JoinedStripStep(new AppendingStep(output), strip),
                DecoderKind.Fuse => new FuseStep(step),
                DecoderKind.ByteFallback => new ByteFallbackStep(step),
                DecoderKind.ByteLevel => new ByteLevelStep(step),
                DecoderKind.Spaced => new SpacedStep(step),
                DecoderKind.Metaspace => new MetaspaceStep(step, part),
                _ => new TokenStep(step, part),
            };
        }
        return step;
    }

    /// <summary>The bytes a token stands for inside a text: without what only its place at the start or end changes.</summary>
    public byte[] Bytes(string token)
    {
        if (IsByteLevel) return ByteAlphabet.ToBytes(token);
        foreach (DecoderPart part in _parts)
        {
            if (part.Kind == DecoderKind.ByteFallback && ByteFallbackStep.TryParse(token, out byte value)) return [value];
            if (part.Kind == DecoderKind.ByteLevel) return ByteAlphabet.ToBytes(token);
            if (part.Kind == DecoderKind.Fuse) break;
            if (part.Kind == DecoderKind.Replace) token = part.Replaced(token);
            if (part.Kind == DecoderKind.Metaspace) token = token.Replace(part.Content, " ", StringComparison.Ordinal);
        }
        return Encoding.UTF8.GetBytes(token);
    }
}

internal enum DecoderKind { ByteLevel, ByteFallback, Fuse, Strip, Replace, Metaspace, Spaced }

/// <summary>One part of a decoder with its settings.</summary>
internal sealed record DecoderPart(DecoderKind Kind)
{
    public string Content { get; init; } = "";

    /// <summary>Strip: how many times at most <see cref="Content"/> goes at the start and at the end.</summary>
    public int Begin { get; init; }

    public int Stop { get; init; }

    /// <summary>Metaspace: whether the character was put before the text, so that it goes from the first token.</summary>
    public bool Prepended { get; init; }

    private ReplaceNormalizer? Replacement { get; init; }

    public static DecoderPart Read(JsonElement json)
    {
        switch (json.Text("type"))
        {
            case "ByteLevel":
                return new DecoderPart(DecoderKind.ByteLevel);
            case "ByteFallback":
                return new DecoderPart(DecoderKind.ByteFallback);
            case "Fuse":
                return new DecoderPart(DecoderKind.Fuse);
            case "Strip":
                string content = json.RequiredText("content");
                if (!Rune.TryGetRuneAt(content, 0, out Rune rune) || rune.Utf16SequenceLength != content.Length)
                    throw new InvalidDataException($"decoder Strip content \"{content}\" is not one character");
                return new DecoderPart(DecoderKind.Strip)
                {
                    Content = content,
                    Begin = json.Number("start"),
                    Stop = json.Number("stop"),
                };
            case "Replace":
                return new DecoderPart(DecoderKind.Replace)
                {
                    Replacement = new ReplaceNormalizer(TextPattern.Read(json.Required("pattern")),
                        Encoding.UTF8.GetBytes(json.RequiredText("content"))),
                };
            case "Metaspace":
                var metaspace = Metaspace.Read(json);
                return new DecoderPart(DecoderKind.Metaspace)
                {
                    Content = Encoding.UTF8.GetString(metaspace.Replacement),
                    Prepended = metaspace.Scheme != PrependScheme.Never,
                };
            default:
                throw JsonFields.Unsupported("decoder", json);
        }
    }

    public string Replaced(string token) => token.Length > 0 && Replacement!.Apply(Encoding.UTF8.GetBytes(token)) is { } replaced
        ? Encoding.UTF8.GetString(replaced)
        : token;

    /// <summary>A token without its stripped ends.</summary>
    public string Stripped(string token)
    {
        int start = 0, end = token.Length;
        for (int i = 0; i < Begin && token.AsSpan(start, end - start).StartsWith(Content, StringComparison.Ordinal); i++)
            start += Content.Length;
        for (int i = 0; i < Stop && token.AsSpan(start, end - start).EndsWith(Content, StringComparison.Ordinal); i++)
            end -= Content.Length;
        return token[start..end];
    }
}

/// <summary>One step of a decoding under way.</summary>
internal abstract class DecodingStep(DecodingStep? next)
{
    protected DecodingStep Next => next!;

    public abstract void Push(string token);

    /// <summary>Passes on what was held back.</summary>
    public virtual void Finish() => next?.Finish();
}

internal sealed class AppendingStep(StringBuilder output) : DecodingStep(null)
{
    public override void Push(string token) => output.Append(token);
}

/// <summary>Replace and Strip: each token by itself.</summary>
internal sealed class TokenStep(DecodingStep next, DecoderPart part) : DecodingStep(next)
{
    public override void Push(string token) =>
        Next.Push(part.Kind == DecoderKind.Replace ? part.Replaced(token) : part.Stripped(token));
}

/// <summary>Its character is a space, except in the first token, where it was only put before the text.</summary>
internal sealed class MetaspaceStep(DecodingStep next, DecoderPart part) : DecodingStep(next)
{
    private bool _isFirst = part.Prepended;

    public override void Push(string token)
    {
        Next.Push(token.Replace(part.Content, _isFirst ? "" : " ", StringComparison.Ordinal));
        _isFirst = false;
    }
}

/// <summary>No decoder: tokens with spaces between.</summary>
internal sealed class SpacedStep(DecodingStep next) : DecodingStep(next)
{
    private bool _isFirst = true;

    public override void Push(string token)
    {
        Next.Push(_isFirst ? token : " " + token);
        _isFirst = false;
    }
}

/// <summary>All tokens as one, known at the end.</summary>
internal sealed class FuseStep(DecodingStep next) : DecodingStep(next)
{
    private readonly StringBuilder _text = new();

    public override void Push(string token) => _text.Append(token);

    public override void Finish()
    {
        Next.Push(_text.ToString());
        base.Finish();
    }
}

/// <summary>Fuse and then Strip at the start, without waiting for the end.</summary>
internal sealed class JoinedStripStep(DecodingStep next, DecoderPart strip) : DecodingStep(next)
{
    private int _left = strip.Begin;

    public override void Push(string token)
    {
        int start = 0;
        while (_left > 0 && start < token.Length)
        {
            if (!token.AsSpan(start).StartsWith(strip.Content, StringComparison.Ordinal)) _left = 0;
            else (start, _left) = (start + strip.Content.Length, _left - 1);
        }
        Next.Push(token[start..]);
    }
}

/// <summary>Tokens such as &lt;0xE2&gt; in a row are bytes: text if they are UTF-8, else a U+FFFD each.</summary>
internal sealed class ByteFallbackStep(DecodingStep next) : DecodingStep(next)
{
    private static readonly UTF8Encoding Strict = new(false, throwOnInvalidBytes: true);

    private readonly List<byte> _run = [];

    public static bool TryParse(string token, out byte value)
    {
        value = 0;
        return token.Length == 6 && token.StartsWith("<0x", StringComparison.Ordinal) && token[5] == '>'
            && byte.TryParse(token.AsSpan(3, 2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out value);
    }

    public override void Push(string token)
    {
        if (TryParse(token, out byte value))
        {
            _run.Add(value);
            return;
        }
        PassOn();
        Next.Push(token);
    }

    public override void Finish()
    {
        PassOn();
        base.Finish();
    }

    private void PassOn()
    {
        if (_run.Count == 0) return;
        byte[] run = [.. _run];
        _run.Clear();
        if (System.Text.Unicode.Utf8.IsValid(run)) Next.Push(Strict.GetString(run));
        else for (int i = 0; i < run.Length; i++) Next.Push("\uFFFD");
    }
}

/// <summary>Mapped characters to bytes, all tokens together as UTF-8.</summary>
internal sealed class ByteLevelStep(DecodingStep next) : DecodingStep(next)
{
    private readonly Utf8Joiner _joiner = new();

    public override void Push(string token) => Next.Push(_joiner.Push(ByteAlphabet.ToBytes(token)));

    public override void Finish()
    {
        Next.Push(_joiner.Flush());
        base.Finish();
    }
}

/// <summary>Bytes in portions to text, never half a character: the bytes of an unfinished one wait for the rest.</summary>
internal sealed class Utf8Joiner
{
    private readonly Decoder _decoder = Encoding.UTF8.GetDecoder();
    private char[] _buffer = new char[64];

    public string Push(ReadOnlySpan<byte> bytes) => Convert(bytes, flush: false);

    /// <summary>U+FFFD if a character was never finished, else nothing. Starts afresh.</summary>
    public string Flush() => Convert([], flush: true);

    private string Convert(ReadOnlySpan<byte> bytes, bool flush)
    {
        int size = Encoding.UTF8.GetMaxCharCount(bytes.Length + 4);
        if (size > _buffer.Length) _buffer = new char[size];
        return new string(_buffer, 0, _decoder.GetChars(bytes, _buffer, flush));
    }
}
