namespace Finery.Data.Filters;

/// <summary>The ways published rules cut a text into lines and paragraphs; each differs in what empty ones count.</summary>
internal static class Lines
{
    /// <summary>Python's <c>splitlines</c>: many line ends, no empty last line.</summary>
    public static List<Range> SplitLines(string text)
    {
        var lines = new List<Range>();
        var start = 0;
        for (var i = 0; i < text.Length; i++)
        {
            if (!CharacterSets.IsLineEnd(text[i]))
                continue;
            lines.Add(start..i);
            if (text[i] == '\r' && i + 1 < text.Length && text[i + 1] == '\n')
                i++;
            start = i + 1;
        }
        if (start < text.Length)
            lines.Add(start..text.Length);
        return lines;
    }

    /// <summary>Splits at runs of at least <paramref name="minRun"/> line feeds; shorter runs stay inside, and the pieces before
    /// a leading and after a trailing run count although empty.</summary>
    public static List<Range> SplitAtRuns(string text, Range within, int minRun)
    {
        var (offset, length) = within.GetOffsetAndLength(text.Length);
        var pieces = new List<Range>();
        var start = offset;
        var end = offset + length;
        for (var i = offset; i < end;)
        {
            if (text[i] != '\n')
            {
                i++;
                continue;
            }
            var run = i;
            while (i < end && text[i] == '\n')
                i++;
            if (i - run < minRun)
                continue;
            pieces.Add(start..run);
            start = i;
        }
        pieces.Add(start..end);
        return pieces;
    }

    /// <summary>Repeats after the first occurrence: how many pieces, and how many code points they have.</summary>
    public static (int Count, int Characters) Duplicates(string text, List<Range> pieces)
    {
        var seen = new HashSet<string>(pieces.Count, StringComparer.Ordinal);
        var lookup = seen.GetAlternateLookup<ReadOnlySpan<char>>();
        int count = 0, characters = 0;
        foreach (var piece in pieces)
        {
            if (lookup.Add(text.AsSpan(piece)))
                continue;
            count++;
            characters += CharacterSets.Length(text.AsSpan(piece));
        }
        return (count, characters);
    }
}
