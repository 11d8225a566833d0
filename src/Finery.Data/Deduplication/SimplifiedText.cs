using System.Buffers;
using System.Collections.Frozen;
using System.Globalization;
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

    // Per ASCII character: what it becomes; 0 is a space, 1 a digit.
    private static readonly byte[] s_ascii = BuildAscii();

    /// <summary>Simplifies.</summary>
    public static string Of(ReadOnlySpan<char> text)
    {
        var buffer = ArrayPool<char>.Shared.Rent(text.Length + 1);
        try
        {
            return Ascii.IsValid(text) ? new string(buffer.AsSpan(0, SimplifyAscii(text, buffer))) : SimplifyUnicode(text);
        }
        finally
        {
            ArrayPool<char>.Shared.Return(buffer);
        }
    }

    private static int SimplifyAscii(ReadOnlySpan<char> text, Span<char> output)
    {
        var length = 0;
        var pendingSpace = false;
        for (var i = 0; i < text.Length; i++)
        {
            var c = s_ascii[text[i]];
            if (c == 0)
            {
                pendingSpace = length > 0;
                continue;
            }
            if (pendingSpace)
            {
                output[length++] = ' ';
                pendingSpace = false;
            }
            if (c == 1)
            {
                i = EndOfNumber(text, i) - 1;
                c = (byte)'0';
            }
            output[length++] = (char)c;
        }
        return length;
    }

    /// <summary><c>\d+([.,]\d+)?</c></summary>
    private static int EndOfNumber(ReadOnlySpan<char> text, int i)
    {
        while (i < text.Length && char.IsAsciiDigit(text[i]))
            i++;
        if (i + 1 < text.Length && text[i] is '.' or ',' && i + 1 < text.Length && char.IsAsciiDigit(text[i + 1]))
            for (i++; i < text.Length && char.IsAsciiDigit(text[i]);)
                i++;
        return i;
    }

    private static string SimplifyUnicode(ReadOnlySpan<char> text)
    {
        var lowered = Lower(text);
        var output = new StringBuilder(text.Length);
        var pendingSpace = false;
        for (var i = 0; i < lowered.Count; i++)
        {
            var rune = lowered[i];
            if (IsDigit(rune))
            {
                while (i + 1 < lowered.Count && IsDigit(lowered[i + 1]))
                    i++;
                if (i + 2 < lowered.Count && IsDecimalMark(lowered[i + 1].Value) && IsDigit(lowered[i + 2]))
                    for (i += 2; i + 1 < lowered.Count && IsDigit(lowered[i + 1]);)
                        i++;
                rune = new Rune('0');
            }
            if (CharacterSets.IsPunctuation(rune.Value) || Rune.IsWhiteSpace(rune) || rune.Value is >= 0x1C and <= 0x1F)
            {
                pendingSpace = output.Length > 0;
                continue;
            }
            var before = output.Length;
            if (pendingSpace)
                output.Append(' ');
            var afterSpace = output.Length;
            AppendDecomposed(output, rune);
            if (output.Length == afterSpace)
                output.Length = before; // a lone accent: whatever space came before it is still pending
            else
                pendingSpace = false;
        }
        return output.ToString();
    }

    /// <summary>Full lower-casing: <c>İ</c> becomes two code points, a capital sigma at the end of a word <c>ς</c>.</summary>
    private static List<Rune> Lower(ReadOnlySpan<char> text)
    {
        var runes = new List<Rune>(text.Length);
        foreach (var rune in text.EnumerateRunes())
            runes.Add(rune);
        var lowered = new List<Rune>(runes.Count);
        for (var i = 0; i < runes.Count; i++)
        {
            if (runes[i].Value == 'İ')
            {
                lowered.Add(new Rune('i'));
                lowered.Add(new Rune(0x307));
            }
            else if (runes[i].Value == 'Σ')
                lowered.Add(new Rune(
                    i > 0 && Rune.IsLetter(runes[i - 1]) && !(i + 1 < runes.Count && Rune.IsLetter(runes[i + 1])) ? 'ς' : 'σ'));
            else
                lowered.Add(Rune.ToLowerInvariant(runes[i]));
        }
        return lowered;
    }

    private static void AppendDecomposed(StringBuilder output, Rune rune)
    {
        const int hangul = 0xAC00, vowels = 21, finals = 28;
        if (rune.Value is >= hangul and <= 0xD7A3)
        {
            var index = rune.Value - hangul;
            output.Append((char)(0x1100 + index / (vowels * finals))).Append((char)(0x1161 + index % (vowels * finals) / finals));
            if (index % finals > 0)
                output.Append((char)(0x11A7 + index % finals));
        }
        else if (s_decompositions.TryGetValue(rune.Value, out var decomposed))
            output.Append(decomposed);
        else if (Rune.GetUnicodeCategory(rune) != UnicodeCategory.NonSpacingMark)
        {
            Span<char> units = stackalloc char[2];
            output.Append(units[..rune.EncodeToUtf16(units)]);
        }
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
