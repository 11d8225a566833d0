using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Text.Json;

namespace Finery.Data.Readers;

/// <summary>
/// Turns the UTF-8 of a JSON string into characters, sixteen bytes at a time where nothing has to be unescaped. The .NET reader
/// goes byte by byte from the first escape on, and text has one on every line.
/// </summary>
internal sealed class JsonStringDecoder
{
    private char[] _characters = new char[1 << 12];

    /// <summary>Decodes a string.</summary>
    /// <param name="json">Valid UTF-8.</param>
    /// <param name="position">Behind the opening quote; then behind the closing one.</param>
    /// <returns>The string; valid until the next call.</returns>
    /// <exception cref="JsonException">There is no closing quote, an escape is wrong, or a surrogate stands alone.</exception>
    public unsafe ReadOnlySpan<char> Decode(ReadOnlySpan<byte> json, ref int position)
    {
        // A byte yields a character at most; whole vectors are stored.
        var most = json.Length - position + 32;
        if (_characters.Length < most)
            _characters = new char[(int)Math.Max(most, Math.Min(_characters.Length * 2L, Array.MaxLength))];
        fixed (byte* source = json)
        fixed (char* target = _characters)
        {
            var at = source + position;
            var end = Decode(ref at, source + json.Length, target);
            if (end == null)
                throw new JsonException("A string is damaged or has no end.");
            position = (int)(at - source);
            return _characters.AsSpan(0, (int)(end - target));
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static unsafe char* Decode(ref byte* position, byte* end, char* target)
    {
        var at = position;
        var quote = Vector128.Create((byte)'"');
        var backslash = Vector128.Create((byte)'\\');
        var space = Vector128.Create((byte)' ');
        while (at < end)
        {
            if (end - at >= 16)
            {
                var bytes = Vector128.Load(at);
                var special = Vector128.Equals(bytes, quote) | Vector128.Equals(bytes, backslash)
                    | Vector128.LessThan(bytes, space);
                var (low, high) = Vector128.Widen(bytes);
                Vector128.Store(low, (ushort*)target);
                Vector128.Store(high, (ushort*)target + 8);
                var mask = (special | bytes).ExtractMostSignificantBits();
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
            if (value == '"')
            {
                position = at + 1;
                return target;
            }
            if (value == '\\')
            {
                if (!TryUnescape(ref at, end, ref target))
                    return null;
            }
            else if (value < ' ')
                return null;
            else if (value < 128)
            {
                *target++ = (char)value;
                at++;
            }
            else
                for (; at < end && *at >= 128;)
                    Widen(ref at, ref target);
        }
        return null;
    }

    /// <summary>One character of more than one byte; validity was checked.</summary>
    private static unsafe void Widen(ref byte* at, ref char* target)
    {
        uint first = *at;
        if (first < 0xE0)
        {
            *target++ = (char)(((first & 0x1F) << 6) | (at[1] & 0x3Fu));
            at += 2;
        }
        else if (first < 0xF0)
        {
            *target++ = (char)(((first & 0x0F) << 12) | ((at[1] & 0x3Fu) << 6) | (at[2] & 0x3Fu));
            at += 3;
        }
        else
        {
            var rune = (((first & 0x07) << 18) | ((at[1] & 0x3Fu) << 12) | ((at[2] & 0x3Fu) << 6) | (at[3] & 0x3Fu)) - 0x10000;
            target[0] = (char)(0xD800 + (rune >> 10));
            target[1] = (char)(0xDC00 + (rune & 0x3FF));
            target += 2;
            at += 4;
        }
    }

    private static unsafe bool TryUnescape(ref byte* at, byte* end, ref char* target)
    {
        if (end - at < 2)
            return false;
        var unescaped = at[1] switch
        {
            (byte)'n' => '\n',
            (byte)'t' => '\t',
            (byte)'"' => '"',
            (byte)'\\' => '\\',
            (byte)'/' => '/',
            (byte)'r' => '\r',
            (byte)'b' => '\b',
            (byte)'f' => '\f',
            _ => '\0',
        };
        if (unescaped != '\0')
        {
            *target++ = unescaped;
            at += 2;
            return true;
        }
        if (!TryHex(at, end, out var first))
            return false;
        at += 6;
        *target++ = first;
        if (!char.IsSurrogate(first))
            return true;
        if (!char.IsHighSurrogate(first) || !TryHex(at, end, out var second) || !char.IsLowSurrogate(second))
            return false;
        at += 6;
        *target++ = second;
        return true;
    }

    private static unsafe bool TryHex(byte* at, byte* end, out char value)
    {
        value = '\0';
        if (end - at < 6 || at[0] != '\\' || at[1] != 'u')
            return false;
        var number = 0;
        for (var i = 2; i < 6; i++)
        {
            if (!char.IsAsciiHexDigit((char)at[i]))
                return false;
            number = (number << 4) | (at[i] <= '9' ? at[i] - '0' : (at[i] | 0x20) - 'a' + 10);
        }
        value = (char)number;
        return true;
    }
}
