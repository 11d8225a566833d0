using System.Text;
using System.Text.Json;
using Finery.Models.Weights;

namespace Finery.Models;

public sealed partial record ModelConfig
{
    // Keys that change the forward pass in ways not implemented; present with another value they are an error, never ignored.
    private static readonly (string Key, string Only)[] OnlySupported =
    [
        ("attention_bias", "false"), ("mlp_bias", "false"), ("hidden_act", "silu"), ("use_sliding_window", "false"),
    ];

    /// <summary>Parses the text of a <c>config.json</c>. Accepts <c>rope_theta</c> with <c>rope_scaling</c> or the newer nested
    /// <c>rope_parameters</c>, and one or several <c>eos_token_id</c>. Absent optional keys have the defaults of the Hugging Face
    /// class.</summary>
    /// <exception cref="InvalidDataException">Not JSON, a key is missing or has the wrong type, or something is not
    /// supported.</exception>
    public static ModelConfig Parse(ReadOnlyMemory<byte> json)
    {
        try
        {
            using var document = JsonDocument.Parse(json);
            if (document.RootElement.ValueKind != JsonValueKind.Object) throw new InvalidDataException("not a JSON object.");
            var config = Read(document.RootElement);
            var errors = config.Validate();
            if (errors.Count > 0) throw new InvalidDataException(string.Join(" ", errors));
            return config;
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException)
        {
            // InvalidOperationException: a string that is not valid Unicode.
            throw new InvalidDataException($"not valid JSON: {exception.Message}", exception);
        }
    }

    /// <summary>The text of <c>config.json</c>.</summary>
    /// <param name="type">How the weights beside it are stored.</param>
    public string ToJson(SafeTensorType type = SafeTensorType.F32)
    {
        using var buffer = new MemoryStream();
        // A fixed newline: the same configuration gives the same bytes on every system.
        using (var json = new Utf8JsonWriter(buffer, new JsonWriterOptions { Indented = true, NewLine = "\n" }))
        {
            bool smol = NoRopeInterval > 0;
            json.WriteStartObject();
            json.WriteStartArray("architectures");
            json.WriteStringValue(smol ? "SmolLM3ForCausalLM" : "LlamaForCausalLM");
            json.WriteEndArray();
            json.WriteString("model_type", smol ? "smollm3" : "llama");
            json.WriteNumber("vocab_size", VocabSize);
            json.WriteNumber("hidden_size", EmbeddingSize);
            json.WriteNumber("intermediate_size", FeedForwardSize);
            json.WriteNumber("num_hidden_layers", LayerCount);
            json.WriteNumber("num_attention_heads", HeadCount);
            json.WriteNumber("num_key_value_heads", KvHeadCount);
            json.WriteNumber("head_dim", HeadSize);
            json.WriteString("hidden_act", "silu");
            json.WriteNumber("max_position_embeddings", SequenceLength);
            json.WriteNumber("rms_norm_eps", RmsNormEpsilon);
            json.WriteNumber("rope_theta", RopeTheta);
            WriteRopeScaling(json);
            if (smol) WriteNoRopeLayers(json);
            json.WriteBoolean("attention_bias", false);
            json.WriteBoolean("mlp_bias", false);
            json.WriteNumber("attention_dropout", 0.0);
            json.WriteBoolean("tie_word_embeddings", TieEmbeddings);
            WriteId(json, "bos_token_id", BosId);
            WriteEos(json);
            WriteId(json, "pad_token_id", PadId);
            json.WriteNumber("initializer_range", 0.02);
            json.WriteBoolean("use_cache", true);
            json.WriteString("torch_dtype", type == SafeTensorType.BF16 ? "bfloat16" : "float32");
            json.WriteEndObject();
        }
        return Encoding.UTF8.GetString(buffer.ToArray()) + "\n";
    }

