using System.Globalization;
using System.Text.Json.Nodes;
using Finery.Cli.Terminal;
using Finery.Data.Batches;
using Finery.Data.Batches.Mixing;
using Finery.Data.Classifiers;
using Finery.Data.Curation;
using Finery.Data.Readers;
using Finery.Data.Tokenizers;
using Finery.Models;
using Finery.Models.Weights;
using Finery.Workflow.Runs;

namespace Finery.Cli.Commands;

/// <summary>How to inspect.</summary>
/// <param name="Values">Whether to look at every value of tensors.</param>
/// <param name="SequenceLength">Tokens for which operations and memory of a model are computed; null for its context.</param>
public sealed record InspectSettings(bool Values = false, int? SequenceLength = null);

/// <summary>What a file or folder of Finery's is, as figures (JSON) that the command prints either way.</summary>
public static class Inspection
{
    /// <summary>The figure that says what is wrong with an otherwise readable model.</summary>
    public const string Problem = "problem";

    private const int Examples = 3, ExampleLetters = 300;

    /// <summary>Finds out what a path is and describes it.</summary>
    /// <exception cref="UsageException">There is nothing, or nothing known.</exception>
    public static JsonObject Of(string path, InspectSettings settings)
    {
        if (Directory.Exists(path)) return OfFolder(path, settings);
        if (!File.Exists(path)) throw new UsageException($"there is no file or folder {Path.GetFullPath(path)}.");
        string name = Path.GetFileName(path);
        if (name.EndsWith(".safetensors", StringComparison.Ordinal))
            return OfWeights(path, () => SafeTensorsFolder.OpenFile(path), settings);
        if (name.EndsWith(".safetensors.index.json", StringComparison.Ordinal))
            return OfWeights(path, () => SafeTensorsFolder.OpenShards(path), settings);
        if (name.EndsWith(".gguf", StringComparison.Ordinal))
            return Described("gguf", path, ModelInspection.OfGguf(path, settings));
        string folder = Path.GetDirectoryName(Path.GetFullPath(path))!;
        if (name == ModelConfig.FileName)
            return Described("config", path, ModelInspection.OfConfig(ModelConfig.Load(folder), settings));
        if (name == GenerationConfig.FileName)
            return Described("generation config", path, ModelInspection.OfGeneration(GenerationConfig.Load(folder)!));
        if (name == TokenizerFile.FileName) return OfTokenizer(path);
        if (name == MixSummary.FileName)
            return Described("mix", path, JsonNode.Parse(MixSummary.Parse(File.ReadAllText(path), path).ToJson())!.AsObject());
        if (name.EndsWith(".ftz", StringComparison.Ordinal) || name.EndsWith(".bin", StringComparison.Ordinal))
            return OfFastText(path);
        if (InputFormats.FormatOf(path) is not null) return OfDocuments(path);
        throw new UsageException(
            $"{name} is of no kind that can be inspected. Known: run, step and model folders, folders of documents " +
            $"or token shards, *.safetensors and their index, *.gguf, {ModelConfig.FileName}, {GenerationConfig.FileName}, " +
            $"{TokenizerFile.FileName}, {MixSummary.FileName}, fastText *.bin and *.ftz, " +
            $"{string.Join(", ", InputFormats.Extensions.Select(extension => "*" + extension))}.");
    }

    private static JsonObject OfWeights(string path, Func<SafeTensorsFolder> open, InspectSettings settings)
    {
        using var weights = open();
        return Described("safetensors", path, ModelInspection.OfWeights(weights, settings));
    }

    private static JsonObject OfFolder(string path, InspectSettings settings)
    {
        bool Has(string name) => File.Exists(Path.Combine(path, name));
        if (Has("run.json")) return Described("run", path, RunsCommand.ToJson(RunFolder.Open(path)));
        if (Has("step.json")) return OfStep(path);
        if (Has(ModelConfig.FileName)) return Described("model", path, ModelInspection.OfFolder(path, settings));
        if (SafeTensorsFolder.IsIn(path)) return OfWeights(path, () => SafeTensorsFolder.Open(path), settings);
        if (Has(TokenShardManifest.FileName)) return OfTokens(path);
        if (Has(TokenizerFile.FileName)) return OfTokenizer(path);
        if (Has("curation.json")) return Described("curation", path, CurationInspection.Of(new CurationFolder(path)));
        if (Directory.EnumerateFiles(path, "*", SearchOption.AllDirectories).Any(file => InputFormats.FormatOf(file) is not null))
            return OfDocuments(path);
        throw new UsageException(
            $"{Path.GetFullPath(path)} is neither a run, a step, a model, a tokenizer, documents nor token shards.");
    }

    private static JsonObject OfStep(string path)
    {
        string folder = Path.TrimEndingDirectorySeparator(Path.GetFullPath(path));
        var step = RunFolder.Open(Path.GetDirectoryName(folder)!).Step(Path.GetFileName(folder))
            ?? throw new UsageException($"{folder} has no readable step.json.");
        return Described("step", path, new JsonObject
        {
            ["name"] = step.Name,
            ["type"] = step.Type,
            ["state"] = step.State.ToString().ToLowerInvariant(),
            ["seconds"] = Math.Round(step.Seconds, 3),
            ["key"] = step.Key,
            ["error"] = step.Error,
            ["settings"] = step.Settings.DeepClone(),
            ["inputs"] = new JsonArray([.. step.Inputs.Select(input =>
                new JsonObject { ["setting"] = input.Setting, ["source"] = input.Source, ["bytes"] = input.Bytes })]),
            ["outputs"] = new JsonArray([.. step.Outputs.Select(output => new JsonObject
            {
                ["name"] = output.Name,
                ["kind"] = output.Kind,
                ["bytes"] = output.Files.Sum(file => file.Bytes),
            })]),
            ["summary"] = step.Summary.DeepClone(),
        });
    }

