namespace Finery.Data.Extraction;

/// <summary>
/// Sums over the texts and links of a part of a page, so that any element's are two look-ups: text and link lengths, links, links
/// with a text, short ones, and those that stand alone in a paragraph.
/// </summary>
internal sealed class LinkDensity
{
    private const int ShortLink = 10;

    private record struct Sums(int Characters, int LinkCharacters, int Links, int LinksWithText, int ShortLinks, int Programs);

    private Sums[] _sums = [];
    private bool[] _hasNext = [];

    /// <summary>Sums what is visible below a node, and notes which elements have another after them.</summary>
    public void Measure(PageTree tree, int root, NodeState mask)
    {
        var nodes = tree.Nodes;
        PageTree.Fit(ref _sums, nodes.Length + 1);
        PageTree.Fit(ref _hasNext, nodes.Length);
        var end = nodes[root].End;
        var sum = default(Sums);
        for (var i = root; i < end;)
        {
            ref readonly var node = ref nodes[i];
            if ((node.State & mask) != 0)
            {
                Array.Fill(_sums, sum, i, node.End - i);
                i = node.End;
                continue;
            }
            _sums[i] = sum;
            sum.Characters += node.Characters;
            if (node.Tag == HtmlTag.Pre)
                sum.Programs++;
            if (node.Tag == HtmlTag.A && !IsPermalink(tree, i))
            {
                var length = tree.VisibleCharacters(i, mask);
                sum.Links++;
                sum.LinkCharacters += length;
                if (length > 0)
                    sum.LinksWithText++;
                if (length is > 0 and < ShortLink)
                    sum.ShortLinks++;
            }
            i++;
        }
        _sums[end] = sum;
        FindNext(nodes, root, mask);
    }

    // A heading that links to itself.
    private static bool IsPermalink(PageTree tree, int index) =>
        tree.Nodes[tree.Nodes[index].Parent].Tag.Is(TagTraits.Heading)
        && tree.Attribute(index, HtmlAttribute.Href).StartsWith("#");

    private void FindNext(ReadOnlySpan<PageNode> nodes, int root, NodeState mask)
    {
        // Going backwards, an element's flag is whether a later one told the parent of itself.
        Array.Clear(_hasNext, root, nodes[root].End - root);
        for (var i = nodes[root].End - 1; i > root; i--)
        {
            ref readonly var node = ref nodes[i];
            if (node.Tag == HtmlTag.Text || (node.State & mask) != 0)
                continue;
            (_hasNext[i], _hasNext[node.Parent]) = (_hasNext[node.Parent], true);
        }
    }

    /// <summary>Characters below a node.</summary>
    public int Characters(PageTree tree, int index) => Below(tree, index).Characters;

    /// <summary>Share of the characters below a node that are in links.</summary>
    public double LinkShare(PageTree tree, int index)
    {
        var sums = Below(tree, index);
        return sums.LinkCharacters / (double)Math.Max(1, sums.Characters);
    }

    /// <summary>Whether an element is a list of links rather than text.</summary>
    /// <param name="tree">The page.</param>
    /// <param name="index">The element.</param>
    /// <param name="precision">Whether a lone link of more than 10 characters counts, rather than of more than 100.</param>
    /// <param name="hasLinkText">Whether it is short and has links with text, though not enough.</param>
    public bool IsLinkList(PageTree tree, int index, bool precision, out bool hasLinkText)
    {
        hasLinkText = false;
        var sums = Below(tree, index);
        if (sums.Links == 0 || sums.Programs > 0)
            return false;
        if (sums.Links == 1 && sums.LinkCharacters > (precision ? 10 : 100) && sums.LinkCharacters > 0.9 * sums.Characters)
            return true;
        var isParagraph = tree.Nodes[index].Tag == HtmlTag.P;
        var limit = (isParagraph, _hasNext[index]) switch
        {
            (true, true) => 30,
            (true, false) => 60,
            (false, true) => 100,
            (false, false) => 300,
        };
        if (sums.Characters < limit)
        {
            hasLinkText = sums.LinksWithText > 0;
            return sums.LinksWithText == 0 || sums.LinkCharacters > 0.8 * sums.Characters
                || (sums.LinksWithText > 1 && sums.ShortLinks > 0.8 * sums.LinksWithText);
        }
        // Many links and little else. Where each is as long as a paragraph, or is alone in one, they are a catalogue.
        return sums.Links > 4 && sums.LinkCharacters > 0.9 * sums.Characters && sums.LinkCharacters < 100 * sums.LinksWithText
            && !IsParagraphPerLink(tree, index);
    }

    /// <summary>Whether a table is a list of links.</summary>
    public bool IsLinkTable(PageTree tree, int index)
    {
        var sums = Below(tree, index);
        return sums.Links > 0 && sums.Characters >= 200
            && sums.LinkCharacters > (sums.Characters < 1000 ? 0.8 : 0.5) * sums.Characters;
    }

    private bool IsParagraphPerLink(PageTree tree, int index)
    {
        var nodes = tree.Nodes;
        for (var i = index + 1; i < nodes[index].End; i++)
        {
            if (nodes[i].Tag != HtmlTag.A)
                continue;
            if (nodes[nodes[i].Parent].Tag != HtmlTag.P || Below(tree, nodes[i].Parent).Links > 1)
                return false;
        }
        return true;
    }

    private Sums Below(PageTree tree, int index)
    {
        var end = _sums[tree.Nodes[index].End];
        var start = _sums[index];
        return new(end.Characters - start.Characters, end.LinkCharacters - start.LinkCharacters, end.Links - start.Links,
            end.LinksWithText - start.LinksWithText, end.ShortLinks - start.ShortLinks, end.Programs - start.Programs);
    }
}
