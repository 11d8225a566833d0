using System.Collections.Frozen;
using System.Text;

namespace Finery.Data.Filters.Formatters.Repair;

/// <summary>
/// A single-byte encoding that text may wrongly have been decoded by. A Windows one is sloppy: bytes it leaves undefined stand
/// for the control characters of Latin-1, as browsers have it, and byte 1A for U+FFFD, a byte that was lost.
/// </summary>
internal sealed class SingleByteEncoding
{
    private readonly char[] _decoded = new char[256];
    private readonly FrozenDictionary<char, byte> _encoded;

    private SingleByteEncoding(int codePage, bool sloppy, bool isMacRoman = false)
    {
        (IsSloppy, IsMacRoman) = (sloppy, isMacRoman);
        var encoding = codePage == 28591 ? Encoding.Latin1 : CodePagesEncodingProvider.Instance.GetEncoding(codePage)!;
        Span<byte> value = stackalloc byte[1];
        for (var b = 0; b < 256; b++)
        {
            value[0] = (byte)b;
            var c = encoding.GetString(value)[0];
            // The system's tables fill gaps with private characters.
            _decoded[b] = b < 0x80 || (c is >= '\uE000' and <= '\uF8FF' && !isMacRoman) ? (char)b : c;
        }
        if (isMacRoman)
            (_decoded[0xBD], _decoded[0xDB]) = ('Ω', '€');
        if (sloppy)
            _decoded[0x1A] = '\uFFFD';
        _encoded = _decoded.Select((c, b) => (c, b)).ToFrozenDictionary(p => p.c, p => (byte)p.b);
    }

    /// <summary>Those that are tried, in order.</summary>
    public static SingleByteEncoding[] All { get; } =
    [
        new(28591, sloppy: false), new(1252, sloppy: true), new(1251, sloppy: true), new(1250, sloppy: true),
        new(1253, sloppy: true), new(1254, sloppy: true), new(1257, sloppy: true), new(28592, sloppy: false),
        new(10000, sloppy: false, isMacRoman: true), new(437, sloppy: false),
    ];

    public static SingleByteEncoding Latin1 => All[0];

    public static SingleByteEncoding Windows1252 => All[1];

    public bool IsSloppy { get; }

    public bool IsMacRoman { get; }

    public char Decode(byte value) => _decoded[value];

    /// <summary>The bytes that give this text; null if there are none.</summary>
    public byte[]? Encode(ReadOnlySpan<char> text)
    {
        var bytes = new byte[text.Length];
        for (var i = 0; i < text.Length; i++)
        {
            var c = text[i];
            if (c < 0x80 && c != 0x1A)
                bytes[i] = (byte)c;
            else if (!_encoded.TryGetValue(c, out bytes[i]))
                return null;
        }
        return bytes;
    }
}
