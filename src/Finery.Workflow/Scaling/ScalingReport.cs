using System.Globalization;
using System.Text;
using System.Text.Json;
using Finery.Training.Scaling;
using Finery.Workflow.Runs;
using Finery.Workflow.Runs.Report;

namespace Finery.Workflow.Scaling;

/// <summary>Fits as JSON and as a page with charts.</summary>
public static class ScalingReport
{
    private const int CurvePoints = 60, MostSizes = 7;

    /// <summary>A fit as JSON.</summary>
    public static string Json<T>(T fit) => JsonSerializer.Serialize(fit, RunJson.Indented) + "\n";

    /// <summary>Writes a file whole or not at all.</summary>
    public static void Save(string path, string text) => AtomicFile.Write(path, Encoding.UTF8.GetBytes(text));

    /// <summary>A loss law: figures, runs beside it, curves of the loss by size, residuals.</summary>
    public static string Page(LossStudy study) => Page("Scaling law", html =>
    {
        html.Paragraph(Formula(study.Law) + $" N counts {study.Counting}; D discounts repeated tokens.");
        html.Table(["figure", "value", "95% from", "to"], study.Figures.Select(figure => new[]
        {
            figure.Name, Number(figure.Value), figure.Low is { } low ? Number(low) : "",
            figure.High is { } high ? Number(high) : "",
        }));
        foreach (string warning in study.Warnings) html.Paragraph("Careful: " + warning);
        var sizes = study.Runs.GroupBy(run => run.Parameters).OrderBy(size => size.Key).Take(MostSizes).ToList();
        var curves = new List<Series>();
        foreach (var (size, colour) in sizes.Select((size, index) => (size, index)))
        {
            double from = Math.Log10(size.Min(run => run.Tokens)), to = Math.Log10(size.Max(run => run.Tokens));
            curves.Add(new($"N = {Number(size.Key)}",
                [.. Enumerable.Range(0, CurvePoints).Select(i => from + (to - from) * i / (CurvePoints - 1))
                .Select(x => (x, study.Law.Loss(size.Key, Math.Pow(10, x))))]) { Colour = colour });
            curves.Add(new("", [.. size.OrderBy(run => run.Tokens).Select(run => (Math.Log10(run.Tokens), run.Loss))])
            {
                Colour = colour, Style = SeriesStyle.Dots,
            });
        }
        html.Raw("<div class=\"charts\">"
            + LineChart.Render("loss of the runs (dots) and of the law (without repetition)", "log10 of tokens", curves)
            + LineChart.Render("prediction over measurement, %", "log10 of 6 N D", new Series("", [.. study.Runs
                .Select(run => (X: Math.Log10(6 * run.Parameters * run.Tokens), Y: run.ErrorPercent))
                    .OrderBy(point => point.X)]) { Style = SeriesStyle.Dots }) + "</div>");
        var held = study.HeldOut is { } one ? (FittedRun[])[one] : [];
        html.Table(["run", "N", "D", "loss", "law", "error %", ""], held.Concat(study.Runs).Select(run => new[]
        {
            run.Name, Number(run.Parameters), Number(run.Tokens), Number(run.Loss), Number(run.Predicted),
            HtmlWriter.Number(run.ErrorPercent, "F2"),
            run == study.HeldOut ? "held out" : "",
        }));
    });

    /// <summary>IsoFLOP parabolas: minima and power laws.</summary>
    public static string Page(IsoFlopFit fit) => Page("IsoFLOP fit", html =>
    {
        html.Paragraph($"D*(C) = {Number(fit.Tokens.Coefficient)} C^{Number(fit.Tokens.Exponent)}, N*(C) = {Number(fit.Parameters.Coefficient)} C^{Number(fit.Parameters.Exponent)}.");
        html.Table(["C", "runs", "D*", "N*", "loss", ""], fit.Budgets.Select(budget => new[]
        {
            Number(budget.Operations), HtmlWriter.Number(budget.Runs), Number(budget.Tokens), Number(budget.Parameters),
            Number(budget.Loss),
            string.Join("; ", budget.Warnings),
        }));
        var minima = fit.Budgets.Where(budget => double.IsFinite(budget.Tokens)).ToList();
        html.Raw("<div class=\"charts\">"
            + Chart("log10 of D*", minima.Select(budget => (budget.Operations, budget.Tokens)), fit.Tokens)
            + Chart("log10 of N*", minima.Select(budget => (budget.Operations, budget.Parameters)), fit.Parameters) + "</div>");

        static string Chart(string title, IEnumerable<(double C, double Value)> points, PowerLaw law)
        {
            var sorted = points.OrderBy(point => point.C).ToList();
            return LineChart.Render(title, "log10 of C",
                new Series("minima", [.. sorted.Select(point => (Math.Log10(point.C), Math.Log10(point.Value)))]) { Style = SeriesStyle.Dots },
                new Series("power law", [.. sorted.Select(point => (Math.Log10(point.C), Math.Log10(law.At(point.C))))]));
        }
    });

    /// <summary>Accuracy of a task: the line and the sigmoid.</summary>
    public static string Page(DownstreamFit fit, IReadOnlyList<ScalingRun> runs) => Page("Downstream fit", html =>
    {
        html.Paragraph($"NLL = {Number(fit.Intercept)} {(fit.Slope < 0 ? "-" : "+")} {Number(Math.Abs(fit.Slope))} ln C; accuracy = "
            + $"{Number(fit.Chance)} + {Number(fit.Ceiling - fit.Chance)} / (1 + exp({Number(fit.Steepness)} (NLL - {Number(fit.Midpoint)}))).");
        double low = runs.Min(run => run.Nll), high = runs.Max(run => run.Nll);
        var family = runs.Where(run => double.IsFinite(run.Operations)).OrderBy(run => run.Operations).ToList();
        html.Raw("<div class=\"charts\">" + LineChart.Render("NLL of right answers", "log10 of C",
            new Series("models", [.. family.Select(run => (Math.Log10(run.Operations), run.Nll))]) { Style = SeriesStyle.Dots },
            new Series("line", [.. family.Select(run => (Math.Log10(run.Operations), fit.NllAt(run.Operations)))]))
            + LineChart.Render("accuracy", "NLL of right answers",
            new Series("models", [.. runs.OrderBy(run => run.Nll).Select(run => (run.Nll, run.Accuracy))]) { Style = SeriesStyle.Dots },
            new Series("sigmoid", [.. Enumerable.Range(0, CurvePoints).Select(i => low + (high - low) * i / (CurvePoints - 1))
                .Select(nll => (nll, fit.AccuracyAt(nll)))])) + "</div>");
    });

    /// <summary>The law in a line.</summary>
    public static string Formula(ScalingLaw law) =>
        $"L(N, D) = {Number(law.E)} + {Number(law.A)} / N^{Number(law.Alpha)} + {Number(law.B)} / D^{Number(law.Beta)}.";

    /// <summary>Five digits; powers of ten where they are short.</summary>
    public static string Number(double value) => !double.IsFinite(value) ? "-" : Math.Abs(value) is >= 1e5 or < 1e-3 and not 0
        ? value.ToString("0.###e0", CultureInfo.InvariantCulture) : value.ToString("G5", CultureInfo.InvariantCulture);

    private static string Page(string title, Action<HtmlWriter> content)
    {
        var html = new HtmlWriter();
        html.Page(title, () => content(html));
        return html.ToString();
    }
}
