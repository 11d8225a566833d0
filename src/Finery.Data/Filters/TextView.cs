using Finery.Data.Filters.Segmentation;

namespace Finery.Data.Filters;

/// <summary>Views of one text, each computed when first asked for and kept until the text changes. Their buffers serve one text
/// after another.</summary>
internal sealed class TextView
{
    private readonly TextSpans _spans = new();
    private NGrams? _nGrams;
    private string? _language;
    private bool _hasNGrams;
    private List<Range>? _words;
    private List<Range>? _sentences;
    private int _length = -1;

    /// <summary>The text.</summary>
    public string Text { get; private set; } = "";

    /// <summary>Its code points.</summary>
    public int Length => _length < 0 ? _length = CharacterSets.Length(Text) : _length;

    /// <summary>English words.</summary>
    public List<Range> Words => _words ??= WordsIn("en").ToList();

    /// <summary>English sentences.</summary>
    public List<Range> Sentences => _sentences ??= SentencesIn("en");

    /// <summary>Lines or paragraphs of the text that a filter looks at, one kind at a time.</summary>
    public TextSpans Pieces { get; } = new();

    /// <summary>Which pieces repeat earlier ones.</summary>
    public FirstOccurrences Occurrences { get; } = new();

    /// <summary>Words of a language. Valid until the words of another one are asked for.</summary>
    /// <exception cref="ArgumentException">No such language is known.</exception>
    public TextSpans WordsIn(string language)
    {
        if (_language != language)
        {
            _language = null;
            Filters.Words.Split(Text, language, _spans);
            _language = language;
            _hasNGrams = false;
        }
        return _spans;
    }

    /// <summary>Sentences of a language. <see cref="Pieces"/> has them, too.</summary>
    /// <exception cref="ArgumentException">No such language is known.</exception>
    public List<Range> SentencesIn(string language)
    {
        Filters.Sentences.Split(Text, WordsIn(language), Pieces);
        return Pieces.ToList();
    }

    /// <summary>Runs of words of a language.</summary>
    /// <inheritdoc cref="WordsIn"/>
    public NGrams NGramsIn(string language)
    {
        var words = WordsIn(language);
        _nGrams ??= new(Occurrences);
        if (!_hasNGrams)
            _nGrams.Load(Text, words);
        _hasNGrams = true;
        return _nGrams;
    }

    /// <summary>Forgets what was computed and goes on to another text.</summary>
    public void Reset(string text)
    {
        Text = text;
        _language = null;
        _hasNGrams = false;
        _words = null;
        _sentences = null;
        _length = -1;
    }
}
