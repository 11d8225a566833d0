using System.Globalization;
using System.Net;
using System.Text;
using System.Text.RegularExpressions;

namespace Finery.Workflow.Runs.Report;

/// <summary>Builds one self-contained page. Everything but <see cref="Raw"/> is escaped: documents and samples are untrusted text.</summary>
internal sealed partial class HtmlWriter
{
    private readonly StringBuilder _html = new();

    public static string Escape(string text) => WebUtility.HtmlEncode(text);

    public static string Number(double value, string format = "N0") =>
        double.IsFinite(value) ? value.ToString(format, CultureInfo.InvariantCulture) : "-";

    public void Raw(string html) => _html.Append(html).Append('\n');

    public void Heading(string text) => Raw($"<h2>{Escape(text)}</h2>");

    public void Paragraph(string text) => Raw($"<p>{Escape(text)}</p>");

    public void Note(string text) => Raw($"<p class=\"note\">{Escape(text)}</p>");

    /// <summary>A table; cells that look like figures are aligned to the right.</summary>
    public void Table(IReadOnlyList<string> header, IEnumerable<IReadOnlyList<string>> rows)
    {
        Raw("<div class=\"wide\"><table><thead><tr>" + string.Concat(header.Select(cell => $"<th>{Escape(cell)}</th>")) + "</tr></thead><tbody>");
        foreach (var row in rows)
            Raw("<tr>" + string.Concat(row.Select(cell => $"<td{(IsFigure(cell) ? " class=\"figure\"" : "")}>{Escape(cell)}</td>")) + "</tr>");
        Raw("</tbody></table></div>");
    }

    /// <summary>A section that is folded until asked for.</summary>
    public void Details(string summary, Action content)
    {
        Raw($"<details><summary>{Escape(summary)}</summary>");
        content();
        Raw("</details>");
    }

    public void Preformatted(string text) => Raw($"<pre>{Escape(text)}</pre>");

    public override string ToString() => _html.ToString();

    private static bool IsFigure(string cell) => Figure().IsMatch(cell);

    /// <summary>A number with perhaps a unit or an error behind it; not a key or a name that begins with a digit.</summary>
    [GeneratedRegex("^-?[0-9][0-9.,]*(%|[A-Za-z]{1,2})?($| )", RegexOptions.CultureInvariant)]
    private static partial Regex Figure();
}
