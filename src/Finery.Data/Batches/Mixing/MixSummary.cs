using System.Text.Json;
using System.Text.Json.Serialization;

namespace Finery.Data.Batches.Mixing;

/// <summary>A mix as a run will read it: for logs, reports and <c>inspect</c>.</summary>
public sealed record MixSummary
{
    /// <summary>Name of the file in a run's folder.</summary>
    public const string FileName = "mix.json";

    /// <summary><see cref="MixedBatches.Fingerprint"/>.</summary>
    public required string Fingerprint { get; init; }

    /// <summary>Steps of all phases.</summary>
    public required long Steps { get; init; }

    /// <summary>Tokens of all phases.</summary>
    public required long Tokens { get; init; }

    /// <summary>What is read.</summary>
    public required IReadOnlyList<SourceSummary> Sources { get; init; }

    /// <summary>When.</summary>
    public required IReadOnlyList<PhaseSummary> Phases { get; init; }

    /// <summary>Writes it as JSON, snake_case keys.</summary>
    public string ToJson() => JsonSerializer.Serialize(this, MixJson.Default.MixSummary).ReplaceLineEndings("\n") + "\n";

    /// <summary>Reads what <see cref="ToJson"/> wrote.</summary>
    /// <param name="json">Content of the file.</param>
    /// <param name="path">How errors call it.</param>
    /// <exception cref="InvalidDataException">It is something else.</exception>
    public static MixSummary Parse(string json, string path)
    {
        try
        {
            return JsonSerializer.Deserialize(json, MixJson.Default.MixSummary)
                ?? throw new InvalidDataException($"{path} is empty.");
        }
        catch (JsonException problem)
        {
            throw new InvalidDataException($"{path} is not the summary of a mix in JSON: {problem.Message}", problem);
        }
    }
}

/// <summary>A source and how much of it a run reads.</summary>
public sealed record SourceSummary
{
    /// <summary>Its name.</summary>
    public required string Name { get; init; }

    /// <summary>Tokens it has.</summary>
    public required long Tokens { get; init; }

    /// <summary>Documents it has.</summary>
    public required long Documents { get; init; }

    /// <summary>Bytes of UTF-8 text behind its tokens.</summary>
    public required long TextBytes { get; init; }

    /// <summary>How many times the run sees it.</summary>
    public required double Epochs { get; init; }

    /// <summary>Tokens of a document on average.</summary>
    public double TokensPerDocument => (double)Tokens / Documents;

    /// <summary>Bytes of text of a token on average: how well the tokenizer fits the source.</summary>
    public double BytesPerToken => (double)TextBytes / Tokens;

    internal static SourceSummary Of(string name, TokenShards shards, double epochs) => new()
    {
        Name = name, Tokens = shards.TokenCount, Documents = shards.DocumentCount, TextBytes = shards.Manifest.TextBytes, Epochs = epochs,
    };
}

/// <summary>A phase with its totals.</summary>
public sealed record PhaseSummary
{
    /// <summary>Number of its stage.</summary>
    public required int Stage { get; init; }

    /// <summary>First step.</summary>
    public required long FirstStep { get; init; }

    /// <summary>Number of steps.</summary>
    public required long Steps { get; init; }

    /// <summary>Rows of a step.</summary>
    public required int Rows { get; init; }

    /// <summary>Tokens of a row.</summary>
    public required int SequenceLength { get; init; }

    /// <summary>Tokens before it.</summary>
    public required long FirstToken { get; init; }

    /// <summary>Tokens in it.</summary>
    public required long Tokens { get; init; }

    /// <summary>Share of each source that has one.</summary>
    public required IReadOnlyDictionary<string, double> Mix { get; init; }

    /// <summary>Tokens it takes of each source that has a share.</summary>
    public required IReadOnlyDictionary<string, long> TokensBySource { get; init; }
}

[JsonSourceGenerationOptions(WriteIndented = true, PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(MixSummary))]
internal sealed partial class MixJson : JsonSerializerContext;
