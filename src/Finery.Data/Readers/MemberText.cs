using System.Text;
using System.Xml.Linq;

namespace Finery.Data.Readers;

/// <summary>
/// Turns the elements of a documentation comment into text: references become names, white space is normalised, paragraphs and
/// lists keep their shape, code keeps its lines.
/// </summary>
internal sealed class MemberText(TypeNames types, bool isFlat)
{
    private enum Gap { None, Space, Line, Paragraph }

    private readonly StringBuilder _text = new();
    private Gap _gap;

    /// <summary>The text of one element, paragraphs separated by blank lines.</summary>
    public static string Blocks(XElement element, TypeNames types) => Render(element, types, isFlat: false);

    /// <summary>The text of one element on one line.</summary>
    public static string Line(XElement element, TypeNames types) => Render(element, types, isFlat: true);

    private static string Render(XElement element, TypeNames types, bool isFlat)
    {
        var text = new MemberText(types, isFlat);
        text.Children(element);
        return text._text.ToString();
    }

    private void Children(XElement parent)
    {
        foreach (var node in parent.Nodes())
        {
            if (node is XText text)
                Append(text.Value);
            else if (node is XElement element)
                Element(element);
        }
    }

    private void Element(XElement element)
    {
        switch (element.Name.LocalName)
        {
            case "see" or "seealso" or "xref":
                See(element);
                break;
            case "paramref" or "typeparamref" or "param" or "typeparam":
                Append((string?)element.Attribute("name") ?? element.Value);
                break;
            case "para" or "p" or "div" or "example" or "note" or "remarks" or "summary" or "value" or "blockquote":
                Break(Gap.Paragraph);
                Children(element);
                Break(Gap.Paragraph);
                break;
            case "br":
                Break(Gap.Line);
                break;
            case "list" or "ul" or "ol" or "table":
                List(element);
                break;
            case "code" or "pre":
                Code(element.Value);
                break;
            case "sup":
                Append("^" + element.Value);
                break;
            case "devremarks" or "forInternalUseOnly" or "script" or "inheritdoc" or "include":
                break;
            default:
                Children(element);
                break;
        }
    }

    private void See(XElement element)
    {
        if (!string.IsNullOrWhiteSpace(element.Value))
            Children(element);
        else if (element.Attribute("cref") is { } cref)
            Append(MemberName.Reference(cref.Value, types));
        else if (element.Attribute("langword") is { } word)
            Append(word.Value);
        else
            Append((element.Attribute("href") ?? element.Attribute("langref") ?? element.Attribute("name"))?.Value ?? "");
    }

    private void List(XElement list)
    {
        var isNumbered = (string?)list.Attribute("type") == "number" || list.Name.LocalName == "ol";
        var number = 0;
        foreach (var item in list.Elements())
        {
            if (item.Name.LocalName == "listheader")
                continue;
            var line = new MemberText(types, isFlat: true);
            var cells = item.Elements().Where(e => e.Name.LocalName is "term" or "description").ToList();
            if (cells.Count == 0)
                line.Children(item);
            else
                line.Cells(cells);
            if (line._text.Length == 0)
                continue;
            number++;
            if (isFlat)
            {
                if (_text.Length > 0)
                    Glue(_text[^1] is ':' or '.' or ';' or ',' ? "" : ";");
                Break(Gap.Space);
                Verbatim(line._text.ToString());
            }
            else
            {
                Break(number == 1 ? Gap.Paragraph : Gap.Line);
                Verbatim((isNumbered ? $"{number}. " : "- ") + line._text);
            }
        }
        Break(Gap.Paragraph);
    }

    /// <summary>A row: cells joined by a colon before descriptions and a comma otherwise.</summary>
    private void Cells(List<XElement> cells)
    {
        foreach (var cell in cells)
        {
            var text = new MemberText(types, isFlat: true);
            text.Children(cell);
            if (text._text.Length == 0)
                continue;
            if (_text.Length > 0)
                Glue(_text[^1] == ':' ? "" : cell.Name.LocalName == "description" ? ":" : ",");
            Break(Gap.Space);
            Verbatim(text._text.ToString());
        }
    }

    private void Code(string code)
    {
        var lines = code.ReplaceLineEndings("\n").Split('\n').Select(l => l.TrimEnd()).ToList();
        lines = [.. lines.SkipWhile(l => l.Length == 0)];
        while (lines is [.., ""])
            lines.RemoveAt(lines.Count - 1);
        if (lines.Count == 0)
            return;
        if (isFlat || lines.Count == 1)
        {
            Append(string.Join(' ', lines.Select(l => l.Trim())));
            return;
        }
        var indent = lines.Where(l => l.Length > 0).Min(l => l.Length - l.TrimStart().Length);
        Break(Gap.Paragraph);
        Verbatim("```\n" + string.Join('\n', lines.Select(l => l.Length > indent ? l[indent..] : l.TrimStart())) + "\n```");
        Break(Gap.Paragraph);
    }

    /// <summary>Adds text; runs of white space become one space, or a paragraph break if they hold a blank line.</summary>
    private void Append(string text)
    {
        for (var i = 0; i < text.Length;)
        {
            if (char.IsWhiteSpace(text[i]) || char.IsControl(text[i]))
            {
                var lines = 0;
                for (; i < text.Length && (char.IsWhiteSpace(text[i]) || char.IsControl(text[i])); i++)
                    lines += text[i] == '\n' ? 1 : 0;
                Break(lines >= 2 ? Gap.Paragraph : Gap.Space);
                continue;
            }
            var start = i;
            while (i < text.Length && !char.IsWhiteSpace(text[i]) && !char.IsControl(text[i]))
                i++;
            Verbatim(text.AsSpan(start, i - start));
        }
    }

    private void Break(Gap gap)
    {
        if (gap > _gap)
            _gap = gap;
    }

    private void Glue(string text) => _text.Append(text);

    private void Verbatim(ReadOnlySpan<char> text)
    {
        if (text.IsEmpty)
            return;
        if (_text.Length > 0)
            _text.Append(isFlat && _gap != Gap.None ? " " : _gap switch
            {
                Gap.None => "",
                Gap.Space => " ",
                Gap.Line => "\n",
                _ => "\n\n",
            });
        _gap = Gap.None;
        _text.Append(text);
    }
}
