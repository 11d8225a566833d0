using Finery.Workflow.Sweeps;

namespace Finery.Workflow.Runs.Report;

/// <summary>What a sweep found: combinations with means and spreads, claims with verdicts, curves.</summary>
internal static class SweepSection
{
    private const int MostCurves = 7;

    public static void Write(HtmlWriter html, SweepRecord sweep, RunFolder run)
    {
        html.Heading("Sweep");
        string[] parameters = [.. sweep.Groups.SelectMany(group => group.Parameters.Select(pair => pair.Key)).Distinct()];
        bool variants = sweep.Groups.Any(group => group.Variant.Length > 0);
        html.Table([.. variants ? ["variant"] : Array.Empty<string>(), .. parameters, sweep.Metric, "standard deviation", "n",
            "lost", ""],
            sweep.Groups.Select(group => (string[])
            [
                .. variants ? [group.Variant] : Array.Empty<string>(),
                .. parameters.Select(path => group.Parameters[path]?.ToString() ?? ""),
                Number(group.Mean) + (group.StandardError is { } error ? $" ± {Number(error)}" : ""),
                Number(group.StandardDeviation),
                HtmlWriter.Number(group.Count), HtmlWriter.Number(group.Lost), group.Best ? "best" : "",
            ]));
        html.Note($"{sweep.Goal}: mean ± standard error over n seeds; the same seed gives every combination the same data and the same initial "
            + "weights. Lost trials failed or diverged; combinations with some rank behind those without.");
        WriteClaims(html, sweep);
        WriteCurves(html, sweep, run, variants);
        html.Details("Every trial", () => html.Table(["trial", "seed", "state", sweep.Metric, ""], sweep.Trials.Select(trial => new[]
        {
            trial.Name, FormattableString.Invariant($"{trial.Seed}"),
            trial.State.ToString().ToLowerInvariant(),
            Number(trial.Value), trial.Error ?? "",
        })));
    }

    private static void WriteClaims(HtmlWriter html, SweepRecord sweep)
    {
        if (sweep.Claims.Count == 0) return;
        html.Heading("Claims");
        html.Table(["claim", "verdict", "measured", "criterion", "compared"], sweep.Claims.Select(claim => new[]
        {
            claim.Statement, claim.Verdict, Number(claim.Measured)
                + (claim.StandardError is { } error ? $" ± {Number(error)}" : ""),
            claim.Criterion, claim.Detail,
        }));
    }

    /// <summary>The best point of every variant, or the best points: means over seeds, and every seed faintly.</summary>
    private static void WriteCurves(HtmlWriter html, SweepRecord sweep, RunFolder run, bool variants)
    {
        var ranked = SweepRecord.Ranked(sweep.Groups, sweep.Goal);
        var shown = (variants ? ranked.DistinctBy(group => group.Variant) : ranked).Take(MostCurves).ToList();
        var faint = new List<Series>();
        var means = new List<Series>();
        foreach (var (group, colour) in shown.Select((group, index) => (group, index)))
        {
            var curves = sweep.TrialsOf(group).Where(trial => trial.State == TrialState.Finished)
                .Select(trial => LossCurve.Of(run, trial.Steps[sweep.Curve.Step], sweep.Curve.Key))
                .Where(curve => curve.Count > 0).ToList();
            if (curves.Count == 0) continue;
            int length = curves.Min(curve => curve.Count), window = LossCurve.Window(length);
            var smooth = curves.Select(curve => LossCurve.Smooth(curve, window)).ToList();
            if (curves.Count > 1)
                faint.AddRange(curves.Zip(smooth, (curve, loss) => new Series("", [.. curve.Zip(loss, (row, y) => (row.Step, y))])
                {
                    Colour = colour, Style = SeriesStyle.Faint,
                }));
            string name = group.Variant.Length > 0 ? group.Variant
                : string.Join(", ", group.Parameters.Select(pair => $"{pair.Value}"));
            means.Add(new Series(name, [.. Enumerable.Range(0, length).Select(i => (curves[0][i].Step, smooth.Average(loss => loss[i])))]) { Colour = colour });
        }
        html.Raw(LineChart.Render($"{sweep.Curve}, smoothed over a twentieth of the run", "step", [.. faint, .. means]));
    }

    private static string Number(double? value) => value is { } number ? HtmlWriter.Number(number, "0.#####") : "";
}
