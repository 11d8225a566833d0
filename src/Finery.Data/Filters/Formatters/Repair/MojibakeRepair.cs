using System.Buffers;
using System.Text;
using System.Text.Unicode;

namespace Finery.Data.Filters.Formatters.Repair;

/// <summary>
/// Turns text that was UTF-8 read in another encoding back into what it was, in several layers if need be, in the order of
/// ftfy 6.3 by Robyn Speer (Apache-2.0): where the text looks wrong, the first encoding in which its bytes are UTF-8 was the
/// culprit.
/// </summary>
/// <param name="restoreByteA0">Whether a space may stand for a byte A0 that was taken for a space.</param>
/// <param name="replaceLossySequences">Whether sequences with lost bytes become U+FFFD.</param>
/// <param name="decodeInconsistentUtf8">Whether parts are repaired where the whole is not of one encoding.</param>
/// <param name="fixC1Controls">Whether control characters U+0080 to U+009F are read as Windows-1252.</param>
internal sealed class MojibakeRepair(
    bool restoreByteA0, bool replaceLossySequences, bool decodeInconsistentUtf8, bool fixC1Controls)
{
    // Each layer at least shortens the text; real text has three at most, and a bound keeps hostile text linear.
    private const int MaxRounds = 16;

    private static readonly MojibakeRepair s_full = new(true, true, true, true);

    /// <summary>Repairs one segment; the same string if nothing is to be done.</summary>
    public string Repair(string text)
    {
        for (var round = 0; round < MaxRounds; round++)
        {
            var repaired = Step(text);
            if (repaired == text)
                return text;
            text = repaired;
        }
        return text;
    }

    private string Step(string text)
    {
        if (Ascii.IsValid(text) || !MojibakeSigns.IsBad(text))
            return text;
        byte[]? latin1 = null;
        foreach (var encoding in SingleByteEncoding.All)
        {
            if (encoding.Encode(text) is not { } bytes)
                continue;
            if (encoding == SingleByteEncoding.Latin1)
                latin1 = bytes;
            // In Mac Roman it would find a dash before a space.
            if (restoreByteA0 && !encoding.IsMacRoman)
                RestoreA0(ref bytes);
            if (replaceLossySequences && encoding.IsSloppy)
                ReplaceLossy(ref bytes);
            if (Decode(bytes) is { } decoded)
                return decoded;
        }
        if (decodeInconsistentUtf8 && RepairParts(text) is { } parts)
            return parts;
        if (latin1 is not null && ToWindows1252(text, strict: true) is { } windows && windows != text)
            return windows;
        return fixC1Controls ? FixC1(text) : text;
    }

    /// <summary>Control characters U+0080 to U+009F read as Windows-1252, as browsers do.</summary>
    public static string FixC1(string text) => ToWindows1252(text, strict: false) ?? text;

    private static string? ToWindows1252(string text, bool strict)
    {
        if (!text.AsSpan().ContainsAnyInRange('\x80', '\x9F'))
            return text;
        if (strict && text.AsSpan().ContainsAny("\x81\x8D\x8F\x90\x9D"))
            return null;
        return string.Create(text.Length, text, static (output, source) =>
        {
            for (var i = 0; i < output.Length; i++)
                output[i] = source[i] is >= '\x80' and <= '\x9F'
                    ? SingleByteEncoding.Windows1252.Decode((byte)source[i]) : source[i];
        });
    }

    private static string? RepairParts(string text)
    {
        StringBuilder? output = null;
        var done = 0;
        for (var from = 0; Utf8Clues.Next(text, from) is { } range; from = range.End.Value)
        {
            var (start, length) = range.GetOffsetAndLength(text.Length);
            if (length == text.Length || !MojibakeSigns.IsBad(text.AsSpan(start, length)))
                continue;
            output ??= new(text.Length);
            output.Append(text, done, start - done).Append(s_full.Repair(text.Substring(start, length)));
            done = start + length;
        }
        var repaired = output?.Append(text, done, text.Length - done).ToString();
        return repaired == text ? null : repaired;
    }

    /// <summary>Puts back A0 where a space stands in what would otherwise be UTF-8 for a likely character.</summary>
    private static void RestoreA0(ref byte[] bytes)
    {
        if (!HasAltered(bytes))
            return;
        var output = new ArrayBufferWriter<byte>(bytes.Length + 16);
        for (var i = 0; i < bytes.Length; i++)
        {
            output.Write(bytes.AsSpan(i, 1));
            // "Ã la" is most often "à la", whose two spaces became one; in Portuguese "às" and "àquele" it is not.
            if (bytes[i] == 0xC3 && i + 1 < bytes.Length && bytes[i + 1] == ' ' && !ContinuesWord(bytes.AsSpan(i + 2)))
                output.Write<byte>([0xA0]);
        }
        bytes = output.WrittenSpan.ToArray();
        for (var i = 0; i + 1 < bytes.Length; i++)
        {
            var length = AlteredLength(bytes.AsSpan(i));
            for (var k = i; k < i + length; k++)
                if (bytes[k] == ' ')
                    bytes[k] = 0xA0;
            i += Math.Max(0, length - 1);
        }

        static bool ContinuesWord(ReadOnlySpan<byte> rest) =>
            rest.StartsWith(" "u8) || rest.StartsWith("quele"u8) || rest.StartsWith("quela"u8) || rest.StartsWith("quilo"u8)
            || rest.StartsWith("s "u8);
    }

    private static bool HasAltered(ReadOnlySpan<byte> bytes)
    {
        for (var i = 0; i + 1 < bytes.Length; i++)
            if (bytes[i] >= 0xC2 && AlteredLength(bytes[i..]) > 0)
                return true;
        return false;
    }

    private static int AlteredLength(ReadOnlySpan<byte> b)
    {
        if (b.Length < 2)
            return 0;
        if (b[0] is 0xC2 or 0xC3 or 0xC5 or 0xCE or 0xD0 or 0xD9)
            return b[1] == ' ' ? 2 : 0;
        if (b[0] is >= 0xE0 and <= 0xE3)
            return b.Length > 2 && ((b[0] >= 0xE2 && b[1] == ' ' && IsPlain(b[2])) || (IsPlain(b[1]) && b[2] == ' ')) ? 3 : 0;
        return b[0] == 0xF0 && b.Length > 3 && IsSpaceOrContinuation(b[1]) && IsSpaceOrContinuation(b[2])
            && IsSpaceOrContinuation(b[3]) && b.Slice(1, 3).Count((byte)' ') == 1 ? 4 : 0;

        static bool IsPlain(byte value) => value is >= 0x80 and <= 0xBF and not (0x85 or 0xA0);
        static bool IsSpaceOrContinuation(byte value) => value is (byte)' ' or (>= 0x80 and <= 0xBF);
    }

    /// <summary>Replaces sequences in which bytes were lost (1A, or one <c>?</c>) by U+FFFD.</summary>
    private static void ReplaceLossy(ref byte[] bytes)
    {
        if (!bytes.AsSpan().ContainsAny((byte)0x1A, (byte)'?'))
            return;
        var output = new ArrayBufferWriter<byte>(bytes.Length + 16);
        for (var i = 0; i < bytes.Length; i++)
        {
            var length = LossyLength(bytes.AsSpan(i));
            output.Write(length > 0 ? "\uFFFD"u8 : bytes.AsSpan(i, 1));
            i += Math.Max(0, length - 1);
        }
        bytes = output.WrittenSpan.ToArray();
    }

    private static int LossyLength(ReadOnlySpan<byte> b)
    {
        if (b[0] == 0x1A)
            return 1;
        if (b[0] is >= 0xC2 and <= 0xDF)
            return b.Length > 1 && (b[1] == 0x1A || (b[0] <= 0xC3 && b[1] == '?')) ? 2 : 0;
        if (b[0] == 0xED && b.Length > 5 && b[1] is >= 0xA0 and <= 0xAF && b[3] == 0xED && b[4] is >= 0xB0 and <= 0xBF
            && ((IsLost(b[2]) && (IsLost(b[5]) || IsContinuation(b[5]))) || (IsContinuation(b[2]) && IsLost(b[5]))))
            return 6;
        var count = b[0] switch { >= 0xE0 and <= 0xEF => 3, >= 0xF0 and <= 0xF4 => 4, _ => 0 };
        if (count == 0 || b.Length < count)
            return 0;
        int lost = 0, questions = 0;
        foreach (var value in b[1..count])
        {
            if (!IsLost(value) && !IsContinuation(value))
                return 0;
            lost += IsLost(value) ? 1 : 0;
            questions += value == '?' ? 1 : 0;
        }
        return lost > 0 && questions <= 1 ? count : 0;

        static bool IsLost(byte value) => value is 0x1A or (byte)'?';
        static bool IsContinuation(byte value) => value is >= 0x80 and <= 0xBF;
    }

    /// <summary>Text of UTF-8, or of its variants: six bytes for a character beyond U+FFFF (CESU-8), C0 80 for NUL
    /// (Java).</summary>
    private static string? Decode(byte[] bytes)
    {
        if (bytes.AsSpan().ContainsAny((byte)0xED, (byte)0xC0))
        {
            var length = 0;
            for (var i = 0; i < bytes.Length;)
            {
                if (bytes[i] == 0xC0 && i + 1 < bytes.Length && bytes[i + 1] == 0x80)
                {
                    bytes[length++] = 0;
                    i += 2;
                }
                else if (IsSurrogatePair(bytes.AsSpan(i)))
                {
                    var high = (bytes[i + 1] & 0xF) << 6 | (bytes[i + 2] & 0x3F);
                    var low = (bytes[i + 4] & 0xF) << 6 | (bytes[i + 5] & 0x3F);
                    length += new Rune(0x10000 + (high << 10) + low).EncodeToUtf8(bytes.AsSpan(length));
                    i += 6;
                }
                else
                    bytes[length++] = bytes[i++];
            }
            bytes = bytes[..length];
        }
        return Utf8.IsValid(bytes) ? Encoding.UTF8.GetString(bytes) : null;
    }

    private static bool IsSurrogatePair(ReadOnlySpan<byte> b) =>
        b.Length > 5 && b[0] == 0xED && b[1] is >= 0xA0 and <= 0xAF && (b[2] & 0xC0) == 0x80
        && b[3] == 0xED && b[4] is >= 0xB0 and <= 0xBF && (b[5] & 0xC0) == 0x80;
}
