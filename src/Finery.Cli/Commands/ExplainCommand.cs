using System.CommandLine;
using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Finery.Cli.Terminal;
using Finery.Data.Curation;
using Finery.Data.Filters;
using Finery.Workflow.Runs;

namespace Finery.Cli.Commands;

/// <summary><c>finery curate explain</c>: why a document is in or out.</summary>
public static class ExplainCommand
{
    private static readonly JsonSerializerOptions s_indented =
        new() { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>The command.</summary>
    public static Command Create()
    {
        var id = new Argument<string>("id") { Description = "Id or URL of a document of the input." };
        var folder = new Option<string>("--out") { Description = "Folder of the curation.", Required = true };
        var json = new Option<bool>("--json") { Description = "As JSON." };
        var command = new Command("explain",
            "Show what every rule measured of a document, beside its threshold.") { id, folder, json };
        command.SetAction(parsed =>
        {
            var streams = CommandLine.StreamsOf(parsed);
            string root = Path.GetFullPath(parsed.GetRequiredValue(folder));
            string wanted = parsed.GetRequiredValue(id);
            var explanation = Explain(root, wanted)
                ?? throw new UsageException($"the input of {root} has no document with the id or URL '{wanted}'.");
            if (parsed.GetValue(json)) streams.Data.WriteLine(ToJson(explanation).ToJsonString(s_indented));
            else Write(explanation, streams);
            return (int)ExitCode.Ok;
        });
        return command;
    }

    private static Explanation? Explain(string root, string id)
    {
        try
        {
            return Explanation.Of(CurateCommand.Open(root).ToSettings(), new CurationFolder(root), id);
        }
        catch (InvalidOperationException exception)
        {
            // Not finished, or of other input by now; the message says which.
            throw new UsageException(exception.Message);
        }
    }

    private static void Write(Explanation explanation, Streams streams)
    {
        streams.Data.WriteLine($"{explanation.Id} from {explanation.Source}");
        var table = new TextTable("stage", "rule", "value", "", "threshold", "");
        foreach (var stage in explanation.Stages)
        {
            string changes = string.Join(", ", stage.Changes.Select(pair => $"{pair.Key} = {Short(pair.Value)}"));
            string verdict = stage.Reason is null ? "passes"
                : stage.Reached ? $"DROPPED: {stage.Reason}" : $"would drop: {stage.Reason}";
            if (!stage.Reached && stage.Reason is null) verdict = "would pass";
            table.Add(stage.Name, "", "", "", "", changes.Length > 0 ? $"{verdict}; {changes}" : verdict);
            foreach (var measured in stage.Measurements)
                table.Add("", measured.Rule, Number(measured.Value), Sign(measured.Kind),
                    HasThreshold(measured) ? Number(measured.Threshold) : "", measured.Failed ? "fails" : "");
        }
        table.Write(streams);
        streams.Data.WriteLine(explanation.Reason is null ? "Kept." : $"Dropped for {explanation.Reason}.");
    }

    private static JsonObject ToJson(Explanation explanation) => new()
    {
        ["id"] = explanation.Id,
        ["source"] = explanation.Source,
        ["kept"] = explanation.Reason is null,
        ["reason"] = explanation.Reason,
        ["stages"] = new JsonArray([.. explanation.Stages.Select(stage => new JsonObject
        {
            ["name"] = stage.Name,
            ["reached"] = stage.Reached,
            ["reason"] = stage.Reason,
            ["changes"] = stage.Changes.DeepClone(),
            ["rules"] = new JsonArray([.. stage.Measurements.Select(measured => new JsonObject
            {
                ["rule"] = measured.Rule,
                ["value"] = double.IsFinite(measured.Value) ? measured.Value : null,
                ["threshold"] = HasThreshold(measured) ? measured.Threshold : null,
                ["kind"] = JsonNamingPolicy.SnakeCaseLower.ConvertName(measured.Kind.ToString()),
                ["failed"] = measured.Failed,
            })]),
        })]),
    };

    private static bool HasThreshold(Measurement measured) => measured.Kind is RuleKind.AtMost or RuleKind.AtLeast;

    private static string Sign(RuleKind kind) => kind switch { RuleKind.AtMost => "<=", RuleKind.AtLeast => ">=", _ => "" };

    private static string Number(double value) => value.ToString("0.#####", CultureInfo.InvariantCulture);

    private static string Short(JsonNode? value)
    {
        string text = value?.ToJsonString() ?? "null";
        return text.Length <= 60 ? text : text[..57] + "...";
    }
}
