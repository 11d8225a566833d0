using System.Buffers;
using System.Text;
using System.Text.Json;

namespace Finery.Data.Tokenizers;

/// <summary>Rewrites text before it is split. Immutable and thread-safe.</summary>
internal abstract record Normalizer
{
    /// <summary>The text rewritten, or null where nothing changes.</summary>
    /// <param name="text">Valid UTF-8, not empty.</param>
    public abstract byte[]? Apply(ReadOnlySpan<byte> text);

    /// <summary>Reads the <c>normalizer</c> of <c>tokenizer.json</c>; null is none.</summary>
    public static Normalizer? Read(JsonElement json)
    {
        if (json.IsNull()) return null;
        string? type = json.Text("type");
        if (Array.Find(UnicodeForm.All, form => form.Name == type) is { } form) return new FormNormalizer(form);
        return type switch
        {
            "Lowercase" => new LowercaseNormalizer(),
            "Prepend" => new PrependNormalizer(Encoding.UTF8.GetBytes(json.RequiredText("prepend"))),
            "Replace" => new ReplaceNormalizer(TextPattern.Read(json.Required("pattern")),
                Encoding.UTF8.GetBytes(json.RequiredText("content"))),
            "Strip" => new StripNormalizer(json.Flag("strip_left", absent: true), json.Flag("strip_right", absent: true)),
            "Sequence" => new SequenceNormalizer([.. json.Items("normalizers").Select(Read).OfType<Normalizer>()]),
            _ => throw JsonFields.Unsupported("normalizer", json),
        };
    }
}

/// <summary>NFC, NFD, NFKC, NFKD.</summary>
internal sealed record FormNormalizer(UnicodeForm Form) : Normalizer
{
    public override byte[]? Apply(ReadOnlySpan<byte> text) => Form.Apply(text);
}

/// <summary>Lower case, character by character (no final sigma).</summary>
internal sealed record LowercaseNormalizer : Normalizer
{
    public override byte[]? Apply(ReadOnlySpan<byte> text)
    {
        var output = new ArrayBufferWriter<byte>(text.Length + 16);
        for (int at = 0, length; at < text.Length; at += length)
        {
            Rune.DecodeFromUtf8(text[at..], out Rune rune, out length);
            if (rune.Value == 0x130) output.Write("i\u0307"u8); // the only one whose lower case is two code points
            else output.Advance(Rune.ToLowerInvariant(rune).EncodeToUtf8(output.GetSpan(4)));
        }
        return output.WrittenSpan.SequenceEqual(text) ? null : output.WrittenSpan.ToArray();
    }
}

/// <summary>Text put before every piece.</summary>
internal sealed record PrependNormalizer(byte[] Content) : Normalizer
{
    public override byte[]? Apply(ReadOnlySpan<byte> text) => Content.Length == 0 ? null : [.. Content, .. text];
}

/// <summary>Every match replaced by the same text.</summary>
internal sealed record ReplaceNormalizer(TextPattern Pattern, byte[] Content) : Normalizer
{
    public override byte[]? Apply(ReadOnlySpan<byte> text)
    {
        var matches = Pattern.Matches(text);
        if (matches.Count == 0) return null;
        var output = new ArrayBufferWriter<byte>(text.Length + matches.Count * Content.Length);
        int done = 0;
        foreach (var (start, end) in matches)
        {
            output.Write(text[done..start]);
            output.Write(Content);
            done = end;
        }
        output.Write(text[done..]);
        return output.WrittenSpan.ToArray();
    }
}

/// <summary>White space removed at the ends of every piece.</summary>
internal sealed record StripNormalizer(bool Left, bool Right) : Normalizer
{
    public override byte[]? Apply(ReadOnlySpan<byte> text)
    {
        int start = 0, end = text.Length;
        while (Left && start < end && Rune.DecodeFromUtf8(text[start..end], out Rune rune, out int length) == OperationStatus.Done
            && Rune.IsWhiteSpace(rune))
        {
            start += length;
        }
        while (Right && start < end && Rune.DecodeLastFromUtf8(text[start..end], out Rune rune, out int length) == OperationStatus.Done
            && Rune.IsWhiteSpace(rune))
        {
            end -= length;
        }
        return end - start == text.Length ? null : text[start..end].ToArray();
    }
}

/// <summary>One after the other.</summary>
internal sealed record SequenceNormalizer(Normalizer[] Parts) : Normalizer
{
    public override byte[]? Apply(ReadOnlySpan<byte> text)
    {
        byte[]? result = null;
        foreach (Normalizer part in Parts)
        {
            if (result is { Length: 0 }) break;
            result = part.Apply(result ?? text) ?? result;
        }
        return result;
    }
}
