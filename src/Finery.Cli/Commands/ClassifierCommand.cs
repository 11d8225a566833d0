using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using Finery.Cli.Terminal;
using Finery.Data.Classifiers;
using Finery.Data.Readers;
using Finery.Workflow.Runs;

namespace Finery.Cli.Commands;

/// <summary><c>finery curate train-classifier</c> and <c>train-language</c>: the models that curation filters with.</summary>
public static class ClassifierCommand
{
    /// <summary>A quality classifier from good and random documents.</summary>
    public static Command Quality()
    {
        var good = Paths("--good", "Documents like those to keep: files, folders or globs.");
        var random = Paths("--random", "Documents of the corpus that is to be filtered, as they come.");
        var folder = new Option<string>("--out") { Description = "Folder for the classifier.", Required = true };
        var precision = new Option<double?>("--precision")
        {
            Description = "Threshold so that this share of what is kept is good (0 to 1).",
        };
        var keepRate = new Option<double>("--keep-rate")
        {
            Description = "Threshold so that this share of random documents is kept.", DefaultValueFactory = _ => 0.1,
        };
        var documents = new Option<int>("--max-documents") { Description = "Documents of each kind to learn from at most.",
            DefaultValueFactory = _ => 100_000 };
        var seed = new Option<ulong>("--seed") { Description = "Which documents are taken and held out.",
            DefaultValueFactory = _ => 0 };
        var command = new Command("train-classifier",
            "Train a quality classifier for the classifier stage, and choose its threshold.")
        {
            good, random, folder, precision, keepRate, documents, seed,
        };
        command.SetAction(parsed =>
        {
            var streams = CommandLine.StreamsOf(parsed);
            var training = new QualityClassifierTraining
            {
                TargetPrecision = parsed.GetValue(precision), TargetKeepRate = parsed.GetValue(keepRate),
                MaxDocuments = parsed.GetValue(documents), Seed = parsed.GetValue(seed),
            };
            using var interruption = new Interruption("Stopping.");
            string output = Path.GetFullPath(parsed.GetRequiredValue(folder));
            var report = training.Run(
                Texts(parsed.GetRequiredValue(good), streams), Texts(parsed.GetRequiredValue(random), streams),
                output, interruption.Stop);
            Inspection.Write(new JsonObject
            {
                ["training_documents"] = report.TrainingCount,
                ["held_out_documents"] = report.HeldOutCount,
                ["target"] = report.Target,
                ["threshold"] = Math.Round(report.Threshold, 6),
                ["precision"] = Math.Round(report.Precision, 4),
                ["recall"] = Math.Round(report.Recall, 4),
                ["keep_rate"] = Math.Round(report.KeepRate, 4),
            }, streams);
            streams.Data.WriteLine(
                $"For a recipe: {{stage: classifier, model: {Path.GetRelativePath(Environment.CurrentDirectory, output)}}}");
            return (int)ExitCode.Ok;
        });
        return command;
    }

    /// <summary>The language identifier that comes with Finery, made again, or one of other texts.</summary>
    public static Command Language()
    {
        var input = Paths("--input", "JSON Lines whose documents have a 'language' in their metadata.");
        var english = new Option<string[]>("--english") { Description = "JSON Lines of English prose besides.", HelpName = "path",
            AllowMultipleArgumentsPerToken = true, DefaultValueFactory = _ => [] };
        var file = new Option<string>("--out") { Description = "File for the model (.ftz).", Required = true };
        var command = new Command("train-language",
            "Train a language identifier, and test it on a third held out.") { input, english, file };
        command.SetAction(parsed =>
        {
            using var interruption = new Interruption("Stopping.");
            var report = LanguageModelRecipe.Build(
                parsed.GetRequiredValue(input), parsed.GetValue(english)!, parsed.GetRequiredValue(file), interruption.Stop);
            var streams = CommandLine.StreamsOf(parsed);
            Inspection.Write(new JsonObject
            {
                ["training_texts"] = report.TrainingCount,
                ["held_out_texts"] = report.HeldOutCount,
                ["precision_at_1"] = Math.Round(report.Precision, 4),
                ["bytes"] = report.Bytes,
                ["worst_languages"] = string.Join(", ", report.Languages.Take(5).Select(language =>
                    string.Create(CultureInfo.InvariantCulture, $"{language.Label} {language.Correct}/{language.Count}"))),
            }, streams);
            return (int)ExitCode.Ok;
        });
        return command;
    }

    private static Option<string[]> Paths(string name, string description) => new(name)
    {
        Description = description, HelpName = "path", Required = true, AllowMultipleArgumentsPerToken = true,
        Arity = ArgumentArity.OneOrMore,
    };

    private static IEnumerable<string> Texts(string[] paths, Streams streams)
    {
        var report = new ReadReport();
        foreach (var document in DocumentReader.ForPaths(paths).Read(report)) yield return document.Text;
        TokenizerTexts.Warn(report, streams);
    }
}
