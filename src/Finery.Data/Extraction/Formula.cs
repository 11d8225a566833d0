using System.Text;

namespace Finery.Data.Extraction;

/// <summary>Formulas as TeX between <c>\(</c> and <c>\)</c>, or <c>\[</c> and <c>\]</c> where they stand alone.</summary>
internal static class Formula
{
    /// <summary>The formula of a <c>math</c> element, from its annotation or alternative text, or of a script; null if there is
    /// none.</summary>
    public static string? Of(PageTree tree, int index)
    {
        var nodes = tree.Nodes;
        if (nodes[index].Tag == HtmlTag.Script)
        {
            var isDisplayed = tree.Attribute(index, HtmlAttribute.Type).Contains("display", StringComparison.OrdinalIgnoreCase);
            return index + 1 < nodes[index].End ? Delimit(tree.Text(index + 1).ToString(), isDisplayed) : null;
        }
        var isBlock = tree.Attribute(index, HtmlAttribute.Display) is "block";
        for (var i = index + 1; i < nodes[index].End; i++)
        {
            if (nodes[i].Tag == HtmlTag.Annotation
                && tree.Attribute(i, HtmlAttribute.Encoding).Contains("tex", StringComparison.OrdinalIgnoreCase))
                return Delimit(TextBelow(tree, i), isBlock);
        }
        var alternative = tree.Attribute(index, HtmlAttribute.AltText);
        return alternative.IsEmpty
            ? NullIfBlank(TextBelow(tree, index))
            : Delimit(Resolve(alternative), isBlock);
    }

    /// <summary>The formula of a picture whose class says that it is one; null if it is not.</summary>
    public static string? OfImage(PageTree tree, int index)
    {
        var names = tree.Attribute(index, HtmlAttribute.Class);
        var isFormula = names.Contains("mwe-math", StringComparison.OrdinalIgnoreCase)
            || names.Contains("latex", StringComparison.OrdinalIgnoreCase) || names is "tex" || names.StartsWith("tex ")
            || names.EndsWith(" tex") || names.Contains(" tex ", StringComparison.Ordinal);
        if (!isFormula)
            return null;
        return Delimit(Resolve(tree.Attribute(index, HtmlAttribute.Alt)), names.Contains("display", StringComparison.Ordinal));
    }

    /// <summary>A text with its character references resolved and white space collapsed.</summary>
    public static string Resolve(ReadOnlySpan<char> text)
    {
        var result = new StringBuilder();
        for (var i = 0; i < text.Length; i++)
        {
            if (text[i] == '&' && CharacterReference.Read(text[i..], out var length) is { } symbol)
            {
                result.Append(symbol);
                i += length - 1;
            }
            else
                result.Append(text[i]);
        }
        return string.Join(' ', result.ToString().Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));
    }

    /// <summary>The text below an element, white space collapsed.</summary>
    public static string TextBelow(PageTree tree, int index)
    {
        var nodes = tree.Nodes;
        var text = new StringBuilder();
        for (var i = index + 1; i < nodes[index].End; i++)
        {
            if (nodes[i].Tag == HtmlTag.Text)
                text.Append(tree.Text(i));
        }
        return Resolve(text.ToString());
    }

    private static string? Delimit(string formula, bool isDisplayed)
    {
        formula = formula.Trim();
        if (formula.Length == 0)
            return null;
        return isDisplayed ? $@"\[{formula}\]" : $@"\({formula}\)";
    }

    private static string? NullIfBlank(string text) => string.IsNullOrWhiteSpace(text) ? null : text;
}
