using System.Text.Json;
using System.Text.Json.Serialization;

namespace Finery.Data.Batches;

/// <summary>What a folder of token shards holds: <c>manifest.json</c>, written last, so that a folder without it is
/// unfinished.</summary>
public sealed record TokenShardManifest
{
    /// <summary>Name of the file.</summary>
    public const string FileName = "manifest.json";

    /// <summary>Layout of the folder; this is version 1.</summary>
    public required int Version { get; init; }

    /// <summary>Ids are below this.</summary>
    public required int VocabSize { get; init; }

    /// <summary>Fingerprint of the tokenizer that made the ids.</summary>
    public required string Tokenizer { get; init; }

    /// <summary>Bytes of a token: 2 if the vocabulary has at most 65,536 entries, else 4; little-endian.</summary>
    public required int TokenBytes { get; init; }

    /// <summary>Id that begins every document, if any.</summary>
    public int? BosId { get; init; }

    /// <summary>Id that ends every document, if any.</summary>
    public int? EosId { get; init; }

    /// <summary>Bytes of UTF-8 text behind the tokens, control tokens not counted.</summary>
    public required long TextBytes { get; init; }

    /// <summary>The shards in order; their tokens one after the other are the corpus.</summary>
    public required IReadOnlyList<TokenShardFile> Files { get; init; }

    /// <summary>Tokens of all shards.</summary>
    [JsonIgnore]
    public long TokenCount => Files.Sum(file => file.Tokens);

    /// <summary>Documents of all shards.</summary>
    [JsonIgnore]
    public long DocumentCount => Files.Sum(file => file.Documents);

    internal string ToJson() => JsonSerializer.Serialize(this, TokenShardJson.Default.TokenShardManifest)
        .ReplaceLineEndings("\n") + "\n";

    internal static TokenShardManifest Parse(string json, string path)
    {
        try
        {
            return JsonSerializer.Deserialize(json, TokenShardJson.Default.TokenShardManifest) is { } manifest
                ? manifest
                : throw new InvalidDataException($"{path} is empty.");
        }
        catch (JsonException problem)
        {
            throw new InvalidDataException($"{path} is not a manifest of token shards: {problem.Message}", problem);
        }
    }
}

/// <summary>One shard: <c>name</c>.ds, <c>name</c>.ds.index and <c>name</c>.ds.metadata.</summary>
/// <param name="Name">File name of the tokens.</param>
/// <param name="Tokens">Tokens in it.</param>
/// <param name="Documents">Documents in it.</param>
/// <param name="Sha256">SHA-256 of the tokens' file, in hexadecimal.</param>
/// <param name="IndexSha256">SHA-256 of the index file.</param>
public sealed record TokenShardFile(string Name, long Tokens, long Documents, string Sha256, string IndexSha256);

[JsonSourceGenerationOptions(WriteIndented = true, PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(TokenShardManifest))]
internal sealed partial class TokenShardJson : JsonSerializerContext;
