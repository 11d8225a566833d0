namespace Finery.Data.Extraction;

/// <summary>A line of the text extracted, or a program of several.</summary>
internal readonly record struct TextLine(BlockKind Kind, string Text);

/// <summary>Picks the lines of an article from what was written of a part of a page.</summary>
internal static class TextLines
{
    private const int RepeatedNeighbour = 50;
    private const int RepeatedAnywhere = 100;
    private const int MostCopies = 3;

    private static readonly HashSet<string> ShareLabels = new(
        [
            "drucken", "email", "e-mail", "facebook", "flipboard", "google", "instagram", "linkedin", "mail", "pdf", "pinterest", "pocket",
            "print", "qq", "reddit", "share", "tweet", "twitter", "wechat", "weibo", "whatsapp", "xing",
        ], StringComparer.OrdinalIgnoreCase);

    /// <summary>Characters of all lines and the breaks between them.</summary>
    public static int Characters(List<TextLine> lines)
    {
        var total = Math.Max(0, lines.Count - 1);
        foreach (var line in lines)
            total += line.Text.Length;
        return total;
    }

    /// <summary>The lines of what was written.</summary>
    public static List<TextLine> Pick(BlockWriter writer, bool keepLoose)
    {
        var lines = new List<TextLine>(writer.Blocks.Count);
        var copies = new Dictionary<string, int>(StringComparer.Ordinal);
        foreach (var block in writer.Blocks)
        {
            if (block.Kind == BlockKind.Loose && !keepLoose)
                continue;
            var text = writer.Text(block);
            if (IsShareLabel(text))
                continue;
            var line = text.ToString();
            if (line.Length > RepeatedNeighbour && lines.Count > 0 && lines[^1].Text == line)
                continue;
            if (line.Length > RepeatedAnywhere)
            {
                copies.TryGetValue(line, out var count);
                if (count == MostCopies)
                    continue;
                copies[line] = count + 1;
            }
            lines.Add(new(block.Kind, line));
        }
        while (lines.Count > 0 && lines[^1].Kind == BlockKind.Heading)
            lines.RemoveAt(lines.Count - 1);
        return lines;
    }

    private static bool IsShareLabel(ReadOnlySpan<char> text)
    {
        if (text.Length > 20)
            return false;
        var start = 0;
        while (start < text.Length && !char.IsLetterOrDigit(text[start]))
            start++;
        return ShareLabels.GetAlternateLookup<ReadOnlySpan<char>>().Contains(text[start..]);
    }
}
