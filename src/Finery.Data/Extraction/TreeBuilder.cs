namespace Finery.Data.Extraction;

/// <summary>
/// Builds the tree of a page from its tags, simpler than a browser does: implied end tags, void elements and the scopes of tables
/// and lists are as in HTML; misnested formatting is not rebuilt, and what is misplaced in a table stays where it is. At most 512
/// elements are open at a time, as in Blink; deeper ones become neighbours. It takes linear time.
/// </summary>
internal sealed class TreeBuilder
{
    private const int MaxDepth = 512;
    private const int TokensBetweenChecks = 4096;

    private readonly int[] _open = new int[MaxDepth];
    private readonly HtmlTag[] _openTags = new HtmlTag[MaxDepth];
    private readonly int[] _openCounts = new int[256];
    private int _depth;
    private PageTree _tree = null!;
    private bool _hasBody;
    private bool _afterBlock;

    /// <summary>Builds a page's tree.</summary>
    public ExtractionOutcome Build(PageTree tree, string page, int maxNodes, in Deadline deadline)
    {
        _tree = tree;
        tree.Start(page);
        Array.Clear(_openCounts);
        _depth = 0;
        _hasBody = false;
        _afterBlock = true;
        Push(tree.Add(-1, HtmlTag.Html, 0, 0, 0, []), HtmlTag.Html);
        var tokenizer = new HtmlTokenizer(page);
        for (var tokens = 1; tokenizer.Read(); tokens++)
        {
            if (tokens % TokensBetweenChecks == 0 && deadline.IsOver)
                return ExtractionOutcome.Timeout;
            if (tree.Count > maxNodes)
                return ExtractionOutcome.TooComplex;
            if (tokenizer.Kind == HtmlTokenKind.Text)
                AddText(tokenizer.Start, tokenizer.Length);
            else if (tokenizer.Kind == HtmlTokenKind.EndTag)
                EndTag(tokenizer.Tag, page.AsSpan(tokenizer.Start, tokenizer.Length));
            else
                StartTag(ref tokenizer, page);
        }
        while (_depth > 0)
            Pop();
        return ExtractionOutcome.Extracted;
    }

    private void StartTag(ref HtmlTokenizer tokenizer, string page)
    {
        var tag = tokenizer.Tag;
        if (tag == HtmlTag.Html)
        {
            // The root stands already; its attributes are the only ones without a node of their own.
            if (_tree.Count == 1)
                AddRootAttributes(tokenizer.Attributes);
            return;
        }
        if (tag == HtmlTag.Body)
        {
            if (!_hasBody)
                OpenBody(tokenizer.Start, tokenizer.Length, tokenizer.Attributes);
            return;
        }
        if (tag == HtmlTag.Head)
        {
            if (!_hasBody && _depth == 1)
                Push(_tree.Add(0, tag, tokenizer.Start, tokenizer.Length, 0, []), tag);
            return;
        }
        if (!_hasBody && !tag.Is(TagTraits.HeadContent))
            OpenBody(tokenizer.Start, 0, []);
        CloseImplied(tag);
        var node = _tree.Add(_open[_depth - 1], tag, tokenizer.Start, tokenizer.Length, 0, tokenizer.Attributes);
        if (tag.Is(TagTraits.Block))
            _afterBlock = true;
        // In drawings and formulas titles and styles are elements as any other, and a slash ends them.
        var isForeign = tag is HtmlTag.Svg or HtmlTag.Math
            || ((_openCounts[(int)HtmlTag.Svg] > 0 || _openCounts[(int)HtmlTag.Math] > 0)
                && _openCounts[(int)HtmlTag.ForeignObject] == 0 && _openCounts[(int)HtmlTag.AnnotationXml] == 0);
        if (tag.Is(TagTraits.Void) || (tokenizer.SelfClosing && isForeign))
            return;
        if (!isForeign && (tag.Is(TagTraits.RawText) || tag is HtmlTag.Title or HtmlTag.Textarea))
            ReadRawText(ref tokenizer, page, node, tag);
        else
            Push(node, tag);
    }

