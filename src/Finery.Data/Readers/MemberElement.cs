using System.Xml;
using System.Xml.Linq;

namespace Finery.Data.Readers;

/// <summary>Builds the tree of one element from a reader, of bounded depth.</summary>
internal static class MemberElement
{
    // Comments nested deeper than this are not written by people. The limit keeps hostile input off the call stack and away from
    // XNode.ReadFrom, whose time grows with the square of the depth. Text below it joins the deepest element kept.
    private const int MaxDepth = 64;

    /// <summary>Reads the element the reader stands on and leaves the reader on its end tag, not past it.</summary>
    public static XElement Read(XmlReader reader)
    {
        using var subtree = reader.ReadSubtree();
        XElement? root = null, current = null;
        var depth = 0;
        while (subtree.Read())
        {
            switch (subtree.NodeType)
            {
                case XmlNodeType.Element:
                    var isEmpty = subtree.IsEmptyElement;
                    if (depth < MaxDepth)
                    {
                        var element = Start(subtree);
                        root ??= element;
                        current?.Add(element);
                        current = isEmpty ? current : element;
                    }
                    depth += isEmpty ? 0 : 1;
                    break;
                case XmlNodeType.EndElement:
                    depth--;
                    current = depth < MaxDepth ? current?.Parent : current;
                    break;
                case XmlNodeType.Text or XmlNodeType.CDATA or XmlNodeType.Whitespace or XmlNodeType.SignificantWhitespace:
                    current?.Add(subtree.Value);
                    break;
            }
        }
        return root!;
    }

    private static XElement Start(XmlReader reader)
    {
        var element = new XElement(reader.LocalName);
        while (reader.MoveToNextAttribute())
            element.SetAttributeValue(reader.LocalName, reader.Value);
        return element;
    }
}
