using System.CommandLine;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Finery.Cli.Terminal;
using Finery.Workflow.Runs;
using Spectre.Console;

namespace Finery.Cli.Commands;

/// <summary><c>finery doctor</c>: whether this machine can do the main job, and what to do where not.</summary>
public static class DoctorCommand
{
    private static readonly JsonSerializerOptions Indented =
        new() { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>The command.</summary>
    public static Command Create()
    {
        var json = new Option<bool>("--json") { Description = "As JSON." };
        var model = new ModelNeeds.Options();
        var command = new Command("doctor", "Check this machine, or what training a model takes.") { json };
        model.AddTo(command);
        command.SetAction(parsed =>
        {
            var streams = CommandLine.StreamsOf(parsed);
            if (model.Read(parsed) is { } needs)
            {
                if (parsed.GetValue(json)) streams.Data.WriteLine(needs.ToJson().ToJsonString(Indented));
                else needs.Write(streams);
                return (int)ExitCode.Ok;
            }
            var checks = DoctorChecks.All().ToList();
            bool failed = checks.Any(check => check.State == CheckState.Fail);
            if (parsed.GetValue(json)) streams.Data.WriteLine(ToJson(checks, !failed).ToJsonString(Indented));
            else Write(checks, streams);
            return (int)(failed ? ExitCode.MissingPrerequisite : ExitCode.Ok);
        });
        return command;
    }

    private static void Write(IReadOnlyList<DoctorCheck> checks, Streams streams)
    {
        foreach (var group in checks.GroupBy(check => check.Group))
        {
            streams.DataConsole.WriteLine(group.Key, new Style(decoration: Decoration.Bold));
            foreach (var check in group)
            {
                (string mark, var color) = check.State switch
                {
                    CheckState.Pass => ("ok  ", Color.Green),
                    CheckState.Warn => ("warn", Color.Yellow),
                    _ => ("FAIL", Color.Red),
                };
                streams.DataConsole.Write($"  ");
                streams.DataConsole.Write(mark, new Style(color));
                streams.DataConsole.WriteLine($"  {check.Name}: {check.Detail}");
                if (check.State != CheckState.Pass) streams.DataConsole.WriteLine($"        {check.Fix}");
            }
        }
    }

    private static JsonObject ToJson(IReadOnlyList<DoctorCheck> checks, bool ok) => new()
    {
        ["ok"] = ok,
        ["checks"] = new JsonArray([.. checks.Select(check => new JsonObject
        {
            ["group"] = check.Group,
            ["name"] = check.Name,
            ["state"] = check.State.ToString().ToLowerInvariant(),
            ["detail"] = check.Detail,
            ["fix"] = check.Fix,
        })]),
    };
}
