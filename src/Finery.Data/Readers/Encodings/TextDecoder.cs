using System.Text;
using System.Text.Unicode;

namespace Finery.Data.Readers.Encodings;

/// <summary>Text and how it was encoded.</summary>
/// <param name="Text">Without a byte order mark; U+FFFD for what could not be decoded.</param>
/// <param name="Charset">Name by the WHATWG Encoding Standard.</param>
/// <param name="HasErrors">Whether something could not be decoded.</param>
public readonly record struct DecodedText(string Text, string Charset, bool HasErrors);

/// <summary>
/// Finds out how bytes are encoded, and decodes them: by byte order mark; as UTF-8 if they are that, whatever is declared; by the
/// declared charset if the result is plausible; else by the likeliest of the usual legacy encodings. Declarations are often
/// wrong, so a candidate that leaves many errors never wins over one that leaves few. Thread-safe, deterministic.
/// </summary>
public static class TextDecoder
{
    private const int PrescanBytes = 4096;

    /// <summary>Decodes.</summary>
    /// <param name="bytes">The whole text.</param>
    /// <param name="declared">Charset by a transport (HTTP header), any label; null if none.</param>
    /// <param name="isHtml">Whether a declaration is looked for in its <c>meta</c> elements or XML declaration.</param>
    public static DecodedText Decode(ReadOnlySpan<byte> bytes, string? declared = null, bool isHtml = false)
    {
        if (bytes.StartsWith<byte>([0xEF, 0xBB, 0xBF]))
            return DecodeAs("utf-8", bytes[3..]);
        if (bytes.StartsWith<byte>([0xFF, 0xFE]))
            return DecodeAs("utf-16le", bytes[2..]);
        if (bytes.StartsWith<byte>([0xFE, 0xFF]))
            return DecodeAs("utf-16be", bytes[2..]);
        declared = EncodingLabels.NameOf(declared);
        if (Utf8.IsValid(bytes))
        {
            var masked = WithoutMark(bytes, declared);
            return masked is null ? new(Encoding.UTF8.GetString(bytes), "utf-8", false) : DecodeAs(masked, bytes);
        }
        var candidates = new List<string>(3);
        if (declared is not null)
            candidates.Add(declared);
        if (isHtml && MetaCharset.Find(bytes[..Math.Min(bytes.Length, PrescanBytes)]) is { } meta && !candidates.Contains(meta))
            candidates.Add(meta);
        if (WithoutMark(bytes, null) is { } wide)
            return DecodeAs(wide, bytes);
        return DecodeAs(IsMostlyUtf8(bytes) ? "utf-8" : EncodingDetector.Choose(bytes, candidates), bytes);
    }

    /// <summary>Encodings whose text may be valid UTF-8 byte by byte: UTF-16 (every other byte is zero) and ISO-2022-JP
    /// (escapes).</summary>
    private static string? WithoutMark(ReadOnlySpan<byte> bytes, string? declared)
    {
        if (declared == "iso-2022-jp" && bytes.IndexOf("\u001B$"u8) >= 0)
            return declared;
        var sample = bytes[..Math.Min(bytes.Length, PrescanBytes)];
        if (sample.IndexOf((byte)0) < 0)
            return null;
        int even = 0, odd = 0;
        for (var i = 0; i + 1 < sample.Length; i += 2)
        {
            even += sample[i] == 0 ? 1 : 0;
            odd += sample[i + 1] == 0 ? 1 : 0;
        }
        var pairs = sample.Length / 2;
        return odd > pairs / 2 && even < pairs / 10 ? "utf-16le" : even > pairs / 2 && odd < pairs / 10 ? "utf-16be" : null;
    }

    private static DecodedText DecodeAs(string name, ReadOnlySpan<byte> bytes)
    {
        var text = EncodingLabels.Get(name).GetString(bytes);
        var hasErrors = name == "utf-8" ? !Utf8.IsValid(bytes) : text.Contains('\uFFFD');
        return new(text, name, hasErrors);
    }

    /// <summary>Whether nine of ten characters beyond ASCII are valid UTF-8: damaged or truncated UTF-8, since text of another
    /// encoding hardly ever makes even one such sequence.</summary>
    private static bool IsMostlyUtf8(ReadOnlySpan<byte> bytes)
    {
        int good = 0, bad = 0;
        while (!bytes.IsEmpty)
        {
            var ascii = bytes.IndexOfAnyExceptInRange((byte)0, (byte)0x7F);
            if (ascii < 0)
                break;
            bytes = bytes[ascii..];
            if (Rune.DecodeFromUtf8(bytes, out _, out var used) == System.Buffers.OperationStatus.Done)
                good++;
            else
                bad++;
            bytes = bytes[used..];
        }
        return good >= 9 * bad;
    }
}
