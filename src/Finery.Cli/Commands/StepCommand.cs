using System.CommandLine;
using System.ComponentModel;
using System.Reflection;
using Finery.Workflow.Recipes;
using Finery.Workflow.Steps;

namespace Finery.Cli.Commands;

/// <summary>A verb for a step of the catalogue: the same settings as in a recipe, as flags. Inputs are paths.</summary>
public static class StepCommand
{
    private const int LongestTypeName = 24;

    /// <summary>The verb of a step.</summary>
    /// <param name="type">Name in the catalogue.</param>
    /// <param name="record">Its record type.</param>
    /// <param name="verb">Name of the command; null for the step's own.</param>
    public static Command Create(string type, Type record, string? verb = null)
    {
        string summary = record.GetCustomAttribute<DescriptionAttribute>()?.Description
            ?? $"The '{type}' step of recipes, by itself.";
        var command = new Command(verb ?? type, summary);
        var flags = new List<(Option<string[]> Flag, StepSetting Setting)>();
        foreach (var setting in StepSetting.Of(record))
        {
            var flag = new Option<string[]>("--" + setting.Key.Replace('_', '-'))
            {
                Description = Describe(setting),
                HelpName = setting.Input is not null ? "path" : setting.TypeName.Length <= LongestTypeName ? setting.TypeName
                    : "value",
                Required = setting.Required,
                Arity = ArgumentArity.OneOrMore,
                AllowMultipleArgumentsPerToken = IsList(setting),
            };
            command.Add(flag);
            flags.Add((flag, setting));
        }
        var folder = new Option<string>("--out") { Description = "Run folder.", DefaultValueFactory = _ =>
            Path.Combine("runs", type) };
        var seed = new Option<ulong>("--recipe-seed") { Description = "Seed of every random choice.", DefaultValueFactory = _ =>
            42 };
        var common = new RecipeRunFlags(trains: record.IsAssignableTo(typeof(ITrainingStep)));
        foreach (var option in common.Options.Prepend(seed).Prepend(folder))
        {
            if (flags.All(flag => flag.Flag.Name != option.Name)) command.Add(option);
        }
        command.SetAction(parsed =>
        {
            string runFolder = Path.GetFullPath(parsed.GetValue(folder)!);
            var settings = flags.Where(flag => parsed.GetResult(flag.Flag) is not null)
                .Select(flag => $"{flag.Setting.Key}={Value(flag.Setting, parsed.GetValue(flag.Flag)!)}").ToList();
            return common.Run(parsed, RecipeFile.ForStep(type, parsed.GetValue(seed), runFolder, settings), runFolder);
        });
        return command;
    }

    private static string Describe(StepSetting setting)
    {
        string text = setting.Description.Length > 0 ? setting.Description : setting.Key.Replace('_', ' ');
        if (setting.TypeName.Length > LongestTypeName && setting.Input is null) text += $" ({setting.TypeName})";
        return setting.Default is { Length: > 0 } value ? $"{text} [default: {value}]" : text;
    }

    private static bool IsList(StepSetting setting) => setting.Property.PropertyType != typeof(string)
        && setting.Property.PropertyType.IsAssignableTo(typeof(System.Collections.IEnumerable));

    /// <summary>The value as a recipe would write it. Inputs name paths here, never steps, so they are made to look like
    /// paths.</summary>
    private static string Value(StepSetting setting, string[] given)
    {
        var values = setting.Input is null ? given : [.. given.Select(Path.GetFullPath)];
        if (!IsList(setting)) return values[^1];
        // One value in brackets or braces is a list in recipe notation already.
        if (values is [['[' or '{', ..]]) return values[0];
        bool isText = setting.Input is not null || setting.Property.PropertyType.GenericTypeArguments is [{ } item]
            && item == typeof(string);
        return "[" + string.Join(", ", values.Select(value => isText ? System.Text.Json.JsonSerializer.Serialize(value) : value))
            + "]";
    }
}
