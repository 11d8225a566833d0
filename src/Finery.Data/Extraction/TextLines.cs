namespace Finery.Data.Extraction;

/// <summary>A line of the text extracted, or a program of several.</summary>
internal readonly record struct TextLine(BlockKind Kind, string Text);

/// <summary>Picks the lines of an article from what was written of a part of a page.</summary>
internal static class TextLines
{
    private const int RepeatedNeighbour = 50;
    private const int RepeatedAnywhere = 100;
    private const int MostCopies = 3;
    private const int HeadLines = 4;
    private const int ShortLine = 80;
    private const int LongLine = 100;
    private const double MostLinks = 0.3;
    private const int ShortestTitle = 10;

    private static readonly string[] ReferenceLabels =
    [
        "also read", "click here", "further reading", "more:", "read:", "read also", "read more", "related", "see also", "watch:",
    ];

    private static readonly HashSet<string> ShareLabels = new(
        [
            "advertisement", "comment", "comments", "drucken", "email", "e-mail", "facebook", "flipboard",
            "google", "instagram", "linkedin", "mail", "pdf", "pinterest", "pocket", "print", "qq", "reddit",
            "share", "share this", "tweet", "twitter", "wechat", "weibo", "whatsapp", "xing",
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
            if (block.Kind == BlockKind.Loose && !keepLoose && !IsText(block))
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
            if (IsReference(text, block))
                continue;
            lines.Add(new(block.Kind, line));
        }
        while (lines.Count > 0 && lines[^1].Kind is BlockKind.Heading or BlockKind.Headline)
            lines.RemoveAt(lines.Count - 1);
        return lines;
    }

    /// <summary>Removes headings of the first level and the title of the page from the start of the lines.</summary>
    public static void RemoveHeadline(List<TextLine> lines, string? title)
    {
        if (title is null)
            return;
        var kept = 0;
        for (var i = 0; i < Math.Min(lines.Count, HeadLines) && kept < lines.Count; i++)
        {
            var line = lines[kept];
            if (line.Kind == BlockKind.Headline || IsTitle(line.Text, title))
                lines.RemoveAt(kept);
            else if (line.Kind is BlockKind.Heading || line.Text.Length < ShortLine)
                kept++;
            else
                break;
        }
    }

    // Titles of pages go on with the name of the site.
    private static bool IsTitle(string line, string title) =>
        title.Length > 0 && line.Length >= Math.Min(ShortestTitle, title.Length) && title.StartsWith(line, StringComparison.OrdinalIgnoreCase)
        && (title.Length == line.Length || !char.IsLetterOrDigit(title[line.Length]));

    // "Related: (a link)" points to another page.
    private static bool IsReference(ReadOnlySpan<char> text, TextBlock block)
    {
        if (block.Kind == BlockKind.Code || block.LinkCharacters * 2 < block.Length)
            return false;
        foreach (var label in ReferenceLabels)
        {
            if (text.StartsWith(label, StringComparison.OrdinalIgnoreCase))
                return true;
        }
        return false;
    }

    // Loose text as long as a paragraph is one.
    private static bool IsText(TextBlock block) => block.Length >= LongLine && block.LinkCharacters < MostLinks * block.Length;

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
