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
            Description = "Run, step or model folder, documents, token shards, *.safetensors, tokenizer.json, *.jsonl.",
        };
        var json = new Option<bool>("--json") { Description = "As JSON." };
        var command = new Command("inspect", "Show what a file or folder holds.") { path, json };
        command.SetAction(parsed =>
        {
            var streams = CommandLine.StreamsOf(parsed);
            var facts = Inspection.Of(parsed.GetRequiredValue(path));
            if (parsed.GetValue(json)) streams.Data.WriteLine(facts.ToJsonString(Indented));
            else Inspection.Write(facts, streams);
            return (int)ExitCode.Ok;
        });
        return command;
    }
}
