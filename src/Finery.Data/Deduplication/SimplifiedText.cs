using System.Buffers;
using System.Collections.Frozen;
using System.Globalization;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;
using Finery.Data.Filters;

namespace Finery.Data.Deduplication;

/// <summary>
/// datatrove's <c>simplify_text</c>: lower case, every number becomes <c>0</c>, punctuation and runs of white space one space,
/// accents removed. What near-duplicates have in common.
/// </summary>
/// <remarks>
/// The library's own normalisation needs ICU, which Finery does not load (invariant globalisation), so canonical decomposition
/// comes from a table of Unicode 14 (<c>CanonicalDecompositions.txt</c>: character, decomposition without its Mn marks).
/// </remarks>
public static class SimplifiedText
{
    private static readonly FrozenDictionary<int, string> s_decompositions = Load();

    private const int MostUnits = 4;

    // Per ASCII character: what it becomes; 0 is a space, 1 a digit.
    private static readonly byte[] s_ascii = BuildAscii();

    /// <summary>Simplifies.</summary>
    public static string Of(ReadOnlySpan<char> text)
    {
        char[] buffer = [];
        return new string(Write(text, ref buffer));
    }

    /// <summary>Simplifies into a buffer, which grows as needed and is used again.</summary>
    internal static ReadOnlySpan<char> Write(ReadOnlySpan<char> text, ref char[] buffer)
    {
        // No character becomes more than four, and only ones outside ASCII more than one.
        var most = Math.Min(Ascii.IsValid(text) ? text.Length + 1L : text.Length * (long)MostUnits + 1, Array.MaxLength);
        if (buffer.Length < most)
            buffer = new char[Math.Max(most, Math.Min(buffer.Length * 2L, Array.MaxLength))];
        return buffer.AsSpan(0, Simplify(text, buffer));
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static int Simplify(ReadOnlySpan<char> text, Span<char> output)
    {
        ref var input = ref MemoryMarshal.GetReference(text);
        ref var target = ref MemoryMarshal.GetReference(output);
        ref var ascii = ref MemoryMarshal.GetArrayDataReference(s_ascii);
        var length = 0;
        var pendingSpace = false;
        for (var i = 0; i < text.Length;)
        {
            var unit = Unsafe.Add(ref input, i);
            if (unit < 128)
            {
                // The output has room for as many characters as the input has, and more.
                var c = Unsafe.Add(ref ascii, unit);
                if (c > 1)
                {
                    if (pendingSpace)
                    {
                        Unsafe.Add(ref target, length++) = ' ';
                        pendingSpace = false;
                    }
                    Unsafe.Add(ref target, length++) = (char)c;
                    i++;
                    continue;
                }
                if (c == 0)
                {
                    pendingSpace = length > 0;
                    i++;
                    continue;
                }
            }
            Rune.DecodeFromUtf16(text[i..], out var rune, out var units);
            if (IsDigit(rune))
            {
                i = EndOfNumber(text, i);
                rune = new Rune('0');
            }
            else
            {
                i += units;
                if (CharacterSets.IsPunctuation(rune.Value) || Rune.IsWhiteSpace(rune))
                {
                    pendingSpace = length > 0;
                    continue;
                }
                rune = rune.Value == 'Σ' ? Sigma(text, i - units, i) : Rune.ToLowerInvariant(rune);
            }
            var start = pendingSpace ? length + 1 : length;
            var end = WriteDecomposed(output, start, rune);
            if (end == start)
                continue; // a lone accent: whatever space came before it is still pending
            if (pendingSpace)
                output[length] = ' ';
            length = end;
            pendingSpace = false;
        }
        return length;
    }

    /// <summary><c>\d+([.,]\d+)?</c>, digits and decimal marks of all scripts.</summary>
    private static int EndOfNumber(ReadOnlySpan<char> text, int i)
    {
        i = EndOfDigits(text, i);
        if (i + 1 >= text.Length || !IsDecimalMark(text[i]))
            return i;
        var end = EndOfDigits(text, i + 1);
        return end > i + 1 ? end : i;
    }

    private static int EndOfDigits(ReadOnlySpan<char> text, int i)
    {
        while (i < text.Length)
        {
            if (text[i] < 128)
            {
                if (!char.IsAsciiDigit(text[i]))
                    break;
                i++;
                continue;
            }
            Rune.DecodeFromUtf16(text[i..], out var rune, out var units);
            if (!IsDigit(rune))
                break;
            i += units;
        }
        return i;
    }

    /// <summary>Lower case of a capital sigma: <c>ς</c> at the end of a word.</summary>
    private static Rune Sigma(ReadOnlySpan<char> text, int start, int end)
    {
        var afterLetter = start > 0 && Rune.DecodeLastFromUtf16(text[..start], out var before, out _) == OperationStatus.Done
            && Rune.IsLetter(before);
        var beforeLetter = end < text.Length && Rune.DecodeFromUtf16(text[end..], out var after, out _) == OperationStatus.Done
            && Rune.IsLetter(after);
        return new Rune(afterLetter && !beforeLetter ? 'ς' : 'σ');
    }

    /// <summary>Writes what a character decomposes into, without its accents, and returns where that ends.</summary>
    private static int WriteDecomposed(Span<char> output, int at, Rune rune)
    {
        const int hangul = 0xAC00, vowels = 21, finals = 28;
        if (rune.Value is >= hangul and <= 0xD7A3)
        {
            var index = rune.Value - hangul;
            output[at++] = (char)(0x1100 + index / (vowels * finals));
            output[at++] = (char)(0x1161 + index % (vowels * finals) / finals);
            if (index % finals > 0)
                output[at++] = (char)(0x11A7 + index % finals);
            return at;
        }
        if (rune.Value == 'İ')
        {
            output[at] = 'i'; // its lower case is an i and a dot above, which is an accent
            return at + 1;
        }
        if (s_decompositions.TryGetValue(rune.Value, out var decomposed))
        {
            decomposed.CopyTo(output[at..]);
            return at + decomposed.Length;
        }
        return Rune.GetUnicodeCategory(rune) == UnicodeCategory.NonSpacingMark ? at : at + rune.EncodeToUtf16(output[at..]);
    }

    private static bool IsDigit(Rune rune) => Rune.GetUnicodeCategory(rune) == UnicodeCategory.DecimalDigitNumber;

    private static bool IsDecimalMark(int c) => c is '.' or ',' or 0x60C or 0x66B or 0x2396 or 0x2397 or 0x2398;

    private static byte[] BuildAscii()
    {
        var map = new byte[128];
        for (var c = 0; c < 128; c++)
            map[c] = char.IsAsciiDigit((char)c) ? (byte)1
                : CharacterSets.IsSpace((char)c) || CharacterSets.IsPunctuation(c) ? (byte)0
                : (byte)char.ToLowerInvariant((char)c);
        return map;
    }

    private static FrozenDictionary<int, string> Load()
    {
        using var stream = typeof(SimplifiedText).Assembly.GetManifestResourceStream("CanonicalDecompositions.txt")!;
        using var reader = new StreamReader(stream);
        var table = new Dictionary<int, string>();
        while (reader.ReadLine() is { } line)
        {
            var codes = line.Split(' ').Select(h => int.Parse(h, NumberStyles.HexNumber, CultureInfo.InvariantCulture)).ToList();
            table[codes[0]] = string.Concat(codes.Skip(1).Select(char.ConvertFromUtf32));
        }
        return table.ToFrozenDictionary();
    }
}
