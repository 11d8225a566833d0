using System.Text.Json;
using Finery.Data.Writers;

namespace Finery.Workflow.Steps;

/// <summary>The <see cref="ArtifactKind.Plan"/> artifact: what fits a time budget on the machine it was measured on.</summary>
public sealed record TrainingPlan
{
    /// <summary>File name of the artifact.</summary>
    public const string FileName = "plan.json";

    private static readonly JsonSerializerOptions Json =
        new() { WriteIndented = true, PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower, RespectRequiredConstructorParameters = true };

    /// <summary>Shape of the model.</summary>
    public required ModelShape Model { get; init; }

    /// <summary>Tokens of a training row.</summary>
    public required int SequenceLength { get; init; }

    /// <summary>Rows of a step.</summary>
    public required int Rows { get; init; }

    /// <summary>Pretraining steps.</summary>
    public required long PretrainSteps { get; init; }

    /// <summary>Peak learning rate of pretraining.</summary>
    public required double LearningRate { get; init; }

    /// <summary>Finetuning steps, of the same number of tokens.</summary>
    public required long FinetuneSteps { get; init; }

    /// <summary>Alignment steps of <see cref="PairsPerStep"/> preference pairs.</summary>
    public required long AlignSteps { get; init; }

    /// <summary>Preference pairs of an alignment step.</summary>
    public required int PairsPerStep { get; init; }

    /// <summary>GEMM peak of the machine in FLOP/s.</summary>
    public required double PeakFlops { get; init; }

    /// <summary>Reads a plan.</summary>
    /// <exception cref="RecipeException">The file is not a plan.</exception>
    public static TrainingPlan Load(Artifact plan)
    {
        try
        {
            return JsonSerializer.Deserialize<TrainingPlan>(File.ReadAllText(plan.Path), Json)
                ?? throw new RecipeException($"{plan.Path} is empty: run the plan step again.");
        }
        catch (JsonException exception)
        {
            throw new RecipeException($"{plan.Path} is not a training plan: {exception.Message}");
        }
    }

    /// <summary>Writes the plan.</summary>
    public void Save(string path) => AtomicFile.WriteText(path, JsonSerializer.Serialize(this, Json) + "\n");
}
