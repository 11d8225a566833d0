using System.Globalization;
using System.Net;
using System.Text;
using System.Text.RegularExpressions;

namespace Finery.Workflow.Runs.Report;

/// <summary>Builds one self-contained page. Everything but <see cref="Raw"/> is escaped: documents and samples are untrusted text.</summary>
internal sealed partial class HtmlWriter
{
    private const string Style = """
        :root{color-scheme:light dark;--ink:#1b1f24;--paper:#fff;--soft:#6a737d;--line:#d9dee3;--tint:#f5f7f9}
        @media(prefers-color-scheme:dark){:root{--ink:#e6e8ea;--paper:#15181c;--soft:#98a2ad;--line:#333a42;--tint:#1e2329}}
        body{font:15px/1.55 system-ui,sans-serif;color:var(--ink);background:var(--paper);margin:0}
        main{max-width:62rem;margin:0 auto;padding:1.5rem}
        h1{margin:.2rem 0}h2{margin:2.2rem 0 .6rem;border-bottom:1px solid var(--line);padding-bottom:.2rem}
        table{border-collapse:collapse;margin:.6rem 0}th,td{text-align:left;padding:.25rem .8rem .25rem 0;border-bottom:1px solid var(--line);vertical-align:top}
        th{color:var(--soft);font-weight:600}td.figure{text-align:right;font-variant-numeric:tabular-nums}.wide{overflow-x:auto}
        pre{background:var(--tint);padding:.6rem .8rem;overflow-x:auto;white-space:pre-wrap;border-radius:4px}
        .note{color:var(--soft)}summary{cursor:pointer;margin:.3rem 0}figure{margin:.8rem 0}svg{width:100%;max-width:640px;height:auto}
        svg text{font:11px system-ui,sans-serif;fill:var(--soft)}svg .title{font-size:13px;font-weight:600;fill:var(--ink)}svg .grid{stroke:var(--line)}svg .mark{stroke:#d55e00;stroke-width:1.5;stroke-dasharray:3 3}
        .charts.small{grid-template-columns:repeat(auto-fill,minmax(20rem,1fr))}.sides{display:grid;grid-auto-flow:column;grid-auto-columns:minmax(16rem,1fr);gap:.8rem;overflow-x:auto}
        .charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(26rem,1fr));gap:0 1rem}.bar{background:#0072b2;height:.7rem;border-radius:2px;min-width:1px}
        """;

    private readonly StringBuilder _html = new();

    /// <summary>The page around everything else.</summary>
    public void Page(string title, Action content)
    {
        Raw("<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">"
            + $"<title>{Escape(title)} - Finery</title><style>{Style}</style></head><body><main>");
        Raw($"<h1>{Escape(title)}</h1>");
        content();
        Raw("</main></body></html>");
    }

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
