using System.Text.Json;
using Finery.Data.Batches.Mixing;
using Finery.Workflow.Runs;

namespace Finery.Workflow.Steps;

/// <summary>How the batches of a run are made of its sources; kept beside what was computed of them, so that a later step can make the same
/// and is told where it would not.</summary>
internal sealed record BatchPlan
{
    /// <summary>Name of the file in a <see cref="ArtifactKind.TeacherCache"/>.</summary>
    public const string FileName = "batches.json";

    /// <summary>Decides all orders.</summary>
    public required ulong Seed { get; init; }

    /// <summary>Rows of a step where the first stage gives none.</summary>
    public required int Rows { get; init; }

    /// <summary>Tokens of a row where the first stage gives none.</summary>
    public required int SequenceLength { get; init; }

    /// <summary>How documents are put into rows.</summary>
    public required RowSettings Packing { get; init; }

    /// <summary>Steps that shares of stages are of.</summary>
    public required long Steps { get; init; }

    /// <summary>What is read when.</summary>
    public required IReadOnlyList<DataStage> Stages { get; init; }

    /// <summary>Of the batches (<see cref="MixedBatches.Fingerprint"/>), once they were made.</summary>
    public string Fingerprint { get; init; } = "";

    /// <summary>Steps of all stages, once the batches were made.</summary>
    public long TotalSteps { get; init; }

    /// <summary>The batches.</summary>
    /// <exception cref="RecipeException">Stages and sources do not fit.</exception>
    public MixedBatches Of(TokenSources sources) => sources.Mix(Stages, Rows, SequenceLength, Seed, Packing);

    /// <summary>Reads the plan of a cache.</summary>
    /// <exception cref="RecipeException">There is none.</exception>
    public static BatchPlan Load(Artifact cache)
    {
        string path = Path.Combine(cache.Path, FileName);
        try
        {
            return JsonSerializer.Deserialize<BatchPlan>(AtomicFile.Read(path), RunJson.Indented)
                ?? throw new RecipeException($"{path} is empty: run 'cache-teacher' again.");
        }
        catch (Exception exception) when (exception is FileNotFoundException or DirectoryNotFoundException or JsonException)
        {
            throw new RecipeException($"'{cache.Path}' is no output of 'cache-teacher', whose {FileName} says of which batches it is: {exception.Message}");
        }
    }

    /// <summary>Writes the plan of batches that were made.</summary>
    /// <param name="folder">Created if absent.</param>
    /// <param name="batches">Made by <see cref="Of"/>.</param>
    public void Save(string folder, MixedBatches batches)
    {
        Directory.CreateDirectory(folder);
        AtomicFile.WriteJson(
            Path.Combine(folder, FileName), this with { Fingerprint = batches.Fingerprint, TotalSteps = batches.Schedule.Steps });
    }

    /// <summary>Fails unless batches are those that this plan was saved with, or the first of them.</summary>
    /// <param name="other">How the batches are made.</param>
    /// <param name="batches">Made by it.</param>
    /// <exception cref="RecipeException">They are others; the message says what differs.</exception>
    public void Require(BatchPlan other, MixedBatches batches)
    {
        string[] differences =
        [
            .. Difference("rows", Rows, other.Rows), .. Difference("sequence_length", SequenceLength, other.SequenceLength),
            .. Difference("packing", Packing, other.Packing),
            .. batches.Schedule.Steps > TotalSteps ? [$"there are {batches.Schedule.Steps} steps, in the cache {TotalSteps}"] : (string[])[],
        ];
        if (differences.Length == 0 && batches.Fingerprint == Fingerprint) return;
        if (differences.Length == 0) differences = ["'tokens' or 'stages' are others"];
        throw new RecipeException(
            $"the teacher cache is of other batches: {string.Join("; ", differences)}. Leave settings out that the cache gives, or write it anew for these.");
    }

    private static IEnumerable<string> Difference<T>(string name, T cached, T given) =>
        EqualityComparer<T>.Default.Equals(cached, given) ? [] : [FormattableString.Invariant($"'{name}' is {given}, in the cache {cached}")];
}
