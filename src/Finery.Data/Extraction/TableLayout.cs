namespace Finery.Data.Extraction;

/// <summary>Tells tables of data from those that lay out a page.</summary>
internal static class TableLayout
{
    private const int LongCell = 300;

    /// <summary>Whether a table holds data: rows of cells, no table or program within, and no cell with long text in
    /// blocks.</summary>
    public static bool IsData(PageTree tree, int index, NodeState unseen)
    {
        var nodes = tree.Nodes;
        if ((nodes[index].Names & NameTraits.Presentation) != 0)
            return false;
        var cells = 0;
        var mostCells = 0;
        for (var i = index + 1; i < nodes[index].End;)
        {
            ref readonly var node = ref nodes[i];
            if ((node.State & unseen) != 0)
            {
                i = node.End;
                continue;
            }
            if (node.Tag is HtmlTag.Table or HtmlTag.Pre)
                return false;
            if (node.Tag == HtmlTag.Tr)
                cells = 0;
            else if (node.Tag.Is(TagTraits.Cell))
            {
                mostCells = Math.Max(mostCells, ++cells);
                if (HasBlock(nodes, i) && tree.VisibleCharacters(i, unseen) > LongCell)
                    return false;
            }
            i++;
        }
        return mostCells > 0;
    }

    private static bool HasBlock(ReadOnlySpan<PageNode> nodes, int cell)
    {
        for (var i = cell + 1; i < nodes[cell].End; i++)
        {
            if (nodes[i].Tag.Is(TagTraits.Block))
                return true;
        }
        return false;
    }
}
