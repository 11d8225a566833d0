using System.CommandLine;
using System.Text.Json;
using Finery.Cli.Terminal;
using Finery.Data.Curation;
using Finery.Data.Writers;
using Finery.Workflow.Recipes;
using Finery.Workflow.Runs;
using Finery.Workflow.Runs.Report;
using Finery.Workflow.Steps;

namespace Finery.Cli.Commands;

/// <summary><c>finery curate</c>: the <c>curate</c> step of a recipe that comes with Finery or of one's own, over as many
/// processes as there are; and what belongs to it.</summary>
public static class CurateCommand
{
    private const string StepType = "curate", RecipeName = "recipe.yaml";

    /// <summary>Names of the recipes that come with Finery and curate.</summary>
    public static IReadOnlyList<string> Presets => [.. RecipeFile.BundledNames
        .Where(name => RecipeFile.Bundled(name).Contains($"type: {StepType}", StringComparison.Ordinal))
        .Select(name => Path.GetFileNameWithoutExtension(name))];

    /// <summary>The command.</summary>
    public static Command Create()
    {
        var recipe = new Argument<string?>("recipe")
        {
            Description = $"One of {string.Join(", ", Presets)}; or a recipe file with a curate step.",
            Arity = ArgumentArity.ZeroOrOne,
        };
        var input = new Option<string[]>("--input")
        {
            Description = "Files, folders or globs (WARC, WET, JSON Lines, Parquet, CSV, HTML, text), "
                + "s3:// or https:// addresses.",
            HelpName = "path", AllowMultipleArgumentsPerToken = true, Arity = ArgumentArity.OneOrMore,
        };
        var folder = FolderOption();
        var set = new Option<string[]>("--set") { Description = "Override a setting: curate.key=value; may be repeated.",
            DefaultValueFactory = _ => [] };
        var workers = new Option<int>("--workers") { Description = "Parts at once in this process; never changes a result.",
            DefaultValueFactory = _ => Environment.ProcessorCount };
        var rank = new Option<int>("--rank") { Description = "Number of this process among --world.",
            DefaultValueFactory = _ => 0 };
        var world = new Option<int>("--world") { Description = "Processes that share the work over a common folder.",
            DefaultValueFactory = _ => 1 };
        var wait = new Option<bool>("--wait") { Description = "Wait for other ranks instead of ending with 75." };
        var memory = new Option<int?>("--memory-megabytes") { Description = "MiB for stages that look across documents.",
            HelpName = "MiB" };
        var json = new Option<bool>("--json") { Description = "The statistics as JSON on stdout." };
        workers.Validators.Add(result => RequireRange(result, 1, 1024));
        var command = new Command("curate",
            "Curate a corpus: extract, filter and deduplicate documents, as FineWeb and others do.")
        {
            recipe, input, folder, set, workers, rank, world, wait, memory, json,
            ExplainCommand.Create(), StagesCommand.Create(), ClassifierCommand.Quality(), ClassifierCommand.Language(),
        };
        command.SetAction(parsed =>
        {
            var streams = CommandLine.StreamsOf(parsed);
            string name = parsed.GetValue(recipe)
                ?? throw new UsageException($"which recipe? One of {string.Join(", ", Presets)}, or a file.");
            string root = Path.GetFullPath(
                parsed.GetValue(folder) ?? Path.Combine("runs", Path.GetFileNameWithoutExtension(name)));
            var overrides = parsed.GetValue(set)!.ToList();
            if (parsed.GetValue(input) is { Length: > 0 } paths)
                overrides.Add($"{StepType}.paths=[{string.Join(", ", paths.Select(path => JsonSerializer.Serialize(path)))}]");
            if (parsed.GetValue(memory) is { } mebibytes)
                overrides.Add(RecipeRun.Override($"{StepType}.memory_megabytes", mebibytes));
            var loaded = Load(name, root, overrides);
            if (loaded.Recipe is null) return RecipeRun.ReportErrors(loaded.Errors, streams);
            return Run(loaded.Recipe, root, new CurationOptions
            {
                Workers = parsed.GetValue(workers), Rank = parsed.GetValue(rank), World = parsed.GetValue(world),
                Wait = parsed.GetValue(wait),
            }, parsed.GetValue(json), streams);
        });
        return command;
    }

    internal static Option<string?> FolderOption() => new("--out")
    {
        Description = "Folder of the curation. Default: runs/ and the recipe's name.",
    };

