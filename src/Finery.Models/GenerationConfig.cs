using System.Text;
using System.Text.Json;
using Finery.Models.Weights;

namespace Finery.Models;

/// <summary>How the makers of a model would have it sampled, and which tokens end a text: Hugging Face's
/// <c>generation_config.json</c>. What is null is not said there. Keys not modelled here are kept when a file that was read is
/// saved.</summary>
public sealed record GenerationConfig
{
    /// <summary>Name of the file in a model folder.</summary>
    public const string FileName = "generation_config.json";

    private JsonText? _source;
    private string? _asRead;

    /// <summary><c>do_sample</c>: false or null takes the likeliest token.</summary>
    public bool? Samples { get; init; }

    /// <summary><c>temperature</c>.</summary>
    public double? Temperature { get; init; }

    /// <summary><c>top_k</c>; 0 keeps all.</summary>
    public int? TopK { get; init; }

    /// <summary><c>top_p</c>.</summary>
    public double? TopP { get; init; }

    /// <summary><c>repetition_penalty</c>.</summary>
    public double? RepetitionPenalty { get; init; }

    /// <summary><c>bos_token_id</c>.</summary>
    public int? BosId { get; init; }

    /// <summary><c>eos_token_id</c>: one or several.</summary>
    public IReadOnlyList<int> EosIds { get; init; } = [];

    /// <summary><c>pad_token_id</c>.</summary>
    public int? PadId { get; init; }

    /// <summary>Reads the file of a model folder; null where there is none.</summary>
    /// <exception cref="InvalidDataException">It is not JSON or a value is impossible; the message says which.</exception>
    public static GenerationConfig? Load(string folder)
    {
        string path = Path.Combine(folder, FileName);
        if (!File.Exists(path)) return null;
        try
        {
            return Parse(SmallFile.Read(path, JsonFields.MaxFileBytes));
        }
        catch (InvalidDataException exception)
        {
            throw new InvalidDataException($"{path}: {exception.Message}", exception);
        }
    }

    /// <summary>Reads the text of a file.</summary>
    /// <exception cref="InvalidDataException">Not JSON, or a value is impossible.</exception>
    public static GenerationConfig Parse(ReadOnlyMemory<byte> json)
    {
        try
        {
            var source = new JsonText(json.Span);
            using var document = JsonDocument.Parse(json);
            var config = Read(document.RootElement);
            (config._source, config._asRead) = (source, config.ToJson());
            return config;
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException)
        {
            throw new InvalidDataException($"not valid JSON: {exception.Message}", exception);
        }
    }

    /// <summary>Writes the file into a model folder, atomically: as it was read where nothing has changed.</summary>
    /// <param name="folder">Created if absent.</param>
    public void Save(string folder)
    {
        Directory.CreateDirectory(folder);
        string now = ToJson();
        byte[] text = _source is null ? Encoding.UTF8.GetBytes(now)
            : _source.Merged(JsonText.Values(_asRead!), JsonText.Values(now), notAdded: []);
        AtomicFile.Write(Path.Combine(folder, FileName), stream => stream.Write(text));
    }

    /// <summary>Two are equal when they say the same.</summary>
    public bool Equals(GenerationConfig? other) => other is not null && ToJson() == other.ToJson();

    /// <inheritdoc/>
    public override int GetHashCode() => ToJson().GetHashCode(StringComparison.Ordinal);

    private string ToJson()
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer, new JsonWriterOptions { Indented = true, NewLine = "\n" }))
        {
            json.WriteStartObject();
            if (BosId is { } bos) json.WriteNumber("bos_token_id", bos);
            if (Samples is { } samples) json.WriteBoolean("do_sample", samples);
            if (EosIds.Count > 0) JsonFields.Write(json, "eos_token_id", EosIds);
            if (PadId is { } pad) json.WriteNumber("pad_token_id", pad);
            if (RepetitionPenalty is { } penalty) json.WriteNumber("repetition_penalty", penalty);
            if (Temperature is { } temperature) json.WriteNumber("temperature", temperature);
            if (TopK is { } topK) json.WriteNumber("top_k", topK);
            if (TopP is { } topP) json.WriteNumber("top_p", topP);
            json.WriteEndObject();
        }
        return Encoding.UTF8.GetString(buffer.ToArray()) + "\n";
    }

    private static GenerationConfig Read(JsonElement json)
    {
        var config = new GenerationConfig
        {
            Samples = JsonFields.FlagOrNull(json, "do_sample"),
            Temperature = JsonFields.NumberOrNull(json, "temperature"),
            TopK = JsonFields.IntegerOrNull(json, "top_k"),
            TopP = JsonFields.NumberOrNull(json, "top_p"),
            RepetitionPenalty = JsonFields.NumberOrNull(json, "repetition_penalty"),
            BosId = JsonFields.IntegerOrNull(json, "bos_token_id"),
            EosIds = JsonFields.Integers(json, "eos_token_id"),
            PadId = JsonFields.IntegerOrNull(json, "pad_token_id"),
        };
        Check("temperature", config.Temperature, value => value >= 0 && double.IsFinite(value), "at least 0 and finite");
        Check("top_k", config.TopK, value => value >= 0, "at least 0");
        Check("top_p", config.TopP, value => value is > 0 and <= 1, "above 0 and at most 1");
        Check("repetition_penalty", config.RepetitionPenalty, value => value > 0 && double.IsFinite(value), "positive and finite");
        return config;
    }

    private static void Check(string key, double? value, Predicate<double> allowed, string expected)
    {
        if (value is { } given && !allowed(given)) throw new InvalidDataException($"{key} is {given}; expected {expected}.");
    }
}
