using System.Globalization;
using System.Text;

namespace Finery.Workflow.Runs.Report;

/// <summary>One curve of a chart.</summary>
/// <param name="Name">Legend.</param>
/// <param name="Points">(x, y) by ascending x; a non-finite y leaves a gap.</param>
internal sealed record Series(string Name, IReadOnlyList<(double X, double Y)> Points)
{
    /// <summary>How it is drawn.</summary>
    public SeriesStyle Style { get; init; }

    /// <summary>Which of the colours; null for the next.</summary>
    public int? Colour { get; init; }
}

/// <summary>How a curve is drawn.</summary>
internal enum SeriesStyle
{
    /// <summary>A line with a place in the legend.</summary>
    Line,

    /// <summary>A thin line behind others, without name.</summary>
    Faint,

    /// <summary>A dot for every point.</summary>
    Dots,
}

/// <summary>Something that happened, as a line across a chart.</summary>
/// <param name="X">Where.</param>
/// <param name="Text">Shown when pointed at.</param>
internal sealed record Mark(double X, string Text);

/// <summary>A line chart as inline SVG: needs no script and no network.</summary>
internal static class LineChart
{
    private const int Width = 640, Height = 260, Left = 62, Right = 12, Top = 28, Bottom = 36;

    // Buckets per curve; each keeps its minimum and maximum, so spikes stay visible.
    private const int Buckets = 280;

    // Colour-blind-safe (Okabe and Ito).
    private static readonly string[] Colours = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#999999"];

    public static string Render(string title, string xLabel, params IReadOnlyList<Series> curves) =>
        Render(title, xLabel, [], curves);

    /// <summary>Draws the curves, and the marks that lie between their ends.</summary>
    public static string Render(string title, string xLabel, IReadOnlyList<Mark> marks, params IReadOnlyList<Series> curves)
    {
        var points = curves.SelectMany(curve => curve.Points).Where(point => double.IsFinite(point.Y)).ToList();
        if (points.Count == 0) return "";
        double x0 = points.Min(point => point.X), x1 = points.Max(point => point.X);
        double y0 = points.Min(point => point.Y), y1 = points.Max(point => point.Y);
        if (x1 <= x0) x1 = x0 + 1;
        if (y1 <= y0) (y0, y1) = (y0 - 0.5, y1 + 0.5);
        double X(double x) => Left + (x - x0) / (x1 - x0) * (Width - Left - Right);
        double Y(double y) => Height - Bottom - (y - y0) / (y1 - y0) * (Height - Top - Bottom);

        var svg = new StringBuilder();
        svg.Append(Invariant($"<figure><svg viewBox=\"0 0 {Width} {Height}\" role=\"img\" aria-label=\"{HtmlWriter.Escape(title)}\">"));
        svg.Append(Invariant($"<text x=\"{Left}\" y=\"16\" class=\"title\">{HtmlWriter.Escape(title)}</text>"));
        foreach (double tick in Ticks(y0, y1))
        {
            svg.Append(Invariant($"<line x1=\"{Left}\" x2=\"{Width - Right}\" y1=\"{Y(tick):F1}\" y2=\"{Y(tick):F1}\" class=\"grid\"/>"));
            svg.Append(Invariant($"<text x=\"{Left - 6}\" y=\"{Y(tick) + 4:F1}\" text-anchor=\"end\">{Label(tick)}</text>"));
        }
        foreach (double tick in Ticks(x0, x1))
            svg.Append(Invariant($"<text x=\"{X(tick):F1}\" y=\"{Height - Bottom + 16}\" text-anchor=\"middle\">{Label(tick)}</text>"));
        svg.Append(Invariant($"<text x=\"{(Left + Width - Right) / 2}\" y=\"{Height - 4}\" text-anchor=\"middle\">{HtmlWriter.Escape(xLabel)}</text>"));

        foreach (var mark in marks.Where(mark => mark.X >= x0 && mark.X <= x1))
        {
            svg.Append(Invariant($"<line x1=\"{X(mark.X):F1}\" x2=\"{X(mark.X):F1}\" y1=\"{Top}\" y2=\"{Height - Bottom}\" class=\"mark\">"));
            svg.Append(Invariant($"<title>{HtmlWriter.Escape(mark.Text)}</title></line>"));
        }
        int named = 0;
        for (int i = 0; i < curves.Count; i++)
        {
            string colour = Colours[(curves[i].Colour ?? i) % Colours.Length];
            if (curves[i].Style == SeriesStyle.Dots)
            {
                foreach (var (px, py) in curves[i].Points.Where(point => double.IsFinite(point.Y)))
                    svg.Append(Invariant($"<circle cx=\"{X(px):F1}\" cy=\"{Y(py):F1}\" r=\"3\" fill=\"{colour}\"/>"));
            }
            else
            {
                string stroke = curves[i].Style == SeriesStyle.Faint ? "stroke-width=\"1\" stroke-opacity=\"0.35\"" : "stroke-width=\"1.5\"";
                svg.Append(Invariant($"<path d=\"{Path(curves[i].Points, X, Y)}\" fill=\"none\" stroke=\"{colour}\" {stroke}/>"));
            }
            if (curves.Count > 1 && curves[i].Name.Length > 0)
                svg.Append(Invariant($"<text x=\"{Width - Right}\" y=\"{16 + 14 * named++}\" text-anchor=\"end\" style=\"fill:{colour}\">{HtmlWriter.Escape(curves[i].Name)}</text>"));
        }
        return svg.Append("</svg></figure>").ToString();
    }

    private static string Path(IReadOnlyList<(double X, double Y)> points, Func<double, double> x, Func<double, double> y)
    {
        var path = new StringBuilder();
        bool drawing = false;
        foreach (var (px, py) in Thin(points))
        {
            if (!double.IsFinite(py))
            {
                drawing = false;
                continue;
            }
            path.Append(Invariant($"{(drawing ? 'L' : 'M')}{x(px):F1} {y(py):F1}"));
            drawing = true;
        }
        return path.ToString();
    }

    private static IEnumerable<(double X, double Y)> Thin(IReadOnlyList<(double X, double Y)> points)
    {
        if (points.Count <= 2 * Buckets)
        {
            foreach (var point in points) yield return point;
            yield break;
        }
        for (int bucket = 0; bucket < Buckets; bucket++)
        {
            int from = (int)((long)points.Count * bucket / Buckets), to = (int)((long)points.Count * (bucket + 1) / Buckets);
            int low = from, high = from;
            for (int i = from; i < to; i++)
            {
                if (points[i].Y < points[low].Y) low = i;
                if (points[i].Y > points[high].Y) high = i;
            }
            yield return points[Math.Min(low, high)];
            if (low != high) yield return points[Math.Max(low, high)];
        }
    }

    /// <summary>Four to eight round values inside the range.</summary>
    private static IEnumerable<double> Ticks(double from, double to)
    {
        double rough = (to - from) / 5, magnitude = Math.Pow(10, Math.Floor(Math.Log10(rough)));
        double step = magnitude * ((rough / magnitude) switch { < 1.5 => 1, < 3 => 2, < 7 => 5, _ => 10 });
        for (double tick = Math.Ceiling(from / step) * step; tick <= to + step * 1e-6; tick += step) yield return tick;
    }

    private static string Label(double value) => Math.Abs(value) switch
    {
        0 => "0",
        >= 1e6 => Invariant($"{value / 1e6:0.##}M"),
        >= 1e4 => Invariant($"{value / 1e3:0.#}k"),
        < 1e-2 => Invariant($"{value:0.#e0}"),
        _ => Invariant($"{value:0.###}"),
    };

    private static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
