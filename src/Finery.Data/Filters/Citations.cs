namespace Finery.Data.Filters;

/// <summary>Marks that an encyclopedia leaves in its text: <c>[12]</c>, <c>[]</c>, <c>[edit]</c>, <c>[citation
/// needed]</c>.</summary>
internal static class Citations
{
    /// <summary>Copies a text without them.</summary>
    /// <param name="text">The text.</param>
    /// <param name="output">Room for all of it.</param>
    /// <returns>What was written.</returns>
    public static Span<char> Remove(ReadOnlySpan<char> text, Span<char> output)
    {
        var length = 0;
        for (var i = 0; i < text.Length;)
        {
            var mark = text[i] == '[' ? LengthOf(text[i..]) : 0;
            if (mark == 0)
                output[length++] = text[i++];
            i += mark;
        }
        return output[..length];
    }

    /// <summary>Length of the mark a text begins with; 0 if none.</summary>
    private static int LengthOf(ReadOnlySpan<char> text)
    {
        if (text.StartsWith("[edit]"))
            return "[edit]".Length;
        if (text.StartsWith("[citation needed]"))
            return "[citation needed]".Length;
        var i = 1;
        while (i < text.Length && char.IsDigit(text[i]))
            i++;
        return i < text.Length && text[i] == ']' ? i + 1 : 0;
    }
}
