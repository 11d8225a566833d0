namespace Finery.Data.Filters;

/// <summary>English sentences: after a terminal word, the next word that is neither terminal nor punctuation starts a new one.</summary>
internal static class Sentences
{
    /// <summary>Slices from sentence end to sentence end: nothing of the text is lost.</summary>
    public static List<Range> Split(string text)
    {
        var sentences = new List<Range>();
        var start = 0;
        var ended = false;
        foreach (var word in Words.Split(text))
        {
            var symbol = text.AsSpan(word).IndexOfAnyExceptInRange('!', '/') < 0 || text[word.Start] is '?' or ':' or ';';
            if (ended && !symbol)
            {
                sentences.Add(start..word.Start.Value);
                start = word.Start.Value;
                ended = false;
            }
            ended |= text[word.Start] is '.' or '!' or '?';
        }
        if (start < text.Length)
            sentences.Add(start..text.Length);
        return sentences;
    }
}
