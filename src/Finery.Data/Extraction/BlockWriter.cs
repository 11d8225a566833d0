namespace Finery.Data.Extraction;

/// <summary>What a line of text is.</summary>
internal enum BlockKind : byte
{
    /// <summary>Text outside of any element for text.</summary>
    Loose,

    /// <summary>Such text after a line break.</summary>
    AfterBreak,

    /// <summary>A paragraph.</summary>
    Paragraph,

    /// <summary>A heading of the first level.</summary>
    Headline,

    /// <summary>Another heading.</summary>
    Heading,

    /// <summary>A line of a list's entry.</summary>
    Item,

    /// <summary>A quotation.</summary>
    Quote,

    /// <summary>Preformatted text, with its line breaks.</summary>
    Code,

    /// <summary>A row of a table.</summary>
    Row,
}

/// <summary>A line, or a preformatted block, of the text written.</summary>
/// <param name="Kind">What it is.</param>
/// <param name="Start">Where it starts in what was written.</param>
/// <param name="Length">Its length.</param>
/// <param name="LinkCharacters">Characters of it in links.</param>
internal readonly record struct TextBlock(BlockKind Kind, int Start, int Length, int LinkCharacters);

/// <summary>Writes the visible text below a node as lines: white space collapsed, references resolved, entries of lists after a
/// dash, cells apart by bars, programs as they are, formulas as TeX.</summary>
internal sealed class BlockWriter
{
    private const int KeptCharacters = 1 << 20;

    private struct Open
    {
        public int End;
        public HtmlTag Tag;
        public BlockKind Kind;
        public bool IsTableRow;
        public bool IsDataTable;
    }

    private readonly List<TextBlock> _blocks = [];
    private readonly List<Open> _open = [];
    private char[] _text = new char[1 << 14];
    private PageTree _tree = null!;
    private NodeState _unseen;
    private int _length;
    private int _lineStart;
    private int _linkEnd;
    private int _linkCharacters;
    private bool _pendingSpace;
    private bool _pendingItem;
    private bool _afterBreak;
    private int _listDepth;
    private int _preDepth;
    private int _rowDepth;
    private string? _lastFormula;

    /// <summary>The lines.</summary>
    public List<TextBlock> Blocks => _blocks;

    /// <summary>The characters of a line.</summary>
    public ReadOnlySpan<char> Text(TextBlock block) => _text.AsSpan(block.Start, block.Length);

    /// <summary>Forgets all lines.</summary>
    public void Clear()
    {
        _blocks.Clear();
        _length = _lineStart = 0;
        if (_text.Length > KeptCharacters)
            _text = new char[1 << 14];
    }

    /// <summary>Adds the lines below a node.</summary>
    public void Write(PageTree tree, int root, NodeState unseen)
    {
        _tree = tree;
        _unseen = unseen;
        _pendingSpace = _pendingItem = _afterBreak = false;
        _listDepth = _preDepth = _rowDepth = 0;
        _lastFormula = null;
        _linkEnd = _linkCharacters = 0;
        _open.Clear();
        var nodes = tree.Nodes;
        var end = nodes[root].End;
        for (var i = root; i < end;)
        {
            while (_open.Count > 0 && _open[^1].End <= i)
                Close();
            ref readonly var node = ref nodes[i];
            if ((node.State & unseen) != 0)
            {
                if (node.Tag.Is(TagTraits.Block))
                    Break();
                i = node.End;
                continue;
            }
            i = Visit(i, node);
        }
        while (_open.Count > 0)
            Close();
        Flush();
    }

    // Returns the next node to visit.
    private int Visit(int index, in PageNode node)
    {
        switch (node.Tag)
        {
            case HtmlTag.Text:
                Append(_tree.Text(index), index);
                return index + 1;
            case HtmlTag.A:
                _linkEnd = Math.Max(_linkEnd, node.End);
                return index + 1;
            case HtmlTag.Br:
                LineBreak();
                return node.End;
            case HtmlTag.Img:
                if (Formula.OfImage(_tree, index) is { } image)
                    AppendFormula(image, index);
                return node.End;
            case HtmlTag.Math:
            case HtmlTag.Script:
                if (Formula.Of(_tree, index) is { } formula)
                    AppendFormula(formula, index);
                return node.End;
        }
        if (node.Tag.Is(TagTraits.Block | TagTraits.Cell))
            OpenBlock(index, node);
        return index + 1;
    }

    private void OpenBlock(int index, in PageNode node)
    {
        var open = new Open { End = node.End, Tag = node.Tag, Kind = _open.Count > 0 ? _open[^1].Kind : BlockKind.Loose };
        if (node.Tag.Is(TagTraits.Cell) && _rowDepth > 0)
        {
            StartCell(index);
            _open.Add(open);
            return;
        }
        Break();
        switch (node.Tag)
        {
            case HtmlTag.P when open.Kind is BlockKind.Loose or BlockKind.AfterBreak:
            case HtmlTag.Caption:
                open.Kind = BlockKind.Paragraph;
                break;
            case HtmlTag.Blockquote:
                open.Kind = BlockKind.Quote;
                break;
            case HtmlTag.Pre:
                open.Kind = BlockKind.Code;
                _preDepth++;
                break;
            case HtmlTag.Table:
                open.IsDataTable = TableLayout.IsData(_tree, index, _unseen);
                break;
            case HtmlTag.Td or HtmlTag.Th:
                open.Kind = BlockKind.Loose;
                break;
            case HtmlTag.Tr when _rowDepth == 0 && IsInDataTable():
                open.IsTableRow = true;
                open.Kind = BlockKind.Row;
                _rowDepth++;
                break;
            default:
                if (node.Tag.Is(TagTraits.Heading) || node.Tag == HtmlTag.Summary)
                    open.Kind = node.Tag == HtmlTag.H1 ? BlockKind.Headline : BlockKind.Heading;
                else if (node.Tag.Is(TagTraits.Item))
                {
                    open.Kind = BlockKind.Item;
                    _pendingItem = true;
                }
                else if (node.Tag.Is(TagTraits.List))
                    _listDepth++;
                break;
        }
        _open.Add(open);
    }

