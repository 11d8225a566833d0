using Finery.Models;
using Finery.Workflow.Runs;

namespace Finery.Cli.Inference;

/// <summary>A model on disk.</summary>
/// <param name="Folder">Hugging Face model folder.</param>
/// <param name="Id">Name to serve it under: the run and the step, or the folder's name.</param>
public sealed record LocatedModel(string Folder, string Id);

/// <summary>Finds the model a command means: a model folder, the last model of a run, or the last model of the newest
/// run.</summary>
public static class ModelLocator
{
    private const string DefaultRoot = "runs";

    /// <summary>Finds a model.</summary>
    /// <param name="path">Model folder or run folder; null for the newest run below <c>runs</c> that has a model.</param>
    /// <exception cref="UsageException">There is none; the message says what was looked at.</exception>
    public static LocatedModel Find(string? path)
    {
        if (path is null)
        {
            string root = Path.GetFullPath(DefaultRoot);
            var runs = Directory.Exists(root) ? RunFolder.List(root) : [];
            return runs.Select(LastModel).FirstOrDefault(model => model is not null) ?? throw new UsageException(
                $"no model given, and no run below {root} has one. Name a model or run folder, or make one with 'finery " +
                    $"quickstart'.");
        }
        string folder = Path.GetFullPath(path);
        if (!Directory.Exists(folder)) throw new UsageException(
            $"there is no folder {folder}. Give a model folder or a run folder.");
        if (File.Exists(Path.Combine(folder, ModelConfig.FileName))) return new(folder,
            Path.GetFileName(Path.TrimEndingDirectorySeparator(folder)));
        if (IsRun(folder))
        {
            return LastModel(RunFolder.Open(folder)) ?? throw new UsageException(
                $"the run {folder} has no finished model yet. 'finery runs {Path.GetDirectoryName(folder)}' shows how far it " +
                    $"is.");
        }
        // A step's folder: its model is one level down.
        var below = Directory.GetDirectories(folder).Where(sub => File.Exists(Path.Combine(sub, ModelConfig.FileName))).ToList();
        return below.Count == 1 ? new(below[0], Path.GetFileName(folder)) : throw new UsageException(
            $"{folder} is neither a model folder ({ModelConfig.FileName} is missing) nor a run folder.");
    }

    private static bool IsRun(string folder) => File.Exists(Path.Combine(folder, "run.json"));

    /// <summary>The last step that left a model: aligned, else finetuned, else pretrained.</summary>
    private static LocatedModel? LastModel(RunFolder run)
    {
        foreach (var step in run.Steps().Reverse())
        {
            if (step.State != StepState.Finished) continue;
            foreach (var output in step.Outputs.Where(output => output.Kind == "model"))
            {
                string folder = Path.Combine(run.StepFolder(step.Name), output.Name);
                if (File.Exists(Path.Combine(folder, ModelConfig.FileName)))
                    return new(folder, $"{Path.GetFileName(run.Path)}/{step.Name}");
            }
        }
        return null;
    }
}
