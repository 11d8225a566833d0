using System.Text;
using System.Text.Json;
using Finery.Models.Weights;
using static Finery.Models.JsonFields;

namespace Finery.Models;

public sealed partial record ModelConfig
{
    // Keys that change the forward pass in ways not implemented; present with another value they are an error, never ignored.
    private static readonly (string Key, string Only)[] OnlySupported =
    [
        ("attention_bias", "false"), ("mlp_bias", "false"), ("hidden_act", "silu"), ("use_sliding_window", "false"),
        ("rope_interleaved", "false"),
    ];

    // Constants that Finery writes into a new file but neither reads nor adds to one that does without.
    private static readonly string[] Unread = ["attention_dropout", "initializer_range", "use_cache"];

    // What no class of Hugging Face computes: a loader that does not know it must stop, not leave something out.
    private const string Own = "finery";

    private static readonly string[] CurveNames = ["tanh", "inverse_square_root"];

    private static readonly Dictionary<string, string> Families = new()
    {
        ["llama"] = "LlamaForCausalLM", ["smollm3"] = "SmolLM3ForCausalLM", ["qwen3"] = "Qwen3ForCausalLM", [Own] = "FineryForCausalLM",
    };

    // What a file said, to be kept when it is saved again.
    private JsonText? _source;
    private ModelConfig? _asRead;

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
            return config with { _source = new JsonText(json.Span), _asRead = config };
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException)
        {
            // InvalidOperationException: a string that is not valid Unicode.
            throw new InvalidDataException($"not valid JSON: {exception.Message}", exception);
        }
    }

    /// <summary>The text of <c>config.json</c> in Finery's own spelling, which identifies the configuration; <see cref="Save"/> keeps
    /// the spelling of a file that was read.</summary>
    /// <param name="type">How the weights beside it are stored.</param>
    public string ToJson(SafeTensorType type = SafeTensorType.F32)
    {
        using var buffer = new MemoryStream();
        // A fixed newline: the same configuration gives the same bytes on every system.
        using (var json = new Utf8JsonWriter(buffer, new JsonWriterOptions { Indented = true, NewLine = "\n" }))
        {
            string family = Family;
            json.WriteStartObject();
            json.WriteStartArray("architectures");
            json.WriteStringValue(Families[family]);
            json.WriteEndArray();
            json.WriteString("model_type", family);
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
            WriteScaling(json, "rope_scaling", withTheta: false);
            if (NoRopeInterval > 0) WriteNoRopeLayers(json);
            if (family == "qwen3") WriteWindow(json);
            if (family == Own) WriteOwn(json);
            json.WriteBoolean("attention_bias", false);
            json.WriteBoolean("mlp_bias", false);
            json.WriteNumber("attention_dropout", 0.0);
            json.WriteBoolean("tie_word_embeddings", TieEmbeddings);
            Write(json, "bos_token_id", BosId);
            Write(json, "eos_token_id", EosIds);
            Write(json, "pad_token_id", PadId);
            json.WriteNumber("initializer_range", 0.02);
            json.WriteBoolean("use_cache", true);
            json.WriteString("torch_dtype", TypeNames[type]);
            json.WriteEndObject();
        }
        return Encoding.UTF8.GetString(buffer.ToArray()) + "\n";
    }

    /// <summary>What <see cref="Save"/> writes: the file as read where nothing has changed, byte for byte. Otherwise changed values are
    /// replaced where they stand, in the spelling the file uses, and all else stays: order, keys not modelled, numbers as written.
    /// Keys that were absent are appended.</summary>
    private byte[] FileText(SafeTensorType? type)
    {
        type ??= StoredType ?? SafeTensorType.F32;
        if (_source is null) return Encoding.UTF8.GetBytes(ToJson(type.Value));
        string[] alternatives =
        [
            .. _source.Has("rope_parameters") ? (string[])["rope_theta", "rope_scaling"] : [],
            .. _source.Has("dtype") ? (string[])["torch_dtype"] : [],
        ];
        return _source.Merged(
            _asRead!.Spelled(StoredType ?? SafeTensorType.F32, _source), Spelled(type.Value, _source), [.. Unread, .. alternatives]);
    }

    /// <summary>Values by key, those of other spellings that a file uses among them.</summary>
    private OrderedDictionary<string, string> Spelled(SafeTensorType type, JsonText file)
    {
        var values = JsonText.Values(ToJson(type));
        if (file.Has("dtype")) values["dtype"] = values["torch_dtype"];
        if (file.Has("rope_parameters"))
        {
            values["rope_parameters"] =
                Value("rope_parameters", json => WriteScaling(json, "rope_parameters", withTheta: true));
        }
        if (file.Has("no_rope_layers")) values["no_rope_layers"] = Value("no_rope_layers", WriteNoRopeList);
        if (file.Has("layer_types"))
        {
            values["layer_types"] = Value("layer_types", json =>
            {
                json.WriteStartArray("layer_types");
                for (int layer = 0; layer < LayerCount; layer++) json.WriteStringValue("full_attention");
                json.WriteEndArray();
            });
        }
        return values;
    }

    private static string Value(string key, Action<Utf8JsonWriter> write)
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer, new JsonWriterOptions { Indented = true, NewLine = "\n" }))
        {
            json.WriteStartObject();
            write(json);
            json.WriteEndObject();
        }
        return JsonText.Values(Encoding.UTF8.GetString(buffer.ToArray()))[key];
    }

    private void WriteScaling(Utf8JsonWriter json, string key, bool withTheta)
    {
        if (RopeScaling is not { } scaling)
        {
            if (!withTheta)
            {
                json.WriteNull(key);
                return;
            }
            json.WriteStartObject(key);
            json.WriteNumber("rope_theta", RopeTheta);
            json.WriteString("rope_type", "default");
            json.WriteEndObject();
            return;
        }
        json.WriteStartObject(key);
        if (withTheta) json.WriteNumber("rope_theta", RopeTheta);
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
        WriteNoRopeList(json);
        json.WriteBoolean("use_sliding_window", false);
    }

    private void WriteNoRopeList(Utf8JsonWriter json)
    {
        json.WriteStartArray("no_rope_layers");
        for (int layer = 0; layer < LayerCount; layer++) json.WriteNumberValue(UsesRope(layer) ? 1 : 0);
        json.WriteEndArray();
    }

    private string Family =>
        AttentionSoftcap > 0 || LogitSoftcap > 0 || MaximalUpdate is not null || (QkNorm && NoRopeInterval > 0) ? Own
        : NoRopeInterval > 0 ? "smollm3"
        : QkNorm ? "qwen3" : "llama";

    private void WriteWindow(Utf8JsonWriter json)
    {
        json.WriteBoolean("use_sliding_window", false);
        json.WriteNull("sliding_window");
        json.WriteNumber("max_window_layers", LayerCount);
    }

    private void WriteOwn(Utf8JsonWriter json)
    {
        json.WriteBoolean("qk_norm", QkNorm);
        json.WriteNumber("attn_logit_softcapping", AttentionSoftcap);
        json.WriteNumber("final_logit_softcapping", LogitSoftcap);
        json.WriteString("final_logit_softcapping_curve", CurveNames[(int)LogitSoftcapCurve]);
        if (MaximalUpdate is { } update) update.Write(json, "maximal_update");
        else json.WriteNull("maximal_update");
    }
}