    private void ReadRawText(ref HtmlTokenizer tokenizer, string page, int node, HtmlTag tag)
    {
        tokenizer.ReadRawText(page.AsSpan(tokenizer.Start, tokenizer.Length));
        if (tag == HtmlTag.Title && _tree.Title.Length == 0)
            _tree.Title = (tokenizer.Start, tokenizer.Length);
        // Formulas are written as scripts. What is not seen has no characters.
        if (tag == HtmlTag.Script && NameRules.IsMathScript(_tree.Attribute(node, HtmlAttribute.Type)))
        {
            var text = _tree.Add(node, HtmlTag.Text, tokenizer.Start, tokenizer.Length, 0, []);
            _tree.Nodes[node].End = text + 1;
        }
    }

    private void AddRootAttributes(ReadOnlySpan<AttributeValue> attributes)
    {
        _tree.Start(_tree.Page);
        _tree.Add(-1, HtmlTag.Html, 0, 0, 0, attributes);
    }

    private void OpenBody(int start, int length, ReadOnlySpan<AttributeValue> attributes)
    {
        while (_depth > 1)
            Pop();
        _hasBody = true;
        _tree.Body = _tree.Add(0, HtmlTag.Body, start, length, 0, attributes);
        Push(_tree.Body, HtmlTag.Body);
    }

    private void AddText(int start, int length)
    {
        var isVerbatim = _openCounts[(int)HtmlTag.Pre] > 0;
        var characters = Measure(_tree.Page.AsSpan(start, length), out var isBlank);
        if (isBlank && !isVerbatim)
        {
            if (!_hasBody || _afterBlock || _openTags[_depth - 1].Is(TagTraits.TableStructure))
                return;
        }
        if (!_hasBody)
        {
            // Text within an element of the head, such as a template, stays there.
            if (_openTags[_depth - 1] is HtmlTag.Html or HtmlTag.Head)
                OpenBody(start, 0, []);
        }
        if (!isBlank)
            _afterBlock = false;
        _tree.Add(_open[_depth - 1], HtmlTag.Text, start, length, characters, []);
    }

    /// <summary>Characters of a text: a run of white space counts as one, and so does a character reference.</summary>
    internal static int Measure(ReadOnlySpan<char> text, out bool isBlank)
    {
        var count = 0;
        var wasSpace = false;
        isBlank = true;
        for (var i = 0; i < text.Length; i++)
        {
            var c = text[i];
            var isSpace = c <= ' ' ? c is ' ' or '\n' or '\r' or '\t' or '\f' : c is '\u00A0' or '\u3000';
            if (c == '&')
            {
                var end = i + 1;
                while (end < text.Length && end < i + 10 && (char.IsAsciiLetterOrDigit(text[end]) || text[end] == '#'))
                    end++;
                if (end < text.Length && text[end] == ';')
                {
                    isSpace = text[i..end].SequenceEqual("&nbsp");
                    i = end;
                }
            }
            if (!isSpace)
                isBlank = false;
            if (!isSpace || !wasSpace)
                count++;
            wasSpace = isSpace;
        }
        return count;
    }

    private void EndTag(HtmlTag tag, ReadOnlySpan<char> name)
    {
        if (tag is HtmlTag.Body or HtmlTag.Html || _depth <= 1)
            return;
        if (tag == HtmlTag.Br)
        {
            if (_hasBody)
                _tree.Add(_open[_depth - 1], tag, 0, 0, 0, []);
            return;
        }
        if (tag.Is(TagTraits.Block))
            _afterBlock = true;
        if (tag.Is(TagTraits.Heading))
        {
            CloseHeading();
            return;
        }
        if (_openCounts[(int)tag] == 0)
            return;
        var isFormatting = tag.Is(TagTraits.Formatting);
        var isTable = tag.Is(TagTraits.Cell | TagTraits.TableStructure) && !tag.Is(TagTraits.List);
        for (var level = _depth - 1; level > 0; level--)
        {
            var open = _openTags[level];
            if (open == tag
                && (tag != HtmlTag.Unknown || name.Equals(_tree.Text(_open[level]), StringComparison.OrdinalIgnoreCase)))
            {
                CloseTo(level);
                return;
            }
            if (open == HtmlTag.Body || (isFormatting && tag != HtmlTag.A && open.Is(TagTraits.Block)))
                return;
            if (isTable ? open is HtmlTag.Table or HtmlTag.Template : open.Is(TagTraits.Scope))
                return;
        }
    }