    private static JsonObject OfTokenizer(string path) => Described("tokenizer", path, TokenizerFacts.Of(path));

    private static JsonObject OfTokens(string path)
    {
        using var shards = TokenShards.Open(path, verify: false);
        return Described("tokens", path, new JsonObject
        {
            ["tokens"] = shards.TokenCount,
            ["documents"] = shards.DocumentCount,
            ["vocab_size"] = shards.Manifest.VocabSize,
            ["bytes_per_token"] = shards.TokenCount > 0 ? Math.Round((double)shards.Manifest.TextBytes / shards.TokenCount, 3)
                : 0,
            ["tokenizer"] = shards.Manifest.Tokenizer,
            ["files"] = new JsonArray([.. shards.Manifest.Files.Select(file =>
                new JsonObject { ["name"] = file.Name, ["tokens"] = file.Tokens, ["documents"] = file.Documents })]),
        });
    }

    private static JsonObject OfFastText(string path)
    {
        var model = FastTextModel.Load(path);
        return Described("fastText model", path, new JsonObject
        {
            ["labels"] = model.Labels.Count,
            ["first_labels"] = new JsonArray([.. model.Labels.Take(12).Select(label => (JsonNode)label)]),
            ["loss"] = model.Loss.ToString().ToLowerInvariant(),
            ["dimension"] = model.Dimension,
            ["words"] = model.WordCount,
            ["quantised"] = model.IsQuantised,
            ["bytes"] = new FileInfo(path).Length,
        });
    }

    private static JsonObject OfDocuments(string path)
    {
        var report = new ReadReport();
        long letters = 0;
        var examples = new JsonArray();
        foreach (var document in DocumentReader.ForPaths([path]).Read(report))
        {
            letters += document.Text.Length;
            if (examples.Count >= Examples) continue;
            examples.Add(new JsonObject
            {
                ["id"] = document.Id,
                ["text"] = document.Text.Length <= ExampleLetters ? document.Text : document.Text[..ExampleLetters] + "...",
                ["metadata"] = document.Metadata.DeepClone(),
            });
        }
        var skipped = new JsonObject();
        foreach (var (reason, items) in report.Skipped) skipped[reason] = $"{items.Count}, first {items.FirstExample}";
        return Described("documents", path, new JsonObject
        {
            ["files"] = report.Files,
            ["documents"] = report.Documents,
            ["characters"] = letters,
            ["characters_per_document"] = report.Documents > 0 ? Math.Round((double)letters / report.Documents, 1) : 0,
            ["skipped"] = skipped,
            ["examples"] = examples,
        });
    }

    private static JsonObject Described(string kind, string path, JsonObject facts)
    {
        var described = new JsonObject { ["kind"] = kind, ["path"] = Path.GetFullPath(path) };
        foreach (var (name, value) in facts.ToList())
        {
            facts.Remove(name);
            if (name != "folder") described[name] = value;
        }
        return described;
    }

    /// <summary>Prints figures for people: one per line, lists of objects as tables.</summary>
    public static void Write(JsonObject facts, Streams streams, string indent = "")
    {
        foreach (var (name, value) in facts)
        {
            switch (value)
            {
                case JsonObject { Count: > 0 } inner:
                    streams.Data.WriteLine($"{indent}{name}:");
                    Write(inner, streams, indent + "  ");
                    break;
                case JsonArray { Count: > 0 } list when list.All(item => item is JsonObject):
                    streams.Data.WriteLine($"{indent}{name}:");
                    WriteTable([.. list.Cast<JsonObject>()], streams);
                    break;
                case JsonArray list:
                    streams.Data.WriteLine($"{indent}{name}: {string.Join(", ", list.Select(item => Plain(item)))}");
                    break;
                case null or JsonObject:
                    break;
                default:
                    streams.Data.WriteLine($"{indent}{name}: {Plain(value, name)}");
                    break;
            }
        }
    }

    private static void WriteTable(IReadOnlyList<JsonObject> rows, Streams streams)
    {
        string[] columns = [.. rows[0].Select(field => field.Key)];
        var table = new TextTable(columns);
        foreach (var row in rows) table.Add([.. columns.Select(column => Plain(row[column], column))]);
        table.Write(streams);
    }

    private static string Plain(JsonNode? value, string name = "") => value switch
    {
        null => "",
        JsonArray list => string.Join(" x ", list.Select(item => Plain(item))),
        JsonValue scalar when IsBytes(name) && scalar.TryGetValue(out long bytes) => Quantities.Bytes(bytes),
        JsonValue scalar when scalar.TryGetValue(out long number) =>
            number.ToString(number >= 10_000 ? "N0" : "0", CultureInfo.InvariantCulture),
        JsonValue scalar when scalar.TryGetValue(out int number) =>
            number.ToString(number >= 10_000 ? "N0" : "0", CultureInfo.InvariantCulture),
        JsonValue scalar when scalar.TryGetValue(out double number) => number.ToString(
            double.IsInteger(number) && Math.Abs(number) < 1e9 ? "N0" : "G5", CultureInfo.InvariantCulture),
        JsonValue scalar when scalar.TryGetValue(out string? text) => text,
        _ => value.ToJsonString(),
    };

    private static bool IsBytes(string name) => name.Split('_').Contains("bytes");
}