    private bool IsInDataTable()
    {
        for (var i = _open.Count - 1; i >= 0; i--)
        {
            if (_open[i].Tag == HtmlTag.Table)
                return _open[i].IsDataTable;
        }
        return false;
    }

    private void Close()
    {
        var open = _open[^1];
        if (open.Tag.Is(TagTraits.Cell) && _rowDepth > 0 && !open.IsTableRow)
        {
            _open.RemoveAt(_open.Count - 1);
            return;
        }
        if (open.IsTableRow)
            _rowDepth--;
        Flush();
        _open.RemoveAt(_open.Count - 1);
        if (open.Tag == HtmlTag.Pre)
            _preDepth--;
        else if (open.Tag.Is(TagTraits.List))
            _listDepth--;
        else if (open.Tag.Is(TagTraits.Item))
            _pendingItem = false;
        _afterBreak = false;
    }

    private void StartCell(int index)
    {
        _pendingSpace = false;
        // The first cell of a row has nothing before it.
        var isFirst = _open[^1].IsTableRow && _length == _lineStart && !HasCellBefore(index);
        if (!isFirst)
        {
            StartLine();
            Add(" | ");
        }
    }

    private bool HasCellBefore(int index)
    {
        var nodes = _tree.Nodes;
        for (var i = nodes[index].Parent + 1; i < index; i = nodes[i].End)
        {
            if (nodes[i].Tag.Is(TagTraits.Cell) && (nodes[i].State & _unseen) == 0)
                return true;
        }
        return false;
    }

    private void Break()
    {
        if (_rowDepth > 0)
        {
            _pendingSpace = true;
            return;
        }
        if (_preDepth > 0)
        {
            if (_length > _lineStart && _text[_length - 1] != '\n')
                Add('\n');
            return;
        }
        Flush();
        _afterBreak = false;
    }

    private void LineBreak()
    {
        if (_rowDepth > 0)
            _pendingSpace = true;
        else if (_preDepth > 0)
        {
            if (_length > _lineStart)
                Add('\n');
        }
        else
        {
            Flush();
            _afterBreak = true;
        }
    }

    private void Flush()
    {
        if (_rowDepth > 0 && _preDepth == 0 && _open.Count > 0 && !_open[^1].IsTableRow)
        {
            _pendingSpace = true;
            return;
        }
        var kind = _open.Count > 0 ? _open[^1].Kind : BlockKind.Loose;
        while (_length > _lineStart && (char.IsWhiteSpace(_text[_length - 1])))
            _length--;
        if (_length > _lineStart)
        {
            if (kind == BlockKind.Loose && _afterBreak)
                kind = BlockKind.AfterBreak;
            // Marks alone are a separator in a paragraph, and decoration elsewhere.
            if (kind == BlockKind.Paragraph || HasWord(_text.AsSpan(_lineStart, _length - _lineStart)))
                _blocks.Add(new(kind, _lineStart, _length - _lineStart, _linkCharacters));
            else
                _length = _lineStart;
        }
        _lineStart = _length;
        _linkCharacters = 0;
        _pendingSpace = false;
    }

    private static bool HasWord(ReadOnlySpan<char> text)
    {
        foreach (var c in text)
        {
            if (char.IsLetterOrDigit(c) || char.IsSurrogate(c))
                return true;
        }
        return false;
    }

    private void StartLine()
    {
        if (_length > _lineStart)
            return;
        if (!_pendingItem || _rowDepth > 0)
            return;
        _pendingItem = false;
        for (var i = 1; i < Math.Min(_listDepth, 10); i++)
            Add("  ");
        Add("- ");
    }

    private void AppendFormula(string formula, int index)
    {
        // Pages give the same formula twice: for machines and as a picture.
        if (formula == _lastFormula)
            return;
        Append(formula, index);
        _lastFormula = formula;
    }

    private void Append(ReadOnlySpan<char> text, int index)
    {
        var isVerbatim = _preDepth > 0;
        for (var i = 0; i < text.Length; i++)
        {
            var c = text[i];
            if (c == '&' && CharacterReference.Read(text[i..], out var length) is { } symbol)
            {
                foreach (var s in symbol)
                    Append(s, index, isVerbatim);
                i += length - 1;
                continue;
            }
            Append(c, index, isVerbatim);
        }
    }

    private void Append(char c, int index, bool isVerbatim)
    {
        if (isVerbatim)
        {
            // The first line break of a program is none.
            if ((c == '\n' && _length == _lineStart) || c == '\r')
                return;
            Add(c == '\0' ? '\uFFFD' : c);
            return;
        }
        if (char.IsWhiteSpace(c))
        {
            _pendingSpace = _length > _lineStart;
            return;
        }
        // Zero-width marks and control characters.
        if (c < ' ' || c is '\u200B' or '\uFEFF' or '\u00AD' or (>= '\u007F' and <= '\u009F'))
            return;
        StartLine();
        if (_pendingSpace && _length > _lineStart && _text[_length - 1] != ' ')
            Add(' ');
        _pendingSpace = false;
        _lastFormula = null;
        if (index < _linkEnd)
            _linkCharacters++;
        Add(c);
    }

    private void Add(string text)
    {
        foreach (var c in text)
            Add(c);
    }

    private void Add(char c)
    {
        if (_length == _text.Length)
            Array.Resize(ref _text, 2 * _length);
        _text[_length++] = c;
    }
}
