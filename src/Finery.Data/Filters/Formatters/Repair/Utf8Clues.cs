namespace Finery.Data.Filters.Formatters.Repair;

/// <summary>
/// Finds stretches that spell whole UTF-8 sequences in one of the Latin-like encodings, even mixed, as ftfy does: which
/// characters can stand for which byte follows from the encodings.
/// </summary>
internal static class Utf8Clues
{
    private const byte FirstOf2 = 1, FirstOf3 = 2, FirstOf4 = 4, Continuation = 8, Strict = 16;

    private static readonly byte[] s_clues = Build();

    /// <summary>The next stretch that starts at <paramref name="from"/> or behind it.</summary>
    public static Range? Next(ReadOnlySpan<char> text, int from)
    {
        for (var start = from; start < text.Length; start++)
        {
            // Behind a character that usually continues a sequence it is part of a longer garble, and must not be fixed alone.
            if (start > 0 && (s_clues[text[start - 1]] & Strict) != 0)
                continue;
            var end = start;
            while (SequenceLength(text, end) is > 0 and var length)
                end += length;
            if (end > start)
                return start..end;
        }
        return null;
    }

    private static int SequenceLength(ReadOnlySpan<char> text, int i)
    {
        if (i >= text.Length)
            return 0;
        var clue = s_clues[text[i]];
        return (clue & FirstOf2) != 0 && Continues(text, i, 1) ? 2
            : (clue & FirstOf3) != 0 && Continues(text, i, 2) ? 3
            : (clue & FirstOf4) != 0 && Continues(text, i, 3) ? 4 : 0;
    }

    private static bool Continues(ReadOnlySpan<char> text, int i, int count)
    {
        if (i + count >= text.Length)
            return false;
        for (var k = 1; k <= count; k++)
            if ((s_clues[text[i + k]] & Continuation) == 0)
                return false;
        return true;
    }

    private static byte[] Build()
    {
        var clues = new byte[char.MaxValue + 1];
        foreach (var encoding in SingleByteEncoding.All[..7])
        {
            Mark(encoding, 0xC2, 0xDF, FirstOf2);
            Mark(encoding, 0xE0, 0xEF, FirstOf3);
            Mark(encoding, 0xF0, 0xF0, FirstOf4);
            Mark(encoding, 0xF3, 0xF3, FirstOf4);
            Mark(encoding, 0x80, 0xBF, Continuation | Strict);
        }
        clues[' '] |= Continuation;
        foreach (var c in "–—―‘’‚“”„•…")
            clues[c] &= unchecked((byte)~Strict);
        return clues;

        void Mark(SingleByteEncoding encoding, byte from, byte to, byte clue)
        {
            for (int b = from; b <= to; b++)
                clues[encoding.Decode((byte)b)] |= clue;
        }
    }
}