    /// <summary>The curation in a folder, as it was started.</summary>
    /// <exception cref="UsageException">There is none.</exception>
    internal static CurateStep Open(string root)
    {
        string path = Path.Combine(root, RecipeName);
        if (!File.Exists(path)) throw new UsageException($"{root} is not the folder of a curation: it has no {RecipeName}.");
        var loaded = RecipeFile.Load(path, root, []);
        return loaded.Recipe is null ? throw new UsageException(loaded.Errors[0].ToString()) : StepOf(loaded.Recipe);
    }

    private static RecipeResult Load(string name, string root, IReadOnlyList<string> overrides)
    {
        if (Presets.Contains(name)) return RecipeFile.Parse(RecipeFile.Bundled(name + ".yaml"), name + ".yaml", root, overrides);
        if (File.Exists(name)) return RecipeFile.Load(name, root, overrides);
        string near = Spelling.Nearest(name, Presets) is { } candidate ? $" Did you mean '{candidate}'?" : "";
        throw new UsageException($"there is no recipe '{name}'; there are {string.Join(", ", Presets)}, or give a file.{near}");
    }

    private static CurateStep StepOf(Recipe recipe) =>
        recipe.Steps.Select(step => step.Step).OfType<CurateStep>().ToList() is [var only] && recipe.Steps.Count == 1 ? only
        : throw new UsageException(
            "'finery curate' takes a recipe whose one step is of type curate; use 'finery run' for others.");

    private static int Run(Recipe recipe, string root, CurationOptions options, bool json, Streams streams)
    {
        var step = StepOf(recipe);
        var folder = new CurationFolder(root);
        using var interruption = new Interruption("Stopping; the same command continues. Once more to stop at once.");
        var progress = new RunProgress(streams, debug: false);
        progress.StepStarting(new(recipe.Name, StepType, PlannedAction.Run, root, null, []));
        CurationResult result;
        try
        {
            result = CurationRun.Run(step.ToSettings(), step.Describe(), folder, options with
            {
                MemoryBytes = (long)step.MemoryMegabytes << 20,
                Stop = interruption.Stop,
                Log = line => progress.Log(recipe.Name, false, line),
                Progress = (done, total, text) => progress.Progress(recipe.Name, done, total, text),
                Started = () => AtomicFile.WriteText(Path.Combine(root, RecipeName), RecipeWriter.Yaml(recipe.Resolved)),
            });
        }
        catch (InvalidOperationException exception)
        {
            // The folder is another curation's; the message says what differs.
            throw new UsageException(exception.Message);
        }
        finally
        {
            progress.Close();
        }
        if (!result.Finished)
        {
            streams.Messages.WriteLine($"finery: {result.Message}. Run them, then this command again; or give --wait.");
            return (int)ExitCode.Interrupted;
        }
        CurationReport.Write(folder, result.Statistics!);
        if (json) streams.Data.WriteLine(result.Statistics!.ToJson());
        else Summarize(result.Statistics!, folder, streams);
        return (int)ExitCode.Ok;
    }

    private static void Summarize(CurationStatistics statistics, CurationFolder folder, Streams streams)
    {
        var table = new TextTable("stage", "kept", "dropped", "MB kept", "most dropped for");
        foreach (var stage in statistics.Stages)
            table.Add(stage.Name, $"{stage.Kept.Documents:N0}", $"{stage.Dropped.Values.Sum(volume => volume.Documents):N0}",
                $"{stage.Kept.Bytes / 1e6:N1}",
                string.Join(", ", stage.Dropped.OrderByDescending(pair => pair.Value.Documents).Take(3)
                    .Select(pair => $"{pair.Key} {pair.Value.Documents:N0}")));
        table.Write(streams);
        foreach (var (reason, items) in statistics.Skipped)
            streams.Data.WriteLine($"left out for {reason}: {items.Count:N0}, first {items.FirstExample}");
        streams.Data.WriteLine(CurationReport.Line(statistics));
        streams.Data.WriteLine($"Documents: {folder.Documents}");
        streams.Data.WriteLine($"Report: {Path.Combine(folder.Root, RunReport.FileName)}");
    }

    private static void RequireRange(System.CommandLine.Parsing.OptionResult result, int least, int most)
    {
        if (result.Tokens.Count > 0 && int.TryParse(result.Tokens[0].Value, out int given) && (given < least || given > most))
            result.AddError($"{result.Option.Name} must be from {least} to {most}.");
    }
}
