namespace Finery.Data.Extraction;

/// <summary>What became of a node. Bits of one algorithm are cleared before the next try.</summary>
[Flags]
internal enum NodeState : byte
{
    None = 0,

    /// <summary>Deleted from the page for good: of an element that never holds running text.</summary>
    Deleted = 1,

    /// <summary>Pruned from the body that is tried.</summary>
    Pruned = 2,

    /// <summary>Dropped by the scoring of the fallback.</summary>
    Dropped = 4,

    /// <summary>Another element follows under the same parent; valid in the pass that sets it.</summary>
    HasNext = 8,

    /// <summary>A text in which markup has shown that white space counts.</summary>
    Verbatim = 16,
}

/// <summary>An element or a text.</summary>
internal struct PageNode
{
    /// <summary>Index of the parent; -1 for the root.</summary>
    public int Parent;

    /// <summary>Index after the last descendant.</summary>
    public int End;

    /// <summary>Where the text, or the element's name, starts in the page.</summary>
    public int Start;

    /// <summary>Length in the page.</summary>
    public int Length;

    /// <summary>Index of the first attribute; those of the next node follow the last.</summary>
    public int FirstAttribute;

    /// <summary>Characters of a text, a run of white space counting as one; 0 for an element.</summary>
    public int Characters;

    /// <summary>The element, or <see cref="HtmlTag.Text"/>.</summary>
    public HtmlTag Tag;

    /// <summary>What became of it.</summary>
    public NodeState State;

    /// <summary>What id, class and style tell.</summary>
    public NameTraits Names;
}

/// <summary>
/// A page as a flat tree: nodes in document order, so that the descendants of node i are the nodes from i + 1 to its end, and
/// nothing needs recursion. Texts and attributes are ranges of the page.
/// </summary>
internal sealed class PageTree
{
    private const int KeptNodes = 1 << 17;
    private PageNode[] _nodes = new PageNode[1 << 12];
    private AttributeValue[] _attributes = new AttributeValue[1 << 12];

    /// <summary>The page.</summary>
    public string Page { get; private set; } = "";

    /// <summary>Number of nodes.</summary>
    public int Count { get; private set; }

    /// <summary>Number of attributes of all nodes.</summary>
    public int AttributeCount { get; private set; }

    /// <summary>The body; the root if there is none.</summary>
    public int Body { get; set; }

    /// <summary>The text of <c>title</c> as a range of the page.</summary>
    public (int Start, int Length) Title { get; set; }

    /// <summary>The nodes.</summary>
    public Span<PageNode> Nodes => _nodes.AsSpan(0, Count);

    /// <summary>Makes an array long enough for a page, and gives back what only a huge page before it needed.</summary>
    public static void Fit<T>(ref T[] array, int length)
    {
        if (array.Length < length)
            array = new T[Math.Max(length, Math.Min(2 * array.Length, KeptNodes))];
        else if (array.Length > KeptNodes && length <= KeptNodes)
            array = new T[KeptNodes];
    }

    /// <summary>Starts another page.</summary>
    public void Start(string page)
    {
        Page = page;
        Count = AttributeCount = Body = 0;
        Title = default;
        if (_nodes.Length > KeptNodes)
            _nodes = new PageNode[KeptNodes];
        if (_attributes.Length > KeptNodes)
            _attributes = new AttributeValue[KeptNodes];
    }

    /// <summary>Adds a node under a parent, after all others.</summary>
    public int Add(int parent, HtmlTag tag, int start, int length, int characters, ReadOnlySpan<AttributeValue> attributes)
    {
        if (Count == _nodes.Length)
            Array.Resize(ref _nodes, 2 * Count);
        while (AttributeCount + attributes.Length > _attributes.Length)
            Array.Resize(ref _attributes, 2 * _attributes.Length);
        _nodes[Count] = new()
        {
            Parent = parent, End = Count + 1, Start = start, Length = length, FirstAttribute = AttributeCount, Tag = tag,
            Characters = characters,
        };
        attributes.CopyTo(_attributes.AsSpan(AttributeCount));
        AttributeCount += attributes.Length;
        return Count++;
    }

    /// <summary>Attributes of a node.</summary>
    public ReadOnlySpan<AttributeValue> Attributes(int node)
    {
        var first = _nodes[node].FirstAttribute;
        var end = node + 1 < Count ? _nodes[node + 1].FirstAttribute : AttributeCount;
        return _attributes.AsSpan(first, end - first);
    }

    /// <summary>An attribute's value as it stands in the page; empty if it has none.</summary>
    public ReadOnlySpan<char> Attribute(int node, HtmlAttribute name)
    {
        foreach (var attribute in Attributes(node))
        {
            if (attribute.Name == name)
                return Page.AsSpan(attribute.Start, attribute.Length);
        }
        return default;
    }

    /// <summary>Whether a node has an attribute.</summary>
    public bool HasAttribute(int node, HtmlAttribute name)
    {
        foreach (var attribute in Attributes(node))
        {
            if (attribute.Name == name)
                return true;
        }
        return false;
    }

    /// <summary>Text or name of a node.</summary>
    public ReadOnlySpan<char> Text(int node) => Page.AsSpan(_nodes[node].Start, _nodes[node].Length);

    /// <summary>Clears state bits of all nodes.</summary>
    public void Clear(NodeState bits)
    {
        foreach (ref var node in Nodes)
            node.State &= ~bits;
    }

    /// <summary>Characters of the texts below a node that are not hidden by <paramref name="mask"/>.</summary>
    public int VisibleCharacters(int root, NodeState mask)
    {
        var nodes = Nodes;
        var total = 0;
        for (var i = root; i < nodes[root].End;)
        {
            ref readonly var node = ref nodes[i];
            if ((node.State & mask) != 0)
            {
                i = node.End;
                continue;
            }
            total += node.Characters;
            i++;
        }
        return total;
    }
}