    private void WriteRopeScaling(Utf8JsonWriter json)
    {
        if (RopeScaling is not { } scaling)
        {
            json.WriteNull("rope_scaling");
            return;
        }
        json.WriteStartObject("rope_scaling");
        json.WriteString("rope_type", scaling is YarnScaling ? "yarn" : "llama3");
        json.WriteNumber("factor", scaling.Factor);
        if (scaling is Llama3Scaling llama)
        {
            json.WriteNumber("low_freq_factor", llama.LowFrequencyFactor);
            json.WriteNumber("high_freq_factor", llama.HighFrequencyFactor);
        }
        else if (scaling is YarnScaling yarn)
        {
            json.WriteNumber("beta_fast", yarn.FastTurns);
            json.WriteNumber("beta_slow", yarn.SlowTurns);
            if (yarn.AttentionFactor is { } factor) json.WriteNumber("attention_factor", factor);
        }
        json.WriteNumber("original_max_position_embeddings", scaling.OriginalSequenceLength);
        json.WriteEndObject();
    }

    private void WriteNoRopeLayers(Utf8JsonWriter json)
    {
        json.WriteNumber("no_rope_layer_interval", NoRopeInterval);
        json.WriteStartArray("no_rope_layers");
        for (int layer = 0; layer < LayerCount; layer++) json.WriteNumberValue(UsesRope(layer) ? 1 : 0);
        json.WriteEndArray();
        json.WriteBoolean("use_sliding_window", false);
    }

    private void WriteEos(Utf8JsonWriter json)
    {
        if (EosIds.Count <= 1)
        {
            WriteId(json, "eos_token_id", EosId);
            return;
        }
        json.WriteStartArray("eos_token_id");
        foreach (int id in EosIds) json.WriteNumberValue(id);
        json.WriteEndArray();
    }

    private static void WriteId(Utf8JsonWriter json, string key, int? id)
    {
        if (id is { } value) json.WriteNumber(key, value);
        else json.WriteNull(key);
    }

    private static ModelConfig Read(JsonElement json)
    {
        string type = Find(json, "model_type") is { ValueKind: JsonValueKind.String } text ? text.GetString()! : "";
        if (type is not ("llama" or "smollm3"))
            throw new InvalidDataException($"model_type '{type}' is not supported; expected 'llama' or 'smollm3'.");
        bool smol = type == "smollm3";
        foreach (var (key, only) in OnlySupported)
        {
            if (Find(json, key) is { } value && !string.Equals(value.ToString(), only, StringComparison.OrdinalIgnoreCase))
                throw new InvalidDataException($"{key} is {value}; only {only} is supported.");
        }
        int heads = Integer(json, "num_attention_heads");
        int width = Integer(json, "hidden_size");
        int layers = Integer(json, "num_hidden_layers");
        var nested = Find(json, "rope_parameters");
        return new ModelConfig
        {
            VocabSize = Integer(json, "vocab_size"),
            EmbeddingSize = width,
            LayerCount = layers,
            HeadCount = heads,
            KvHeadCount = Integer(json, "num_key_value_heads", heads),
            HeadSize = Find(json, "head_dim") is null ? DefaultHeadSize(width, heads) : Integer(json, "head_dim"),
            FeedForwardSize = Integer(json, "intermediate_size"),
            SequenceLength = Integer(json, "max_position_embeddings", smol ? 32768 : 2048),
            RmsNormEpsilon = (float)Number(json, "rms_norm_eps", 1e-6),
            RopeTheta = Number(nested ?? json, "rope_theta", Number(json, "rope_theta", smol ? 2e6 : 1e4)),
            RopeScaling = ReadScaling(Find(json, "rope_scaling") ?? nested, Find(json, "max_position_embeddings")),
            NoRopeInterval = smol ? ReadNoRopeInterval(json, layers) : 0,
            TieEmbeddings = Flag(json, "tie_word_embeddings", smol),
            BosId = Find(json, "bos_token_id") is null ? null : Integer(json, "bos_token_id"),
            EosIds = ReadEos(json),
            PadId = Find(json, "pad_token_id") is null ? null : Integer(json, "pad_token_id"),
        };
    }

    private static int DefaultHeadSize(int width, int heads)
    {
        if (heads <= 0 || width % heads != 0)
            throw new InvalidDataException(
                $"hidden_size {width} is not a multiple of num_attention_heads {heads} and head_dim is absent.");
        return width / heads;
    }

