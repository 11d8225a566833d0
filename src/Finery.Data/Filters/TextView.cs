namespace Finery.Data.Filters;

/// <summary>Views of one text, each computed when first asked for.</summary>
internal sealed class TextView
{
    private List<Range>? _words;
    private List<Range>? _sentences;

    /// <summary>The text.</summary>
    public string Text { get; private set; } = "";

    /// <summary>English words.</summary>
    public List<Range> Words => _words ??= Filters.Words.Split(Text);

    /// <summary>English sentences.</summary>
    public List<Range> Sentences => _sentences ??= Filters.Sentences.Split(Text);

    /// <summary>Forgets what was computed and goes on to another text.</summary>
    public void Reset(string text)
    {
        Text = text;
        _words = null;
        _sentences = null;
    }
}
