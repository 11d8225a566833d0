using System.Globalization;
using System.Text;
using Finery.Data.Curation;
using Finery.Data.Filters;

namespace Finery.Workflow.Runs.Report;

/// <summary>The values of one rule as bars, those it drops in another colour, with its threshold drawn: inline SVG.</summary>
internal static class Histogram
{
    private const int Width = 320, Height = 120, Left = 8, Right = 8, Top = 22, Bottom = 20;

    public static string Render(string rule, RuleStatistics values)
    {
        if (values.Bins.Length == 0) return "";
        double low = values.Low, high = values.High;
        double most = Math.Max(1, values.Bins.Max());
        double X(double value) => Left + (Math.Clamp(value, low, high) - low) / (high - low) * (Width - Left - Right);
        var svg = new StringBuilder();
        svg.Append(Invariant($"<figure><svg viewBox=\"0 0 {Width} {Height}\" role=\"img\" "))
            .Append(Invariant($"aria-label=\"{HtmlWriter.Escape(rule)}\">"));
        svg.Append(Invariant($"<text x=\"{Left}\" y=\"14\" class=\"title\">{HtmlWriter.Escape(rule)}</text>"));
        svg.Append(Invariant($"<text x=\"{Width - Right}\" y=\"14\" text-anchor=\"end\">"))
            .Append(Invariant($"{values.Failed:N0} of {values.Count:N0} dropped</text>"));
        double width = (high - low) / values.Bins.Length;
        for (int bin = 0; bin < values.Bins.Length; bin++)
        {
            if (values.Bins[bin] == 0) continue;
            double from = low + bin * width, middle = from + width / 2;
            bool drops = values.Kind == RuleKind.AtMost ? middle > values.Threshold : middle < values.Threshold;
            // The root shows the tails, where the threshold is.
            double height = Math.Sqrt(values.Bins[bin] / most) * (Height - Top - Bottom);
            svg.Append(Invariant($"<rect x=\"{X(from):F1}\" y=\"{Height - Bottom - height:F1}\" "))
                .Append(Invariant($"width=\"{X(from + width) - X(from) - 0.5:F1}\" height=\"{height:F1}\" "))
                .Append(Invariant($"fill=\"{(drops ? "#d55e00" : "#0072b2")}\">"))
                .Append(Invariant($"<title>{Label(from)} to {Label(from + width)}: {values.Bins[bin]:N0}</title></rect>"));
        }
        double at = X(values.Threshold);
        svg.Append(Invariant($"<line x1=\"{at:F1}\" x2=\"{at:F1}\" y1=\"{Top - 2}\" y2=\"{Height - Bottom}\" "))
            .Append(Invariant($"stroke=\"currentColor\" stroke-dasharray=\"3 2\"/>"));
        svg.Append(Invariant($"<text x=\"{Left}\" y=\"{Height - 6}\">{Label(low)}</text>"));
        svg.Append(Invariant($"<text x=\"{at:F1}\" y=\"{Height - 6}\" text-anchor=\"middle\">"))
            .Append(Invariant($"{(values.Kind == RuleKind.AtMost ? "at most" : "at least")} {Label(values.Threshold)}</text>"));
        svg.Append(Invariant($"<text x=\"{Width - Right}\" y=\"{Height - 6}\" text-anchor=\"end\">{Label(high)} or more</text>"));
        return svg.Append("</svg></figure>").ToString();
    }

    private static string Label(double value) => value.ToString("0.####", CultureInfo.InvariantCulture);

    private static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
