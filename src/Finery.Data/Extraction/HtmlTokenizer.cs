using System.Buffers;

namespace Finery.Data.Extraction;

/// <summary>What a token is.</summary>
internal enum HtmlTokenKind : byte
{
    /// <summary>The end of the page.</summary>
    End,

    /// <summary>Text, with character references as they stand.</summary>
    Text,

    /// <summary>A start tag.</summary>
    StartTag,

    /// <summary>An end tag.</summary>
    EndTag,
}

/// <summary>An attribute of a start tag: its value is a range of the page, with character references as they stand.</summary>
internal readonly record struct AttributeValue(HtmlAttribute Name, int Start, int Length);

/// <summary>
/// Splits a page into text and tags by the states of the WHATWG tokenizer, as ranges of the page: nothing is copied. Comments,
/// declarations and the content of elements such as <c>style</c> are passed over. It takes linear time.
/// </summary>
/// <remarks>Not AngleSharp's tokenizer, which is as slow as its whole tree is: it builds a string for each token. What differs: a
/// script that holds a comment with another script in it ends at the first end tag.</remarks>
internal ref struct HtmlTokenizer(ReadOnlySpan<char> page)
{
    private static readonly SearchValues<char> NameEnd = SearchValues.Create("\t\n\f\r />");
    private static readonly SearchValues<char> AttributeNameEnd = SearchValues.Create("\t\n\f\r />=");
    private static readonly SearchValues<char> UnquotedEnd = SearchValues.Create("\t\n\f\r >");

    private readonly ReadOnlySpan<char> _page = page;
    private readonly AttributeValue[] _attributes = new AttributeValue[16];

    /// <summary>Where the next token starts.</summary>
    public int Position { get; private set; }

    /// <summary>What was read.</summary>
    public HtmlTokenKind Kind { get; private set; }

    /// <summary>Start of the text, or of a tag's name.</summary>
    public int Start { get; private set; }

    /// <summary>Length of the text, or of a tag's name.</summary>
    public int Length { get; private set; }

    /// <summary>The element of a tag.</summary>
    public HtmlTag Tag { get; private set; }

    /// <summary>Whether a start tag ends with a slash.</summary>
    public bool SelfClosing { get; private set; }

    /// <summary>Attributes of a start tag that are read; the first of each name.</summary>
    public readonly ReadOnlySpan<AttributeValue> Attributes => _attributes.AsSpan(0, _attributeCount);

    private int _attributeCount;

    /// <summary>Reads a token.</summary>
    /// <returns>Whether there was one.</returns>
    public bool Read()
    {
        var start = Position;
        var position = start;
        while (position < _page.Length)
        {
            var open = _page[position..].IndexOf('<');
            if (open < 0)
                break;
            position += open;
            if (position + 1 < _page.Length && StartsMarkup(_page[position + 1]))
            {
                if (position > start)
                    return Text(start, position);
                if (ReadMarkup(position))
                    return true;
                start = position = Position;
                continue;
            }
            position++;
        }
        if (start < _page.Length)
            return Text(start, _page.Length);
        Kind = HtmlTokenKind.End;
        return false;
    }

    /// <summary>Passes over the content of the element whose start tag was read, up to its end tag, and takes it for the
    /// text.</summary>
    public void ReadRawText(ReadOnlySpan<char> name)
    {
        var start = Position;
        var position = start;
        while (true)
        {
            var end = _page[position..].IndexOf("</");
            if (end < 0)
            {
                position = _page.Length;
                break;
            }
            position += end;
            var after = position + 2 + name.Length;
            if (after <= _page.Length && _page.Slice(position + 2, name.Length).Equals(name, StringComparison.OrdinalIgnoreCase)
                && (after == _page.Length || NameEnd.Contains(_page[after])))
                break;
            position += 2;
        }
        Text(start, position);
    }

    private static bool StartsMarkup(char c) => char.IsAsciiLetter(c) || c is '/' or '!' or '?';

    private bool Text(int start, int end)
    {
        Kind = HtmlTokenKind.Text;
        Start = start;
        Length = end - start;
        Position = end;
        return true;
    }

    // False if the markup holds nothing to tell of; Position is after it either way.
    private bool ReadMarkup(int position)
    {
        var c = _page[position + 1];
        if (c == '!')
            SkipDeclaration(position + 2);
        else if (c == '?')
            SkipTo('>', position + 2);
        else if (c == '/')
        {
            if (position + 2 < _page.Length && char.IsAsciiLetter(_page[position + 2]))
                return ReadTag(position + 2, HtmlTokenKind.EndTag);
            if (position + 2 == _page.Length)
                return Text(position, _page.Length);
            SkipTo('>', position + 2);
        }
        else
            return ReadTag(position + 1, HtmlTokenKind.StartTag);
        return false;
    }

    private void SkipTo(char end, int position)
    {
        var length = _page[position..].IndexOf(end);
        Position = length < 0 ? _page.Length : position + length + 1;
    }

    private void SkipDeclaration(int position)
    {
        if (!_page[position..].StartsWith("--"))
        {
            SkipTo('>', position);
            return;
        }
        position += 2;
        // "<!-->" and "<!--->" are whole comments.
        if (_page[position..].StartsWith(">") || _page[position..].StartsWith("->"))
        {
            SkipTo('>', position);
            return;
        }
        while (true)
        {
            var dashes = _page[position..].IndexOf("--");
            if (dashes < 0)
            {
                Position = _page.Length;
                return;
            }
            position += dashes + 2;
            var end = position;
            while (end < _page.Length && _page[end] == '-')
                end++;
            if (end < _page.Length && _page[end] == '!')
                end++;
            if (end < _page.Length && _page[end] == '>')
            {
                Position = end + 1;
                return;
            }
            position = end;
        }
    }

    private bool ReadTag(int position, HtmlTokenKind kind)
    {
        var length = _page[position..].IndexOfAny(NameEnd);
        if (length < 0)
        {
            Position = _page.Length;
            return false;
        }
        Start = position;
        Length = length;
        _attributeCount = 0;
        SelfClosing = false;
        var next = ReadAttributes(position + length, kind == HtmlTokenKind.StartTag);
        Position = Math.Min(next, _page.Length);
        // The end of the page within a tag: no tag.
        if (next > _page.Length)
            return false;
        Kind = kind;
        Tag = HtmlNames.Tag(_page.Slice(Start, Length));
        return true;
    }

    // Returns the position after '>', or one beyond the page if it ends before.
    private int ReadAttributes(int position, bool keep)
    {
        var beyond = _page.Length + 1;
        while (true)
        {
            while (position < _page.Length && (IsSpace(_page[position]) || _page[position] == '/'))
                position++;
            if (position >= _page.Length)
                return beyond;
            if (_page[position] == '>')
            {
                SelfClosing = _page[position - 1] == '/';
                return position + 1;
            }
            // A name may start with '='.
            var nameLength = _page[(position + 1)..].IndexOfAny(AttributeNameEnd);
            if (nameLength < 0)
                return beyond;
            var name = _page.Slice(position, nameLength + 1);
            position += nameLength + 1;
            var afterSpace = position;
            while (afterSpace < _page.Length && IsSpace(_page[afterSpace]))
                afterSpace++;
            if (afterSpace >= _page.Length)
                return beyond;
            if (_page[afterSpace] != '=')
            {
                position = afterSpace;
                Keep(name, position, 0, keep);
                continue;
            }
            position = afterSpace + 1;
            while (position < _page.Length && IsSpace(_page[position]))
                position++;
            if (position >= _page.Length)
                return beyond;
            var quote = _page[position];
            int valueLength;
            if (quote is '"' or '\'')
            {
                valueLength = _page[++position..].IndexOf(quote);
                if (valueLength < 0)
                    return beyond;
                Keep(name, position, valueLength, keep);
                position += valueLength + 1;
                if (position < _page.Length && _page[position] == '>')
                {
                    return position + 1;
                }
                continue;
            }
            valueLength = _page[position..].IndexOfAny(UnquotedEnd);
            if (valueLength < 0)
                return beyond;
            Keep(name, position, valueLength, keep);
            position += valueLength;
            if (_page[position] == '>')
                return position + 1;
        }
    }

    private void Keep(ReadOnlySpan<char> name, int start, int length, bool keep)
    {
        if (!keep)
            return;
        var attribute = HtmlNames.Attribute(name);
        if (attribute == HtmlAttribute.None)
            return;
        for (var i = 0; i < _attributeCount; i++)
        {
            if (_attributes[i].Name == attribute)
                return;
        }
        _attributes[_attributeCount++] = new(attribute, start, length);
    }

    private static bool IsSpace(char c) => c is ' ' or '\t' or '\n' or '\f' or '\r';
}
