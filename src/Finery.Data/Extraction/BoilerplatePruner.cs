namespace Finery.Data.Extraction;

/// <summary>Prunes boilerplate from a part of a page: by what ids and classes say, then by the density of links.</summary>
internal sealed class BoilerplatePruner
{
    /// <summary>What is not seen by the extraction of our own.</summary>
    public const NodeState Unseen = NodeState.Deleted | NodeState.Pruned;

    private const int ShortestQuotation = 25;
    private const double MostOfText = 0.6;
    private readonly LinkDensity _density = new();

    /// <summary>Prunes below a node.</summary>
    public void Prune(PageTree tree, int root, bool precision)
    {
        PruneByName(tree, root, NameTraits.Boilerplate | NameTraits.Hidden);
        _density.Measure(tree, root, Unseen);
        var most = MostOfText * _density.Characters(tree, root);
        var nodes = tree.Nodes;
        var doubtful = NameTraits.Caption | NameTraits.Teaser | (precision ? NameTraits.Doubtful : NameTraits.None);
        for (var i = root + 1; i < nodes[root].End;)
        {
            ref var node = ref nodes[i];
            if ((node.State & Unseen) != 0
                || (IsDoubtful(nodes, i, doubtful) && _density.Characters(tree, i) <= most)
                || (node.Names & NameTraits.Gutter) != 0
                || (precision && node.Tag == HtmlTag.Header))
            {
                node.State |= NodeState.Pruned;
                i = node.End;
            }
            else
                i = Next(node, i);
        }
        PruneByLinks(tree, root, precision);
    }

    // Classes within a program are those of its colours.
    private static int Next(in PageNode node, int index) => node.Tag == HtmlTag.Pre ? node.End : index + 1;

    // A span within a paragraph is a part of its sentence, however it looks.
    private static bool IsDoubtful(ReadOnlySpan<PageNode> nodes, int index, NameTraits doubtful)
    {
        ref readonly var node = ref nodes[index];
        return (node.Names & doubtful) != 0 && node.Tag.Is(TagTraits.Prunable)
            && !(node.Tag == HtmlTag.Span && nodes[node.Parent].Tag == HtmlTag.P);
    }

    // A post of a social network that is embedded as a quotation.
    private bool IsQuotation(PageTree tree, int index)
    {
        var nodes = tree.Nodes;
        if ((nodes[index].Names & NameTraits.Embedded) == 0)
            return false;
        for (var i = index + 1; i < nodes[index].End; i++)
        {
            if (nodes[i].Tag == HtmlTag.Blockquote && _density.Characters(tree, i) >= ShortestQuotation)
                return true;
        }
        return false;
    }

    // Prunes what names say, unless that leaves a seventh of the text or less. What holds most of the text is not what its name says.
    private void PruneByName(PageTree tree, int root, NameTraits names)
    {
        _density.Measure(tree, root, Unseen);
        var before = _density.Characters(tree, root);
        var most = MostOfText * before;
        var nodes = tree.Nodes;
        var end = nodes[root].End;
        for (var i = root + 1; i < end;)
        {
            ref var node = ref nodes[i];
            if ((node.Names & names) != 0 && _density.Characters(tree, i) <= most && !IsQuotation(tree, i))
            {
                node.State |= NodeState.Pruned;
                i = node.End;
            }
            else
                i = Next(node, i);
        }
        if (tree.VisibleCharacters(root, Unseen) * 7L > before)
            return;
        for (var i = root + 1; i < end; i++)
            nodes[i].State &= ~NodeState.Pruned;
    }

    private void PruneByLinks(PageTree tree, int root, bool precision)
    {
        for (var pass = 0; pass < 2; pass++)
        {
            PruneLinkLists(tree, root, TagTraits.None, HtmlTag.Div, precision);
            PruneLinkLists(tree, root, TagTraits.List, HtmlTag.Text, precision);
            PruneLinkLists(tree, root, TagTraits.None, HtmlTag.P, precision);
        }
        PruneTables(tree, root);
        if (!precision)
            return;
        PruneLinkLists(tree, root, TagTraits.Heading, HtmlTag.Summary, precision);
        PruneLinkLists(tree, root, TagTraits.None, HtmlTag.Blockquote, precision);
    }

    private void PruneLinkLists(PageTree tree, int root, TagTraits traits, HtmlTag tag, bool precision)
    {
        _density.Measure(tree, root, Unseen);
        var nodes = tree.Nodes;
        for (var i = root + 1; i < nodes[root].End;)
        {
            ref var node = ref nodes[i];
            if ((node.State & Unseen) != 0)
            {
                i = node.End;
                continue;
            }
            if ((node.Tag == tag || node.Tag.Is(traits)) && IsLinkList(tree, i, precision))
            {
                node.State |= NodeState.Pruned;
                i = node.End;
                continue;
            }
            i++;
        }
    }

    private bool IsLinkList(PageTree tree, int index, bool precision)
    {
        ref readonly var node = ref tree.Nodes[index];
        var isList = _density.IsLinkList(tree, index, precision, out var hasLinkText);
        if (!isList && node.Tag == HtmlTag.Div && hasLinkText)
        {
            var characters = _density.Characters(tree, index);
            isList = characters > 0 && characters < (precision ? 200 : 100) && HasChildren(tree, index, precision ? 1 : 3);
        }
        // The list or table as a whole is judged instead.
        return isList && !(node.Tag == HtmlTag.P && tree.Nodes[node.Parent].Tag.Is(TagTraits.Item | TagTraits.Cell));
    }

    private static bool HasChildren(PageTree tree, int index, int wanted)
    {
        var nodes = tree.Nodes;
        var found = 0;
        for (var i = index + 1; i < nodes[index].End && found < wanted; i = nodes[i].End)
        {
            if (nodes[i].Tag != HtmlTag.Text && (nodes[i].State & Unseen) == 0)
                found++;
        }
        return found == wanted;
    }

    private void PruneTables(PageTree tree, int root)
    {
        _density.Measure(tree, root, Unseen);
        var nodes = tree.Nodes;
        for (var i = root + 1; i < nodes[root].End; i++)
        {
            ref var node = ref nodes[i];
            if (node.Tag == HtmlTag.Table && (node.State & Unseen) == 0 && _density.IsLinkTable(tree, i))
                node.State |= NodeState.Pruned;
        }
    }
}
