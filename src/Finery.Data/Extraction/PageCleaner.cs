namespace Finery.Data.Extraction;

/// <summary>Deletes what never holds an article's running text: comment sections, menus, forms, drawings and the like.</summary>
internal static class PageCleaner
{
    private const int ShortestParagraph = 25;
    private const int MostClasses = 32;

    /// <summary>Deletes it from a whole page.</summary>
    public static void Clean(PageTree tree, bool keepTables)
    {
        Clean(tree, 0, NameTraits.Comments | NameTraits.InfiniteScroll, keepTables);
        DeleteForms(tree);
        DeleteOtherArticles(tree);
    }

    /// <summary>Deletes it below a node.</summary>
    /// <param name="tree">The page.</param>
    /// <param name="root">The node.</param>
    /// <param name="names">What is deleted for its id or class.</param>
    /// <param name="keepTables">Whether tables of data stay.</param>
    public static void Clean(PageTree tree, int root, NameTraits names, bool keepTables)
    {
        var nodes = tree.Nodes;
        var inParagraphs = 0;
        for (var i = root + 1; i < nodes[root].End;)
        {
            ref var node = ref nodes[i];
            if (node.Tag == HtmlTag.Text && nodes[node.Parent].Tag == HtmlTag.P)
                inParagraphs += node.Characters;
            var named = node.Names & names;
            // Some pages have their first article within the element that more are loaded into.
            if (named == NameTraits.InfiniteScroll && inParagraphs < ArticleExtraction.FewestCharacters)
                named = NameTraits.None;
            if (named != NameTraits.None || IsDeleted(tree, i, keepTables))
            {
                node.State |= NodeState.Deleted;
                i = node.End;
                continue;
            }
            i++;
        }
    }

    // Where one article alone has a headline and text, those after it of the same kind are other documents.
    private static void DeleteOtherArticles(PageTree tree)
    {
        var nodes = tree.Nodes;
        var own = -1;
        for (var i = 0; i < nodes.Length;)
        {
            if (nodes[i].Tag != HtmlTag.Article || (nodes[i].State & NodeState.Deleted) != 0)
            {
                i = (nodes[i].State & NodeState.Deleted) != 0 ? nodes[i].End : i + 1;
                continue;
            }
            if (HasHeadline(nodes, i))
            {
                if (own >= 0 || !HasParagraph(tree, i))
                    return;
                own = i;
            }
            i = nodes[i].End;
        }
        for (var i = own < 0 ? nodes.Length : nodes[own].End; i < nodes.Length;)
        {
            if (nodes[i].Tag != HtmlTag.Article || !ShareClass(tree, own, i))
            {
                i++;
                continue;
            }
            nodes[i].State |= NodeState.Deleted;
            i = nodes[i].End;
        }
    }

    private static bool ShareClass(PageTree tree, int first, int second)
    {
        var one = tree.Attribute(first, HtmlAttribute.Class);
        var other = tree.Attribute(second, HtmlAttribute.Class);
        if (one.IsWhiteSpace() || other.IsWhiteSpace())
            return one.IsWhiteSpace() && other.IsWhiteSpace();
        Span<Range> ours = stackalloc Range[MostClasses], theirs = stackalloc Range[MostClasses];
        ours = ours[..one.Split(ours, ' ', StringSplitOptions.RemoveEmptyEntries)];
        theirs = theirs[..other.Split(theirs, ' ', StringSplitOptions.RemoveEmptyEntries)];
        foreach (var our in ours)
        {
            foreach (var their in theirs)
            {
                if (one[our].SequenceEqual(other[their]))
                    return true;
            }
        }
        return false;
    }

    private static bool HasParagraph(PageTree tree, int index)
    {
        for (var i = index + 1; i < tree.Nodes[index].End; i++)
        {
            if (tree.Nodes[i].Tag == HtmlTag.P && tree.VisibleCharacters(i, NodeState.Deleted) >= ShortestParagraph)
                return true;
        }
        return false;
    }

    private static bool HasHeadline(ReadOnlySpan<PageNode> nodes, int index)
    {
        for (var i = index + 1; i < nodes[index].End; i++)
        {
            if (nodes[i].Tag == HtmlTag.H1)
                return true;
        }
        return false;
    }

    private static bool IsDeleted(PageTree tree, int index, bool keepTables)
    {
        ref readonly var node = ref tree.Nodes[index];
        return node.Tag switch
        {
            // A figure is its picture and a caption, unless it frames a table or a program.
            HtmlTag.Figure => !Contains(tree, index),
            HtmlTag.Script => !NameRules.IsMathScript(tree.Attribute(index, HtmlAttribute.Type)),
            // Insertions of editors are text; those of scripts carry a class.
            HtmlTag.Ins => tree.HasAttribute(index, HtmlAttribute.Class),
            HtmlTag.Table => !keepTables && (node.Names & NameTraits.Presentation) == 0,
            HtmlTag.Form => false,
            _ => node.Tag.Is(TagTraits.Deleted),
        };
    }

    private static bool Contains(PageTree tree, int index)
    {
        var nodes = tree.Nodes;
        for (var i = index + 1; i < nodes[index].End; i++)
        {
            if (nodes[i].Tag is HtmlTag.Table or HtmlTag.Pre or HtmlTag.Math)
                return true;
        }
        return false;
    }

    // Some frameworks wrap the whole page in a form: one that holds more than half of the text is no form.
    private static void DeleteForms(PageTree tree)
    {
        var nodes = tree.Nodes;
        var total = -1;
        for (var i = 0; i < nodes.Length;)
        {
            ref var node = ref nodes[i];
            if ((node.State & NodeState.Deleted) != 0)
            {
                i = node.End;
                continue;
            }
            if (node.Tag == HtmlTag.Form)
            {
                if (total < 0)
                    total = tree.VisibleCharacters(0, NodeState.Deleted);
                if (tree.VisibleCharacters(i, NodeState.Deleted) <= total / 2)
                {
                    node.State |= NodeState.Deleted;
                    i = node.End;
                    continue;
                }
            }
            i++;
        }
    }
}
