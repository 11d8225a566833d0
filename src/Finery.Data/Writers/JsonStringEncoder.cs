using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Finery.Data.Writers;

/// <summary>
/// Writes JSON strings as UTF-8, sixteen characters at a time where nothing has to be escaped: quotes, backslashes, control
/// characters, and what some readers take for line ends (U+0085, U+2028, U+2029). Half a surrogate pair becomes U+FFFD.
/// </summary>
internal static unsafe class JsonStringEncoder
{
    /// <summary>Most bytes a string may take: an escape of six for each character, and the room that whole vectors
    /// need.</summary>
    public static int MaxBytes(int characters) => checked(characters * 6 + 32);

    /// <summary>Writes a string without its quotes.</summary>
    /// <param name="text">What to write.</param>
    /// <param name="target">At least <see cref="MaxBytes"/> long.</param>
    /// <returns>Bytes written.</returns>
    public static int Write(ReadOnlySpan<char> text, Span<byte> target)
    {
        fixed (char* source = text)
        fixed (byte* start = target)
            return (int)(Write(source, source + text.Length, start) - start);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static byte* Write(char* at, char* end, byte* target)
    {
        var quote = Vector128.Create((byte)'"');
        var backslash = Vector128.Create((byte)'\\');
        var space = Vector128.Create((byte)' ');
        var delete = Vector128.Create((byte)0x7F);
        while (at < end)
        {
            if (end - at >= 16)
            {
                var bytes = Vector128.NarrowWithSaturation(Vector128.Load((ushort*)at), Vector128.Load((ushort*)at + 8));
                Vector128.Store(bytes, target);
                var special = Vector128.Equals(bytes, quote) | Vector128.Equals(bytes, backslash)
                    | Vector128.LessThan(bytes, space) | Vector128.GreaterThanOrEqual(bytes, delete);
                var mask = special.ExtractMostSignificantBits();
                if (mask == 0)
                {
                    at += 16;
                    target += 16;
                    continue;
                }
                var plain = BitOperations.TrailingZeroCount(mask);
                at += plain;
                target += plain;
            }
            uint value = *at;
            if (value < 0x80)
            {
                target = WriteAscii(value, target);
                at++;
            }
            else
                while (at < end && *at >= 0x80)
                    target = WriteWide(ref at, end, target);
        }
        return target;
    }

    private static byte* WriteAscii(uint value, byte* target)
    {
        if (value >= ' ' && value != '"' && value != '\\' && value != 0x7F)
        {
            *target = (byte)value;
            return target + 1;
        }
        var escape = value switch
        {
            '\n' => 'n',
            '"' => '"',
            '\\' => '\\',
            '\t' => 't',
            '\r' => 'r',
            '\b' => 'b',
            '\f' => 'f',
            _ => '\0',
        };
        if (escape == '\0')
            return WriteHex(value, target);
        target[0] = (byte)'\\';
        target[1] = (byte)escape;
        return target + 2;
    }

    private static byte* WriteHex(uint value, byte* target)
    {
        target[0] = (byte)'\\';
        target[1] = (byte)'u';
        for (var i = 0; i < 4; i++)
            target[2 + i] = (byte)"0123456789ABCDEF"[(int)(value >> (12 - 4 * i)) & 15];
        return target + 6;
    }

    private static byte* WriteWide(ref char* at, char* end, byte* target)
    {
        uint value = *at++;
        if (value < 0x800)
        {
            if (value == 0x85)
                return WriteHex(value, target);
            target[0] = (byte)(0xC0 | (value >> 6));
            target[1] = (byte)(0x80 | (value & 0x3F));
            return target + 2;
        }
        if (char.IsSurrogate((char)value))
        {
            if (char.IsHighSurrogate((char)value) && at < end && char.IsLowSurrogate(*at))
            {
                value = 0x10000 + ((value - 0xD800) << 10) + (*at++ - 0xDC00u);
                target[0] = (byte)(0xF0 | (value >> 18));
                target[1] = (byte)(0x80 | ((value >> 12) & 0x3F));
                target[2] = (byte)(0x80 | ((value >> 6) & 0x3F));
                target[3] = (byte)(0x80 | (value & 0x3F));
                return target + 4;
            }
            value = 0xFFFD;
        }
        else if (value is 0x2028 or 0x2029)
            return WriteHex(value, target);
        target[0] = (byte)(0xE0 | (value >> 12));
        target[1] = (byte)(0x80 | ((value >> 6) & 0x3F));
        target[2] = (byte)(0x80 | (value & 0x3F));
        return target + 3;
    }
}
