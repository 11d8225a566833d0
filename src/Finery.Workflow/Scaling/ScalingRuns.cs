using System.Globalization;
using System.Text.Json.Nodes;
using Finery.Training.Scaling;
using Finery.Workflow.Runs;
using Finery.Workflow.Steps;

namespace Finery.Workflow.Scaling;

/// <summary>A finished run for a scaling law.</summary>
/// <param name="Name">Run and step, or the line of a table.</param>
/// <param name="Point">Size, length and loss; NaN where a table does not give them.</param>
/// <param name="Operations">C; 6 N D unless a table gives it, NaN if neither is known.</param>
/// <param name="Nll">Normalised negative log-likelihood of right answers, nats; NaN if not given.</param>
/// <param name="Accuracy">Share of right answers; NaN if not given.</param>
public sealed record ScalingRun(
    string Name, ScalingPoint Point, double Operations, double Nll = double.NaN, double Accuracy = double.NaN);

/// <summary>Reads runs from run folders and tables.</summary>
public static class ScalingRuns
{
    /// <summary>What N counts in runs of Finery.</summary>
    public const string Counting = "all parameters, embeddings included (once if tied to the head)";

    private static readonly string[] s_columns = ["name", "parameters", "tokens", "loss", "unique_tokens", "flops", "nll",
        "accuracy"];

    /// <summary>The finished pretraining steps of a run folder, of a sweep too, with what its evaluations say of their models.</summary>
    /// <param name="folder">The run folder.</param>
    /// <param name="loss">Which figure of their summaries is the loss.</param>
    /// <exception cref="RunFolderException">It is no run folder or cannot be read.</exception>
    /// <exception cref="RecipeException">It has no finished pretraining.</exception>
    public static IReadOnlyList<ScalingRun> Load(string folder, string loss = "final_loss")
    {
        var run = RunFolder.Open(folder);
        var finished = run.Steps().Where(step => step.State == StepState.Finished).ToArray();
        var answers = finished.Where(step => step.Type == "evaluate").SelectMany(Rows)
            .GroupBy(row => Text(row["name"])).ToDictionary(rows => rows.Key, rows => rows.Last());
        var runs = finished.Where(step => step.Type == "pretrain")
            .Select(step => Of($"{run.Name}/{step.Name}", step.Summary, loss, answers.GetValueOrDefault(step.Name)))
            .OfType<ScalingRun>().ToArray();
        return runs.Length > 0 ? runs
            : throw new RecipeException($"{run.Path} has no finished 'pretrain' step with parameters, tokens and {loss}.");
    }

    /// <summary>A finished pretraining by the summary of its step; null if that lacks size, tokens or the loss.</summary>
    /// <param name="name">Of the run.</param>
    /// <param name="summary">Of its step.</param>
    /// <param name="loss">Which figure is the loss.</param>
    /// <param name="answers">What an evaluation says of its model; null for nothing.</param>
    internal static ScalingRun? Of(string name, JsonObject summary, string loss, JsonObject? answers = null)
    {
        double tokens = Figure(summary, "tokens"), epochs = Figure(summary, "epochs");
        var point = new ScalingPoint(
            Figure(summary, "parameters"), tokens, epochs > 0 ? tokens / epochs : double.PositiveInfinity, Figure(summary, loss));
        return point is not { Parameters: > 0, Tokens: > 0, Loss: > 0 } ? null : new(
            name, point, point.Operations, Figure(answers?["answer_nats"], "value"), Figure(answers?["accuracy_norm"], "value"));
    }

    /// <summary>A table with a heading: <c>parameters,tokens,loss</c>, also <c>name</c>, <c>unique_tokens</c>, <c>flops</c>,
    /// <c>nll</c>, <c>accuracy</c>; lines that begin with # are left out.</summary>
    /// <exception cref="RecipeException">It is not there or wrong somewhere; the message says where.</exception>
    public static IReadOnlyList<ScalingRun> ReadTable(string path)
    {
        string[] lines;
        try
        {
            lines = File.ReadAllLines(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new RecipeException(e is FileNotFoundException or DirectoryNotFoundException ? $"{path}: no such file"
                : $"{path}: {e.Message}");
        }
        string[]? heading = null;
        var runs = new List<ScalingRun>();
        for (int i = 0; i < lines.Length; i++)
        {
            if (string.IsNullOrWhiteSpace(lines[i]) || lines[i].StartsWith('#')) continue;
            string place = string.Create(CultureInfo.InvariantCulture, $"{path}:{i + 1}");
            string[] cells = [.. lines[i].Split(',').Select(cell => cell.Trim().Trim('"'))];
            if (heading is null)
            {
                heading = [.. cells.Select(cell => cell.ToLowerInvariant())];
                if (heading.FirstOrDefault(column => !s_columns.Contains(column)) is { } unknown)
                    throw new RecipeException($"{place}: no column '{unknown}' is known; there are {string.Join(", ", s_columns)}");
                continue;
            }
            if (cells.Length != heading.Length)
                throw new RecipeException($"{place}: {cells.Length} cells under {heading.Length} headings");
            runs.Add(Row(heading, cells, place));
        }
        return runs.Count > 0 ? runs : throw new RecipeException($"{path}: no runs; expected a heading such as parameters,tokens,loss and rows");
    }

    private static ScalingRun Row(string[] heading, string[] cells, string place)
    {
        double Number(string column, double otherwise)
        {
            int at = Array.IndexOf(heading, column);
            if (at < 0 || cells[at].Length == 0) return otherwise;
            if (double.TryParse(cells[at], NumberStyles.Float, CultureInfo.InvariantCulture, out double value)
                && double.IsFinite(value) && value > 0)
                return value;
            // Nothing may be answered rightly.
            return column == "accuracy" && value == 0 && cells[at][0] == '0' ? 0
                : throw new RecipeException($"{place}: '{column}' is '{cells[at]}', expected a positive number");
        }
        var point = new ScalingPoint(Number("parameters", double.NaN), Number("tokens", double.NaN),
            Number("unique_tokens", double.PositiveInfinity), Number("loss", double.NaN));
        int named = Array.IndexOf(heading, "name");
        return new(named >= 0 ? cells[named] : place[(place.LastIndexOf(Path.DirectorySeparatorChar) + 1)..], point,
            Number("flops", point.Operations), Number("nll", double.NaN), Number("accuracy", double.NaN));
    }

    private static IEnumerable<JsonObject> Rows(StepStatus step) => (step.Summary["rows"] as JsonArray ?? []).OfType<JsonObject>();

    private static string Text(JsonNode? node) => node is JsonValue value && value.TryGetValue(out string? text) ? text : "";

    private static double Figure(JsonNode? json, string key) =>
        (json as JsonObject)?[key] is JsonValue value && value.TryGetValue(out double number) ? number : double.NaN;
}
