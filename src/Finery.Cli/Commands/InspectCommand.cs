using System.CommandLine;
using System.Text.Encodings.Web;
using System.Text.Json;
using Finery.Workflow.Runs;

namespace Finery.Cli.Commands;

/// <summary><c>finery inspect</c>: what a file or folder is and holds.</summary>
public static class InspectCommand
{
    private static readonly JsonSerializerOptions Indented =
        new() { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>The command.</summary>
    public static Command Create()
    {
        var path = new Argument<string>("path")
        {
            Description = "Run, step or model folder, documents, token shards, *.safetensors or their index, *.gguf, config.json, "
                + "tokenizer.json, *.jsonl.",
        };
        var json = new Option<bool>("--json") { Description = "As JSON." };
        var values = new Option<bool>("--values")
        {
            Description = "Look at every value of tensors: extremes, mean, deviation, non-finite ones.",
        };
        var length = new Option<int?>("--sequence-length")
        {
            Description = "Tokens to compute operations and memory for. Default: the model's context.",
        };
        length.Validators.Add(result =>
        {
            if (result.Tokens.Count > 0 && (!int.TryParse(result.Tokens[0].Value, out int given) || given < 1))
                result.AddError("--sequence-length must be at least 1.");
        });
        var command = new Command("inspect", "Show what a file or folder holds.") { path, json, values, length };
        command.SetAction(parsed =>
        {
            var streams = CommandLine.StreamsOf(parsed);
            var facts = Inspection.Of(parsed.GetRequiredValue(path), new(parsed.GetValue(values), parsed.GetValue(length)));
            if (parsed.GetValue(json)) streams.Data.WriteLine(facts.ToJsonString(Indented));
            else Inspection.Write(facts, streams);
            return (int)(facts.ContainsKey(Inspection.Problem) ? ExitCode.CheckFailed : ExitCode.Ok);
        });
        return command;
    }
}
