using System.Globalization;

namespace Finery.Workflow.Runs.Report;

/// <summary>What the monitor measured inside of training steps, and what was repaired or reported: rows of <c>metrics.jsonl</c> whose names
/// begin with <c>monitor/</c>, and <c>events.jsonl</c>.</summary>
internal static class MonitoringSection
{
    private const string Prefix = "monitor/";

    // As many curves as a chart has colours.
    private const int Curves = 4;

    // A run that diverges for hours has more to say than anyone reads.
    private const int ListedEvents = 200;

    private static readonly (string Metric, string Title)[] PerLayer =
    [
        ("residual_rms", "residual stream, RMS"), ("block_rms", "what a layer adds, RMS"), ("max_activation", "largest activation"),
        ("attention_entropy_mean", "attention entropy, mean of heads (nats)"), ("attention_entropy_min", "attention entropy, lowest head (nats)"),
        ("max_logit", "largest attention logit"), ("dead_units", "share of dead units"), ("effective_rank", "effective rank"),
        ("stable_rank", "stable rank"), ("participation_ratio", "participation ratio"), ("mean_cosine", "mean cosine of tokens"),
        ("moved", "movement of activations between measurements"), ("moved_since_start", "movement of activations since the start"),
        ("weight_norm", "weight norm"), ("gradient_norm", "gradient norm"), ("update_ratio", "relative update"),
    ];

    private static readonly (string Metric, string Title)[] PerKind =
    [
        ("weight_norm", "weight norm"), ("gradient_norm", "gradient norm"), ("update_norm", "update norm"), ("update_ratio", "relative update"),
        ("weight_std", "standard deviation of weights"), ("weight_kurtosis", "kurtosis of weights"),
        ("gradient_kurtosis", "kurtosis of gradients"),
    ];

    public static void Write(HtmlWriter html, RunRecords records)
    {
        var watched = records.Steps.Where(step => step.Events.Count > 0 || Names(step).Count > 0).ToList();
        if (watched.Count == 0) return;
        html.Heading("Inside training");
        foreach (var step in watched)
        {
            WriteEvents(html, step);
            WriteCharts(html, step);
        }
    }

    /// <summary>Events of a step as marks of its charts.</summary>
    public static IReadOnlyList<Mark> Marks(StepRecord step) =>
        [.. step.Events.Select(row => new Mark(row.Step, FormattableString.Invariant($"step {row.Step}, {row.Kind}: {row.Message}")))];

    private static void WriteEvents(HtmlWriter html, StepRecord step)
    {
        if (step.Events.Count == 0) return;
        html.Paragraph(FormattableString.Invariant($"{step.Name}: {step.Events.Count:N0} events, marked on the chart of its loss."));
        html.Table(["step", "event", "why", "figures"], step.Events.Take(ListedEvents).Select(row => new[]
        {
            HtmlWriter.Number(row.Step), row.Kind.Replace('_', ' '), row.Message,
            string.Join(", ", row.Values.Select(value => FormattableString.Invariant($"{value.Key} {value.Value:g4}"))),
        }));
        if (step.Events.Count > ListedEvents) html.Note(FormattableString.Invariant($"The first {ListedEvents} are shown."));
    }

    private static void WriteCharts(HtmlWriter html, StepRecord step)
    {
        var names = Names(step);
        if (names.Count == 0) return;
        var marks = Marks(step);
        html.Raw("<div class=\"charts\">");
        Chart("loss by source", [.. Under("loss/")]);
        Chart("largest attention logit", [Prefix + "max_logit"]);
        Chart("mean log partition of the logits", [Prefix + "logz_mean"]);
        html.Raw("</div>");
        int layers = names.Select(Layer).DefaultIfEmpty(-1).Max() + 1;
        int[] shown = [.. Enumerable.Range(0, Curves).Select(i => i * Math.Max(0, layers - 1) / (Curves - 1)).Distinct().Where(layer => layer < layers)];
        Group($"{step.Name}: layers", () =>
        {
            foreach (var (metric, title) in PerLayer) Chart(title, [.. shown.Select(layer => $"{Prefix}layer{layer}/{metric}")]);
        });
        string[] kinds = [.. names.Where(name => name.EndsWith("/weight_norm", StringComparison.Ordinal) && Layer(name) < 0)
            .Select(name => name.Split('/')[1]).Distinct()];
        Group($"{step.Name}: parameters", () =>
        {
            foreach (var (metric, title) in PerKind)
            {
                foreach (string[] some in kinds.Chunk(Curves)) Chart(title, [.. some.Select(kind => $"{Prefix}{kind}/{metric}")]);
            }
        });

        IEnumerable<string> Under(string part) => names.Where(name => name.StartsWith(Prefix + part, StringComparison.Ordinal));

        void Chart(string title, IReadOnlyList<string> metrics)
        {
            Series[] curves = [.. metrics.Where(names.Contains).Select(metric => step.Series(metric) with { Name = Legend(metric) })];
            foreach (var some in curves.Chunk(Curves)) html.Raw(LineChart.Render($"{step.Name}: {title}", "step", marks, some));
        }

        void Group(string summary, Action charts) => html.Details(summary, () =>
        {
            html.Raw("<div class=\"charts\">");
            charts();
            html.Raw("</div>");
        });
    }

    private static HashSet<string> Names(StepRecord step) =>
        [.. step.Metrics.SelectMany(row => row.Values.Keys).Where(name => name.StartsWith(Prefix, StringComparison.Ordinal))];

    /// <summary>What tells a curve from its neighbours: the source, or the part of the model.</summary>
    private static string Legend(string metric)
    {
        string[] parts = metric.Split('/', 3);
        return parts is [_, "loss", var source] ? source : parts[1];
    }

    /// <summary>Number of the layer a series is of; -1 for others.</summary>
    private static int Layer(string name)
    {
        string[] parts = name.Split('/');
        return parts.Length > 2 && parts[1].StartsWith("layer", StringComparison.Ordinal)
            && int.TryParse(parts[1].AsSpan(5), NumberStyles.None, CultureInfo.InvariantCulture, out int layer) ? layer : -1;
    }
}