    private void CloseHeading()
    {
        for (var level = _depth - 1; level > 0; level--)
        {
            var open = _openTags[level];
            if (open.Is(TagTraits.Heading))
            {
                CloseTo(level);
                return;
            }
            if (open == HtmlTag.Body || open.Is(TagTraits.Scope))
                return;
        }
    }

    // Ends what a start tag ends without saying so.
    private void CloseImplied(HtmlTag tag)
    {
        if (tag.Is(TagTraits.EndsParagraph))
        {
            // A block of HTML in a drawing or formula whose end was forgotten.
            if (_openCounts[(int)HtmlTag.Svg] > 0 && _openCounts[(int)HtmlTag.ForeignObject] == 0)
                CloseNearest(HtmlTag.Svg, HtmlTag.Svg, TagTraits.None);
            if (_openCounts[(int)HtmlTag.P] > 0)
                CloseNearest(HtmlTag.P, HtmlTag.P, TagTraits.Scope, HtmlTag.Button);
            if (tag.Is(TagTraits.Heading) && _openTags[_depth - 1].Is(TagTraits.Heading))
                Pop();
        }
        switch (tag)
        {
            case HtmlTag.Li:
                CloseNearest(HtmlTag.Li, HtmlTag.Li, TagTraits.Scope | TagTraits.List);
                break;
            case HtmlTag.Dd or HtmlTag.Dt:
                CloseNearest(HtmlTag.Dd, HtmlTag.Dt, TagTraits.Scope | TagTraits.List);
                break;
            case HtmlTag.Option or HtmlTag.Optgroup:
                if (_openTags[_depth - 1] == HtmlTag.Option)
                    Pop();
                if (tag == HtmlTag.Optgroup && _openTags[_depth - 1] == HtmlTag.Optgroup)
                    Pop();
                break;
            case HtmlTag.A:
                CloseNearest(HtmlTag.A, HtmlTag.A, TagTraits.Scope | TagTraits.Block);
                break;
            case HtmlTag.Td or HtmlTag.Th:
                CloseTableParts(HtmlTag.Tr);
                break;
            case HtmlTag.Tr:
                CloseTableParts(HtmlTag.Tbody);
                break;
            case HtmlTag.Tbody or HtmlTag.Thead or HtmlTag.Tfoot or HtmlTag.Caption or HtmlTag.Colgroup:
                CloseTableParts(HtmlTag.Table);
                break;
        }
    }

    private void CloseNearest(HtmlTag first, HtmlTag second, TagTraits barrier, HtmlTag barrierTag = HtmlTag.Text)
    {
        if (_openCounts[(int)first] == 0 && _openCounts[(int)second] == 0)
            return;
        for (var level = _depth - 1; level > 0; level--)
        {
            var open = _openTags[level];
            if (open == first || open == second)
            {
                CloseTo(level);
                return;
            }
            if (open == HtmlTag.Body || open == barrierTag || open.Is(barrier))
                return;
        }
    }

    // Closes what is open in the nearest table down to the part that may hold the new one.
    private void CloseTableParts(HtmlTag part)
    {
        if (_openCounts[(int)HtmlTag.Table] == 0)
            return;
        var close = -1;
        for (var level = _depth - 1; level > 0; level--)
        {
            var open = _openTags[level];
            if (open is HtmlTag.Table or HtmlTag.Body or HtmlTag.Template)
                break;
            var isCell = open.Is(TagTraits.Cell) || open is HtmlTag.Caption or HtmlTag.Colgroup;
            var isRow = open == HtmlTag.Tr && part != HtmlTag.Tr;
            var isGroup = open is HtmlTag.Tbody or HtmlTag.Thead or HtmlTag.Tfoot && part == HtmlTag.Table;
            if (isCell || isRow || isGroup)
                close = level;
        }
        if (close >= 0)
            CloseTo(close);
    }

    private void CloseTo(int level)
    {
        while (_depth > level)
            Pop();
    }

    private void Push(int node, HtmlTag tag)
    {
        if (_depth == MaxDepth)
            Pop();
        _open[_depth] = node;
        _openTags[_depth++] = tag;
        _openCounts[(int)tag]++;
    }

    private void Pop()
    {
        _depth--;
        _openCounts[(int)_openTags[_depth]]--;
        _tree.Nodes[_open[_depth]].End = _tree.Count;
    }
}
