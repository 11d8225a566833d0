namespace Finery.Data.Extraction;

/// <summary>The title of a page.</summary>
internal static class PageTitle
{
    /// <summary>What the page gives to others (<c>og:title</c>), else its <c>title</c>, else its first <c>h1</c>; null if it has
    /// none.</summary>
    public static string? Find(PageTree tree)
    {
        var nodes = tree.Nodes;
        var heading = -1;
        for (var i = 0; i < nodes.Length; i++)
        {
            if (nodes[i].Tag == HtmlTag.Meta && tree.Attribute(i, HtmlAttribute.Property) is "og:title"
                && NullIfEmpty(Formula.Resolve(tree.Attribute(i, HtmlAttribute.Content))) is { } given)
                return given;
            if (nodes[i].Tag == HtmlTag.H1 && heading < 0)
                heading = i;
        }
        return NullIfEmpty(Formula.Resolve(tree.Page.AsSpan(tree.Title.Start, tree.Title.Length)))
            ?? (heading < 0 ? null : NullIfEmpty(Formula.TextBelow(tree, heading)));
    }

    private static string? NullIfEmpty(string text) => text.Length == 0 ? null : text;
}
