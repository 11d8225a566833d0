using System.Text;

namespace Finery.Data.Deduplication.Spans;

/// <summary>Ways of cutting a text so that the pieces together are the text.</summary>
internal static class Pieces
{
    /// <summary>Lines with their line feeds.</summary>
    public static List<Range> Lines(string text)
    {
        var pieces = new List<Range>();
        for (var start = 0; start < text.Length;)
        {
            var end = text.IndexOf('\n', start) is >= 0 and var feed ? feed + 1 : text.Length;
            pieces.Add(start..end);
            start = end;
        }
        return pieces;
    }

    /// <summary>Paragraphs with the blank lines that follow them.</summary>
    public static List<Range> Paragraphs(string text)
    {
        var pieces = new List<Range>();
        int start = 0, at = 0;
        while (text.IndexOf("\n\n", at, StringComparison.Ordinal) is >= 0 and var found)
        {
            at = found + 2;
            while (at < text.Length && text[at] == '\n')
                at++;
            pieces.Add(start..at);
            start = at;
        }
        if (start < text.Length)
            pieces.Add(start..text.Length);
        return pieces;
    }

    /// <summary>The pieces that stay; each run of others becomes <paramref name="mark"/>.</summary>
    public static string Join(string text, List<Range> pieces, bool[] isCut, string mark = "")
    {
        var joined = new StringBuilder(text.Length);
        for (var i = 0; i < pieces.Count; i++)
            if (!isCut[i])
                joined.Append(text.AsSpan(pieces[i]));
            else if (i == 0 || !isCut[i - 1])
                joined.Append(mark);
        // The last line has no line end, unless the text had one.
        return mark.Length == 0 && !text.EndsWith('\n') ? joined.ToString().TrimEnd('\n', '\r') : joined.ToString();
    }
}
