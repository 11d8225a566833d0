using System.Buffers;
using Finery.Data.Filters.Segmentation;

namespace Finery.Data.Filters;

/// <summary>One document's way through <see cref="C4QualityFilter"/>, line by line.</summary>
internal ref struct C4Lines(C4QualityFilter settings, WorkingDocument document, Span<char> output)
{
    private const string LoremIpsum = "lorem ipsum", Javascript = "javascript";

    private static readonly string[] s_policies =
        ["terms of use", "privacy policy", "cookie policy", "uses cookies", "use of cookies", "use cookies"];

    private static readonly SearchValues<string> s_phrases =
        SearchValues.Create([LoremIpsum, Javascript, .. s_policies], StringComparison.OrdinalIgnoreCase);

    private readonly Span<char> _output = output;
    private readonly string _text = document.Text;
    private TextSpans? _words;
    private TextSpans? _ownWords;
    private int _word;
    private bool _hasPhrases;
    private bool _hasCurlyBrackets;
    private bool _hasLoremIpsum;
    private bool _hasCurlyBracketLine;
    private int _total, _kept, _tooLong, _noPunctuation, _tooFewWords, _javascript, _policy;

    /// <summary>Sentences of the kept lines.</summary>
    public int Sentences { get; private set; }

    /// <summary>Characters of the output written.</summary>
    public int Length { get; private set; }

    /// <summary>What became of the lines.</summary>
    public readonly (string Name, int Count)[] Statistics =>
    [
        ("line-total", _total), ("line-kept", _kept), ("line-filter-too_long_word", _tooLong),
        ("line-filter-no_terminal_punc", _noPunctuation), ("line-filter-too_few_words", _tooFewWords),
        ("line-filter-javascript", _javascript), ("line-filter-policy", _policy),
    ];

    /// <summary>Judges every line and writes those that are kept.</summary>
    /// <returns>False if the document is dropped and nothing more is to be measured.</returns>
    public bool Judge()
    {
        // One pass over the text spares most documents a search of every line. The Kelvin sign is the one character outside
        // ASCII that becomes a letter of a phrase by lower-casing without being equal to it when case is ignored.
        _hasPhrases = _text.AsSpan().ContainsAny(s_phrases) || _text.Contains('\u212A', StringComparison.Ordinal);
        _hasCurlyBrackets = settings.RejectCurlyBrackets && _text.Contains('{', StringComparison.Ordinal);
        var lines = document.View.Pieces;
        if (settings.BySentence)
            Filters.Sentences.Split(_text, document.View.WordsIn(settings.Language), lines);
        else
            Lines.SplitLines(_text, lines);
        for (var i = 0; i < lines.Count; i++)
            if (!JudgeLine(lines.Starts[i], lines.Ends[i]))
                return false;
        if (settings.RejectLoremIpsum && !_hasLoremIpsum)
            document.RejectIf("lorem_ipsum", false);
        if (settings.RejectCurlyBrackets && !_hasCurlyBracketLine)
            document.RejectIf("curly_bracket", false);
        return true;
    }

    private bool JudgeLine(int start, int end)
    {
        while (start < end && CharacterSets.IsSpace(_text[start]))
            start++;
        while (start < end && CharacterSets.IsSpace(_text[end - 1]))
            end--;
        if (settings.BySentence && start == end)
            return true;
        _total++;
        var line = _text.AsSpan(start, end - start);
        if (settings.MaxWordLength > 0 && line.Length > settings.MaxWordLength && HasLongWord(line))
        {
            _tooLong++;
            return true;
        }
        // The number of words is that of the line with its citations.
        var words = settings.MinWordsPerLine > 0 ? CountWords(line, settings.MinWordsPerLine) : 0;
        var whole = !settings.RemoveCitations || line.IndexOf('[') < 0;
        if (!whole)
        {
            var cited = line;
            line = Citations.Remove(line, _output[Length..]);
            whole = cited.Length == line.Length;
        }
        if (settings.RequireTerminalPunctuation && (line is not [.., '.' or '?' or '!' or '"' or '\''] || line.EndsWith("...")))
        {
            _noPunctuation++;
            return true;
        }
        if (words < settings.MinWordsPerLine)
        {
            _tooFewWords++;
            return true;
        }
        return JudgeContent(line, start, end, whole);
    }

    private bool JudgeContent(ReadOnlySpan<char> line, int start, int end, bool whole)
    {
        if (_hasPhrases && settings.RejectLoremIpsum && !_hasLoremIpsum && ContainsLowered(line, LoremIpsum))
        {
            _hasLoremIpsum = true;
            if (document.Reject("lorem_ipsum"))
                return false;
        }
        if (_hasPhrases && settings.RemoveJavascript && ContainsLowered(line, Javascript))
        {
            _javascript++;
            return true;
        }
        if (_hasCurlyBrackets && !_hasCurlyBracketLine && line.Contains('{'))
        {
            _hasCurlyBracketLine = true;
            if (document.Reject("curly_bracket"))
                return false;
        }
        if (_hasPhrases && settings.RemovePolicies && ContainsPolicy(line))
        {
            _policy++;
            return true;
        }
        if (settings.MinSentences > 0)
            Sentences += settings.BySentence ? 1 : whole ? CountSentences(start, end) : CountSentences(line);
        Write(line);
        return true;
    }

    private void Write(ReadOnlySpan<char> line)
    {
        // What the citations left already stands one place ahead of where it goes.
        if (_kept++ > 0)
        {
            line.CopyTo(_output[(Length + 1)..]);
            _output[Length++] = settings.BySentence ? ' ' : '\n';
        }
        else
            line.CopyTo(_output[Length..]);
        Length += line.Length;
    }

    /// <summary>Sentences of a part of the text, which has its words: white space is on either side.</summary>
    private int CountSentences(int start, int end)
    {
        _words ??= document.View.WordsIn(settings.Language);
        var starts = _words.Starts;
        var ends = _words.Ends;
        while (_word < starts.Length && starts[_word] < start)
            _word++;
        var first = _word;
        while (_word < ends.Length && ends[_word] <= end)
            _word++;
        return Filters.Sentences.Count(_text, _words, first, _word);
    }

    private int CountSentences(ReadOnlySpan<char> line)
    {
        _ownWords ??= new();
        Words.Split(line, settings.Language, _ownWords);
        return Filters.Sentences.Count(line, _ownWords, 0, _ownWords.Count);
    }

    private readonly bool HasLongWord(ReadOnlySpan<char> line)
    {
        for (var i = 0; i < line.Length;)
        {
            var start = i;
            while (i < line.Length && !CharacterSets.IsSpace(line[i]))
                i++;
            if (i - start > settings.MaxWordLength && CharacterSets.Length(line[start..i]) > settings.MaxWordLength)
                return true;
            i++;
        }
        return false;
    }

    private static int CountWords(ReadOnlySpan<char> line, int enough)
    {
        var count = 0;
        for (var i = 0; i < line.Length && count < enough; count++)
        {
            while (i < line.Length && !CharacterSets.IsSpace(line[i]))
                i++;
            while (i < line.Length && CharacterSets.IsSpace(line[i]))
                i++;
        }
        return count;
    }

    private static bool ContainsPolicy(ReadOnlySpan<char> line)
    {
        foreach (var policy in s_policies)
            if (ContainsLowered(line, policy))
                return true;
        return false;
    }

    private static bool ContainsLowered(ReadOnlySpan<char> line, string phrase)
    {
        for (var i = 0; i + phrase.Length <= line.Length; i++)
        {
            var n = 0;
            while (n < phrase.Length && char.ToLowerInvariant(line[i + n]) == phrase[n])
                n++;
            if (n == phrase.Length)
                return true;
        }
        return false;
    }
}