    private static RopeScaling? ReadScaling(JsonElement? json, JsonElement? context)
    {
        if (json is not { } scaling) return null;
        if (scaling.ValueKind != JsonValueKind.Object) throw new InvalidDataException("rope_scaling is not an object.");
        string type = (Find(scaling, "rope_type") ?? Find(scaling, "type"))?.ToString() ?? "default";
        return type switch
        {
            "default" => null,
            "llama3" => new Llama3Scaling(
                Number(scaling, "factor"), Number(scaling, "low_freq_factor"), Number(scaling, "high_freq_factor"),
                Integer(scaling, "original_max_position_embeddings")),
            "yarn" => ReadYarn(scaling, context),
            _ => throw new InvalidDataException($"rope_scaling of type '{type}' is not supported; only 'llama3' and 'yarn' are."),
        };
    }

    private static YarnScaling ReadYarn(JsonElement scaling, JsonElement? context)
    {
        foreach (string key in (string[])["mscale", "mscale_all_dim"])
        {
            if (Find(scaling, key) is { } value) throw new InvalidDataException($"rope_scaling.{key} is {value}; not supported.");
        }
        if (!Flag(scaling, "truncate", true)) throw new InvalidDataException("rope_scaling.truncate is false; only true is supported.");
        // Without an original context Hugging Face takes the whole one.
        int? original = context is { } length ? IntegerValue(length, "max_position_embeddings") : null;
        return new(Number(scaling, "factor"), Integer(scaling, "original_max_position_embeddings", original))
        {
            FastTurns = Number(scaling, "beta_fast", 32),
            SlowTurns = Number(scaling, "beta_slow", 1),
            AttentionFactor = Find(scaling, "attention_factor") is null ? null : Number(scaling, "attention_factor"),
        };
    }

    private static int ReadNoRopeInterval(JsonElement json, int layers)
    {
        int interval = Integer(json, "no_rope_layer_interval", 4);
        if (Find(json, "no_rope_layers") is not { } list) return interval;
        if (list.ValueKind != JsonValueKind.Array || list.GetArrayLength() != layers)
            throw new InvalidDataException($"no_rope_layers must list {layers} values, one per layer.");
        // 1 means the layer uses rotary embedding, 0 that it does not.
        bool[] rotates = [.. list.EnumerateArray().Select(value => value.ToString() is not ("0" or "False"))];
        if (rotates.All(value => value)) return 0;
        for (int layer = 0; layer < layers; layer++)
        {
            if (interval <= 0 || rotates[layer] != ((layer + 1) % interval != 0))
                throw new InvalidDataException(
                    $"no_rope_layers at layer {layer} does not follow no_rope_layer_interval {interval}; not supported.");
        }
        return interval;
    }

    private static int[] ReadEos(JsonElement json) => Find(json, "eos_token_id") switch
    {
        null => [],
        { ValueKind: JsonValueKind.Array } list => [.. list.EnumerateArray().Select(id => IntegerValue(id, "eos_token_id"))],
        { } id => [IntegerValue(id, "eos_token_id")],
    };

    private static JsonElement? Find(JsonElement json, string key)
    {
        if (json.ValueKind != JsonValueKind.Object)
            throw new InvalidDataException($"expected an object around {key}, found {json.ValueKind}.");
        return json.TryGetProperty(key, out var value) && value.ValueKind != JsonValueKind.Null ? value : null;
    }

    private static int Integer(JsonElement json, string key, int? otherwise = null) =>
        Find(json, key) is { } value
            ? IntegerValue(value, key)
            : otherwise ?? throw new InvalidDataException($"{key} is missing.");

    private static int IntegerValue(JsonElement value, string key) =>
        value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out int number)
            ? number
            : throw new InvalidDataException($"{key} is {value}; expected a 32-bit integer.");

    private static double Number(JsonElement json, string key, double? otherwise = null) => Find(json, key) switch
    {
        null => otherwise ?? throw new InvalidDataException($"{key} is missing."),
        { ValueKind: JsonValueKind.Number } value => value.GetDouble(),
        { } value => throw new InvalidDataException($"{key} is {value}; expected a number."),
    };

    private static bool Flag(JsonElement json, string key, bool otherwise) => Find(json, key) switch
    {
        null => otherwise,
        { ValueKind: JsonValueKind.True } => true,
        { ValueKind: JsonValueKind.False } => false,
        { } value => throw new InvalidDataException($"{key} is {value}; expected true or false."),
    };
}
