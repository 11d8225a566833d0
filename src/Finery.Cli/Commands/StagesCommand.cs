using System.CommandLine;
using Finery.Cli.Terminal;
using Finery.Data.Curation;
using Finery.Workflow.Recipes;
using Finery.Workflow.Runs;

namespace Finery.Cli.Commands;

/// <summary><c>finery curate stages</c>: every stage with its settings and their defaults, as a recipe writes them.</summary>
public static class StagesCommand
{
    /// <summary>The command.</summary>
    public static Command Create()
    {
        var name = new Argument<string?>("name") { Description = "One stage; all if not given.",
            Arity = ArgumentArity.ZeroOrOne };
        var command = new Command("stages", "List stages, their settings and defaults.") { name };
        command.SetAction(parsed =>
        {
            var streams = CommandLine.StreamsOf(parsed);
            string? wanted = parsed.GetValue(name);
            if (wanted is not null && !StageCatalogue.Stages.ContainsKey(wanted))
                throw new UsageException($"there is no stage '{wanted}'."
                    + (Spelling.Nearest(wanted, StageCatalogue.Stages.Keys) is { } near ? $" Did you mean '{near}'?" : ""));
            var table = new TextTable("stage", "setting", "value", "default");
            foreach (var (stage, type) in StageCatalogue.Stages.OrderBy(pair => pair.Key, StringComparer.Ordinal))
            {
                if (wanted is not null && wanted != stage) continue;
                table.Add(stage, "", "", "");
                foreach (var setting in StepSetting.Of(type))
                    table.Add("", setting.Key, Short(setting.TypeName), Short(setting.Default ?? ""));
            }
            table.Write(streams);
            return (int)ExitCode.Ok;
        });
        return command;
    }

    private static string Short(string text) => text.Length <= 60 ? text : text[..57] + "...";
}
