using System.Text.Json;
using Finery.Data.Writers;
using Finery.Models;

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

/// <summary>Shape of a Llama model, as recipes give it.</summary>
public sealed record ModelShape
{
    /// <summary>Decoder layers.</summary>
    public int Layers { get; init; } = 4;

    /// <summary>Model width D.</summary>
    public int Width { get; init; } = 128;

    /// <summary>Query heads.</summary>
    public int Heads { get; init; } = 4;

    /// <summary>Key and value heads.</summary>
    public int KvHeads { get; init; } = 2;

    /// <summary>Width of the gated feed-forward layer.</summary>
    public int FeedForward { get; init; } = 352;

    /// <summary>The model configuration for a vocabulary and sequence length.</summary>
    public ModelConfig ToConfig(int vocabSize, int sequenceLength, int? bosId, int? eosId) => new()
    {
        VocabSize = vocabSize,
        EmbeddingSize = Width,
        LayerCount = Layers,
        HeadCount = Heads,
        KvHeadCount = KvHeads,
        HeadSize = Width / Heads,
        FeedForwardSize = FeedForward,
        SequenceLength = sequenceLength,
        BosId = bosId,
        EosIds = eosId is { } id ? [id] : [],
    };

    /// <summary>Reads the shape of an existing configuration.</summary>
    public static ModelShape Of(ModelConfig config) => new()
    {
        Layers = config.LayerCount, Width = config.EmbeddingSize, Heads = config.HeadCount, KvHeads = config.KvHeadCount,
        FeedForward = config.FeedForwardSize,
    };

    /// <summary>Shape in short, such as <c>d192 L6 h6 kv2 ff512</c>.</summary>
    public override string ToString() => $"d{Width} L{Layers} h{Heads} kv{KvHeads} ff{FeedForward}";
}
